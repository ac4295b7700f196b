"""Rows in inverted lists, 8 bits a number: the structure of a large main tier.

`IVF,SQ8` found 95 % of the hundred nearest of 100,000 vectors of 384 numbers in 0.59 ms, where comparing all
took 5.3 (one core). The float32 rows stay beside it or are looked up: candidates are scored again from them, so
that a score is the exact inner product and does not move when compaction carries a row from one tier to another.
"""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, NamedTuple, Self

import faiss
import numpy as np
import numpy.typing as npt

from index.contract import Keys, Vectors
from index.filling import Assigned, assigned_in, fill
from index.looked_up import Rowed
from index.tombstones import Rows

_ROWS_A_LIST = 39
"""FAISS's own least number of training rows a list."""
_TRAINED_ON_A_LIST = 64
_ROUNDS = 6
"""FAISS's own 256 rows a list and 10 rounds took 2.0 to 2.6 times the CPU at 100,000 rows, for the same recall: 15
lists of 1,024 to probe where rows lie in clusters, 535 instead of 546 where they lie in none."""
_REFITS = 2
"""Trained lists serve until there are this many times more or fewer rows, or more lists to probe."""
_CALIBRATION_QUERIES = 200
_CALIBRATION_NEIGHBOURS = 100
_STEP = 20
"""A twentieth more lists are probed at a time where 8 bits lose too many neighbours."""
_CHUNK_ROWS = 65_536
"""Rows that are copied at once out of the matrix in which they are looked up."""


class TrainedLists(NamedTuple):
    """Lists without rows: what training gives, small enough to travel with a model.

    Attributes:
        index: the trained, empty FAISS index.
        rows: that it was trained for.
        probes: lists to probe for the recall target when they were filled with those rows.
        assigned: gives the list that each key's vector belongs in, int32 by key, and `UNASSIGNED` where that has
            to be searched for; None where it has to be for all. Does not travel.
    """

    index: Any
    rows: int
    probes: int
    assigned: Callable[[], Assigned] | None = None

    @property
    def lists(self) -> int:
        """Return how many lists there are."""
        count: int = self.index.nlist
        return count

    def assigned_to(self, keys: Keys) -> Assigned | None:
        """Return the lists of `keys`, int64 (n,), as `fill` takes them."""
        return None if self.assigned is None else self.assigned()[keys]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the lists as arrays by name; `of_arrays` takes them. FAISS's own format, no pickle."""
        return {"faiss": faiss.serialize_index(self.index), "facts": np.array([self.rows, self.probes], np.int64)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return what `arrays` was asked of; FAISS reads nearly any bytes, so check a sum of them before."""
        rows, probes = arrays["facts"].tolist()
        return cls(faiss.deserialize_index(arrays["faiss"]), rows, probes)


class InvertedLists:
    """FAISS's `IndexIVFScalarQuantizer`, by inner product; probes as many lists as the target needs."""

    def __init__(
        self, vectors: Rowed, trained: Any, recall_target: float, assigned: Assigned | None = None
    ) -> None:
        """Fill a trained, empty FAISS index with vectors, float32 (rows, dimension), and calibrate it.

        Args:
            assigned: as `fill` takes it.
        """
        self._vectors = vectors
        self._index = faiss.clone_index(trained)
        for start in range(0, len(vectors), _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            fill(self._index, vectors[chunk], None if assigned is None else assigned[chunk])
        self._index = faiss.clone_index(self._index)  # without the room that its lists have grown to
        self._lists: int = trained.nlist
        self.probes = self._calibrated(recall_target)
        self.trained = TrainedLists(trained, len(vectors), self.probes)

    @classmethod
    def built(
        cls,
        vectors: Rowed,
        recall_target: float,
        before: TrainedLists | None = None,
        assigned: Assigned | None = None,
    ) -> "InvertedLists":
        """Return lists over vectors, trained anew unless those of `before` still fit.

        Training 100,000 rows of 64 numbers takes 1.1 CPU seconds, filling them .5; so a compaction usually only
        fills. New
        topics make old lists worse (recall .95 → .80 at worst), which shows as more lists to probe.

        Args:
            assigned: int32 (rows,), the list of `before` that each vector belongs in; as `fill` takes it.
        """
        if before is not None and 1 / _REFITS <= len(vectors) / before.rows <= _REFITS:
            filled = cls(vectors, before.index, recall_target, assigned)
            if filled.probes <= _REFITS * before.probes:
                filled.trained = before
                return filled
        return cls(vectors, _train(vectors), recall_target)

    @property
    def vectors(self) -> Rowed:
        """Return the rows as they came, float32 (rows, dimension)."""
        return self._vectors

    @property
    def assigned(self) -> Assigned:
        """Return the list that each row lies in, int32 (rows,)."""
        return assigned_in(self._index)

    def search(self, queries: Vectors, k: int, selector: Any, findable: int) -> tuple[Vectors, Rows]:
        """Return the nearest rows; see `Structure.search`.

        Queries whose probed lists hold fewer than min(k, `findable`) rows are searched again in all lists.
        """
        width = min(k, len(self._vectors))
        scores, rows = self._search(queries, width, selector, self.probes)
        short = np.flatnonzero((rows >= 0).sum(axis=1) < min(width, findable))
        if len(short):
            scores[short], rows[short] = self._search(queries[short], width, selector, self._lists)
        return scores, rows

    def _search(self, queries: Vectors, width: int, selector: Any, probes: int) -> tuple[Vectors, Rows]:
        # A tenth more than asked for, because 8 bits swap near neighbours at the cut.
        fetched = min(width + width // 10 + 8, len(self._vectors))
        parameters = faiss.SearchParametersIVF(sel=selector, nprobe=probes)
        _, coarse = self._index.search(queries, fetched, params=parameters)
        scores = np.full((len(queries), width), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), width), -1, dtype=np.int64)
        for position, query in enumerate(queries):
            found = coarse[position][coarse[position] >= 0]
            exact = self._vectors[found] @ query
            best = np.argsort(-exact, kind="stable")[:width]
            scores[position, : len(best)] = exact[best]
            rows[position, : len(best)] = found[best]
        return scores, rows

    def _calibrated(self, recall_target: float) -> int:
        """Return the fewest lists to probe for the target, or all of them if even those miss it."""
        generator = np.random.default_rng(0)
        # Sums of three rows lie between clusters, as users do, and are harder than the rows themselves.
        mixed = generator.integers(len(self._vectors), size=(_CALIBRATION_QUERIES, 3))
        queries = np.ascontiguousarray(self._vectors[mixed].sum(axis=1))
        neighbours = min(_CALIBRATION_NEIGHBOURS, len(self._vectors))
        truth, nearest = _nearest(queries, self._vectors, neighbours)
        # By score and not by row, so that equal vectors count alike; the slack is float32 rounding.
        enough = truth[:, -1:] - 1e-5 * np.abs(truth[:, -1:])

        def recall(probes: int) -> float:
            scores, _ = self._search(queries, neighbours, None, probes)
            return float((scores >= enough).mean())

        # How many lists are nearer to a query than that of a neighbour says how many have to be probed for it.
        order = self._index.quantizer.search(queries, self._lists)[1]
        lists = self._index.quantizer.search(self._vectors[nearest.ravel()], 1)[1].reshape(nearest.shape)
        needed = np.sort(np.take_along_axis(np.argsort(order, axis=1), lists, axis=1), axis=None) + 1
        probes = int(needed[ceil(recall_target * needed.size) - 1])
        while probes < self._lists and recall(probes) < recall_target:
            probes = min(probes + max(1, probes // _STEP), self._lists)
        return probes


def _nearest(queries: Vectors, vectors: Rowed, k: int) -> tuple[Vectors, Rows]:
    """Return inner products and rows of the k nearest, (n, k), best first; compares all rows."""
    scores, rows = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
    for start in range(0, len(vectors), _CHUNK_ROWS):
        chunk = vectors[start : start + _CHUNK_ROWS]
        more, places = faiss.knn(queries, chunk, min(k, len(chunk)), metric=faiss.METRIC_INNER_PRODUCT)
        scores, rows = np.hstack([scores, more]), np.hstack([rows, places + start])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        scores, rows = np.take_along_axis(scores, best, axis=1), np.take_along_axis(rows, best, axis=1)
    return scores, rows


def _train(vectors: Rowed) -> Any:
    """Return a trained, empty FAISS index for about as many rows as `vectors` has."""
    rows = len(vectors)
    # The power of two next to 4√n: 1,024 lists at 100,000 rows and 4,096 at a million, the best measured.
    lists = max(1, min(2 ** round(np.log2(4 * np.sqrt(rows))), rows // _ROWS_A_LIST))
    drawn = np.random.default_rng(0).permutation(rows)[: _TRAINED_ON_A_LIST * lists]
    sample = np.ascontiguousarray(vectors[np.sort(drawn)])
    dimension = sample.shape[1]
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dimension),
        dimension,
        lists,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.cp.max_points_per_centroid, index.cp.niter = _TRAINED_ON_A_LIST, _ROUNDS
    index.train(sample)
    return index
