"""Users by the vector that one model gives their history: who is like whom, and what those users liked."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from index.compaction import Turns
from index.live import LiveIndex
from streams.contracts import UserVector
from streams.settings.ranking import IndexSettings
from workers.ranking.catalogue import Catalogue, Rows
from workers.ranking.id_rows import IdRows
from workers.ranking.row_lists import RowLists

Vectors = npt.NDArray[np.float32]


class Lookalikes:
    """The users' index of one model version. Vectors of other versions are passed over.

    Filled from the topic's beginning and indexed at once when its end is reached (`complete`): a million users
    that came by the thousand would be indexed again and again. Until then nobody is like anybody.

    Args:
        catalogue: gives liked items their rows; an item that it does not know yet is left out.
        turns: when the index may be laid out anew; None is at any time.
    """

    def __init__(
        self,
        model_version: str,
        width: int,
        catalogue: Catalogue,
        settings: IndexSettings,
        turns: Turns | None = None,
    ) -> None:
        self._turns = turns
        self._model_version = model_version
        self._width = width
        self._catalogue = catalogue
        self._settings = settings
        self._index: LiveIndex | None = None
        self._unindexed: Vectors = np.zeros((0, width), np.float32)  # by key, until `complete`
        self._keys = IdRows()
        self._liked = RowLists()

    def __len__(self) -> int:
        """Return the users that are held."""
        return len(self._keys)

    def apply(self, changes: Sequence[tuple[str, UserVector | None]]) -> None:
        """Apply what the topic of user vectors brought, in its order; None forgets a user."""
        newest = dict(changes)
        gone = [
            key for user_id, found in newest.items() if found is None and (key := self._keys.forget(user_id)) >= 0
        ]
        fits = [found for found in newest.values() if found is not None and self._fits(found)]
        keys = np.array([self._keys.give(found.user_id) for found in fits], np.int64)
        vectors = np.frombuffer(b"".join(found.vector for found in fits), np.dtype("<f4")).reshape(-1, self._width)
        for key in gone:
            self._liked.put(key, ())  # nothing of an erased user stays
        rows = self._catalogue.rows_or_minus_one([item_id for found in fits for item_id in found.liked])
        owners = np.repeat(np.arange(len(fits)), [len(found.liked) for found in fits])[rows >= 0]
        self._liked.put_all(keys, np.bincount(owners, minlength=len(fits)), rows[rows >= 0])
        if self._index is None:
            missing = int(keys.max(initial=-1)) + 1 - len(self._unindexed)
            if missing > 0:  # doubled: one large block goes back to the system whole, which many small ones do not
                more = max(missing, len(self._unindexed))
                self._unindexed = np.pad(self._unindexed, ((0, more), (0, 0)))
            self._unindexed[keys] = vectors
        else:
            self._index.remove(gone)
            self._index.upsert(keys, vectors)

    def complete(self) -> None:
        """Index what was applied; from now on each `apply` is found at once."""
        if self._index is None:
            keys = self._keys.held()
            vectors, self._unindexed = self._unindexed[keys], self._unindexed[:0].copy()
            self._index = LiveIndex.built(
                keys, vectors, self._settings, name="users", at_once=True, turns=self._turns
            )

    def liked_by_like(self, user_ids: Sequence[str], vectors: Vectors, users: int) -> list[Rows]:
        """Return, for each user, the rows that the `users` users nearest to them liked, int64.

        Args:
            vectors: float32 (n, width), unit length.
        """
        if self._index is None or not len(self._index) or users == 0:
            return [np.zeros(0, np.int64)] * len(user_ids)
        found = self._index.search(vectors, users + 1)  # one more: a user is their own nearest
        answer = []
        for user_id, keys in zip(user_ids, found.keys, strict=True):
            others = keys[(keys >= 0) & (keys != self._keys.row(user_id))][:users]
            liked = self._liked.matrix[others].ravel()
            answer.append(liked[liked >= 0].astype(np.int64))
        return answer

    def close(self) -> None:
        """Stop the index's thread."""
        if self._index is not None:
            self._index.close()

    def _fits(self, found: UserVector) -> bool:
        return found.model_version == self._model_version and len(found.vector) == 4 * self._width
