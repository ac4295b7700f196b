"""Users by the vector that one model gives their history: who is like whom, and what those users liked."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from index.live import LiveIndex
from streams.contracts import UserVector
from streams.settings.ranking import IndexSettings

Vectors = npt.NDArray[np.float32]


class Lookalikes:
    """The users' index of one model version. Vectors of other versions are passed over."""

    def __init__(self, model_version: str, width: int, settings: IndexSettings) -> None:
        self._model_version = model_version
        self._width = width
        self._index = LiveIndex(width, settings, name="users")
        self._keys: dict[str, int] = {}
        self._liked: dict[int, tuple[str, ...]] = {}
        self._next = 0

    def __len__(self) -> int:
        """Return the users that are held."""
        return len(self._index)

    def apply(self, changes: Sequence[tuple[str, UserVector | None]]) -> None:
        """Apply what the topic of user vectors brought, in its order; None forgets a user."""
        newest = dict(changes)
        gone = [self._forget(user_id) for user_id, found in newest.items() if found is None]
        self._index.remove([key for key in gone if key is not None])
        fits = [found for found in newest.values() if found is not None and self._fits(found)]
        if fits:
            keys = [self._key(found.user_id) for found in fits]
            vectors = np.stack([np.frombuffer(found.vector, np.dtype("<f4")) for found in fits])
            self._index.upsert(keys, vectors)
            self._liked.update(zip(keys, (found.liked for found in fits), strict=True))

    def liked_by_like(self, user_ids: Sequence[str], vectors: Vectors, users: int) -> list[list[str]]:
        """Return, for each user, the liked items of the `users` users nearest to them.

        Args:
            vectors: float32 (n, width), unit length.
        """
        if not len(self._index) or users == 0:
            return [[] for _ in user_ids]
        found = self._index.search(vectors, users + 1)  # one more: a user is their own nearest
        answer = []
        for user_id, keys in zip(user_ids, found.keys.tolist(), strict=True):
            own = self._keys.get(user_id, -1)
            others = [key for key in keys if key not in (own, -1)][:users]
            answer.append([item for key in others for item in self._liked.get(key, ())])
        return answer

    def close(self) -> None:
        """Stop the index's thread."""
        self._index.close()

    def _fits(self, found: UserVector) -> bool:
        return found.model_version == self._model_version and len(found.vector) == 4 * self._width

    def _key(self, user_id: str) -> int:
        if user_id not in self._keys:
            self._keys[user_id] = self._next
            self._next += 1
        return self._keys[user_id]

    def _forget(self, user_id: str) -> int | None:
        key = self._keys.pop(user_id, None)
        if key is not None:
            self._liked.pop(key, None)
        return key
