"""The encoder: a sentence-transformers model, fed by token budget."""

from collections.abc import Callable, Iterable, Sequence
from threading import Lock

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from encoder import metrics
from encoder.batching import Indices, batches
from encoder.contract import Vectors
from encoder.foreign import encodable
from encoder.identity import encoder_id
from streams.errors import SettingError
from streams.settings.encoder import EncoderSettings

_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
_QUERY_PROMPTS = ("query",)


class SentenceEncoder:
    """Turns texts into unit vectors with any model that sentence-transformers runs.

    Calls are taken one at a time: a tokenizer keeps state while it works, and a forward pass uses every core.
    In float32 a vector is the same in any batch to 1e-5; in bfloat16 to about 1e-2.
    """

    def __init__(self, model: SentenceTransformer, settings: EncoderSettings) -> None:
        """Take a loaded model; `encoder.loading.load_encoder` loads one.

        Raises:
            SettingError: `encoder.dimension` is larger than the model's own.
        """
        self._model = model
        self._id = encoder_id(settings)
        self._budget_tokens = settings.token_budget
        self._lock = Lock()
        model.max_seq_length = min(settings.max_tokens, model.max_seq_length or settings.max_tokens)
        _pool_in_float32(model)
        self._document_prompt = _prompt(settings.document_prompt, model, _DOCUMENT_PROMPTS)
        self._query_prompt = _prompt(settings.query_prompt, model, _QUERY_PROMPTS)
        own = model.encode_document(["width"], show_progress_bar=False).shape[1]
        self._dimension: int = settings.dimension or own
        if self._dimension > own:
            raise SettingError(
                f"Setting encoder.dimension is {self._dimension}, but {settings.model!r} makes {own}.",
                f"set encoder.dimension to at most {own}, or unset it.",
            )

    @property
    def id(self) -> str:
        """Names everything that shapes a vector; see `encoder.identity`."""
        return self._id

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._dimension

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text; see `Encoder.encode_documents`. A text over `max_tokens` is cut."""
        prompt = self._document_prompt

        def encode(group: list[str]) -> Vectors:
            found: Vectors = self._model.encode_document(
                group, prompt=prompt, batch_size=len(group), show_progress_bar=False
            )
            return found

        return self._encode(texts, prompt, encode)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a query; see `Encoder.encode_queries`."""
        prompt = self._query_prompt

        def encode(group: list[str]) -> Vectors:
            found: Vectors = self._model.encode_query(
                group, prompt=prompt, batch_size=len(group), show_progress_bar=False
            )
            return found

        return self._encode(texts, prompt, encode)

    def _encode(self, texts: Sequence[str], prompt: str | None, encode: Callable[[list[str]], Vectors]) -> Vectors:
        vectors = np.empty((len(texts), self._dimension), dtype=np.float32)
        if not texts:
            return vectors
        clean = encodable(texts)
        with self._lock:
            with metrics.TOKENIZE_SECONDS.time():
                lengths = self._lengths(clean, prompt or "")
            with metrics.FORWARD_SECONDS.time():
                for group in batches(lengths, self._budget_tokens):
                    vectors[group] = encode([clean[position] for position in group])[:, : self._dimension]
        metrics.TEXTS.inc(len(texts))
        metrics.TOKENS.inc(int(lengths.sum()))
        # After the cut to `dimension`, which shortens the rows of a Matryoshka model.
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def _lengths(self, texts: Iterable[str], prompt: str) -> Indices:
        """Return the tokens of each text, int64 (n,); under 1 % of the time of the forward pass."""
        encoded = self._model.tokenizer(
            [prompt + text for text in texts],
            truncation=True,
            max_length=self._model.max_seq_length,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return np.array([len(tokens) for tokens in encoded["input_ids"]], dtype=np.int64)


def _prompt(chosen: str | None, model: SentenceTransformer, names: Iterable[str]) -> str | None:
    if chosen is not None:
        return chosen
    return next((model.prompts[name] for name in names if name in model.prompts), None)


def _pool_in_float32(model: SentenceTransformer) -> None:
    """Cast up between the transformer and the rest: a mean in bfloat16 costs up to .003 of the cosine."""

    def cast(
        module: torch.nn.Module, arguments: tuple[object, ...], features: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        if "token_embeddings" in features:
            features["token_embeddings"] = features["token_embeddings"].float()
        return features

    transformer, *rest = model
    transformer.register_forward_hook(cast)
    for module in rest:
        module.float()
