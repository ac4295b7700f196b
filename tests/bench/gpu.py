"""`make bench-gpu`: the language model on a GPU beside the same on this machine's cores and beside its peer.

Texts are item texts of MovieLens-100K, three joined at a time, none twice. Rates are of the wall clock, the best
of `_REPEATS` after one warm-up. Without a GPU it says so and measures nothing.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from encoder.adapted import load_adapted
from encoder.contract import Vectors
from encoder.cross import CrossEncoder
from encoder.loading import load_encoder
from encoder.places import model_source
from encoder.texts import item_text
from streams.settings.encoder import EncoderSettings
from streams.settings.scorers import CrossEncoderTraining
from tests.bench.report import Figure, save
from workers.datasets import load_dataset

_TEXTS: Final = 8_192
_ON_CPU: Final = 1_024
_PAIRS: Final = 4_096
_JOINED: Final = 3
_REPEATS: Final = 3
_BATCH: Final = 32
"""What sentence-transformers takes at once if nobody says otherwise."""
_COSINE: Final = ">= 0.9999"


def texts_of(count: int) -> list[str]:
    """Return texts as long as item descriptions, each once."""
    dataset, draws = load_dataset("movielens-100k"), np.random.default_rng(0)
    titles = [item_text(item, EncoderSettings().item_template) for item in dataset.items]
    joined = {" ".join(draws.choice(titles, _JOINED)) for _ in range(2 * count)}
    return sorted(joined)[:count]


def rate(work: Callable[[], object], count: int) -> float:
    """Return how many of `count` are done a second."""
    work()
    walls = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        work()
        walls.append(time.perf_counter() - began)
    return count / min(walls)


def cosine(left: Vectors, right: Vectors) -> float:
    """Return the least cosine of a row with its other."""
    return float((left * right).sum(axis=1).min())


def encoders(texts: Sequence[str]) -> list[Figure]:
    """Measure the encoder of items."""
    few = texts[:_ON_CPU]
    here = load_encoder(EncoderSettings(device="cpu"))
    name, _ = model_source("bundled", "encoder.model")
    peer = SentenceTransformer(name, device="cuda", local_files_only=True)
    cpu = rate(partial(here.encode_documents, few), len(few))
    theirs = rate(partial(peer.encode, texts, batch_size=_BATCH, show_progress_bar=False), len(texts))
    found = [
        Figure("cpu_texts_per_second", cpu, "all cores, float32"),
        Figure("peer_texts_per_second", theirs, f"GPU, float32, batches of {_BATCH}"),
    ]
    exact = here.encode_documents(few)
    for dtype in ("float32", "bfloat16"):
        there = load_encoder(EncoderSettings.model_validate({"device": "cuda", "dtype": dtype}))
        ours = rate(partial(there.encode_documents, texts), len(texts))
        found += [
            Figure(f"{dtype}_texts_per_second", ours, "GPU"),
            Figure(f"{dtype}_over_peer", ours / theirs, "×"),
            Figure(f"{dtype}_over_cpu", ours / cpu, "×"),
            Figure(f"{dtype}_worst_cosine", cosine(there.encode_documents(few), exact), "", _COSINE),
        ]
    return found


def cross_encoder(texts: Sequence[str]) -> list[Figure]:
    """Measure the scorer that reads two texts at once."""
    found, pasts = {}, texts[::-1]
    for device, pairs in (("cpu", _PAIRS // 16), ("cuda", _PAIRS)):
        adapted = load_adapted(CrossEncoderTraining(), "training.cross_encoder", device=device)
        scorer = CrossEncoder(adapted, CrossEncoderTraining().max_tokens)
        found[device] = rate(partial(scorer.scores, pasts[:pairs], texts[:pairs]), pairs)
    return [
        Figure("pairs_per_second", found["cuda"], "GPU, float32"),
        Figure("pairs_over_cpu", found["cuda"] / found["cpu"], "×"),
    ]


def main() -> int:
    """Measure and save."""
    if not torch.cuda.is_available():
        print("torch sees no NVIDIA GPU here, and nothing was measured", file=sys.stderr)
        return 2
    texts = texts_of(_TEXTS)
    found = encoders(texts) + cross_encoder(texts[:_PAIRS])
    for figure in found:
        print(f"{figure.key}: {figure.value:.5g} {figure.unit}")
    print(save("gpu", found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
