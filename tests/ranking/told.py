"""What topics tell a ranking worker's world, without a broker."""

from pathlib import Path
from typing import ClassVar

from streams.settings import Settings
from streams.topics import MODELS
from streams.transform import Apply
from workers.ranking.model.bundle import Bundle
from workers.ranking.registry import announcement


class Topics:
    """Stands for `WholeTopic`: what a test wrote, from the beginning at each rewind."""

    written: ClassVar[dict[str, list[tuple[bytes, bytes | None]]]] = {}

    def __init__(self, _: Settings, topic: str, apply: Apply, *, gathers: bool = False) -> None:
        self._topic, self._apply = topic, apply
        self.offsets, self.newest_seconds = [0], 0.0

    @property
    def caught_up(self) -> bool:
        return self.offsets[0] >= len(self.written[self._topic])

    def poll(self, most: int) -> int:
        records = self.written[self._topic][self.offsets[0] :][:most]
        for record in records:
            self._apply(0, *record)
        self.offsets[0] += len(records)
        return len(records)

    def rewind(self) -> None:
        self.offsets = [0]

    def close(self) -> None:
        """Nothing is open."""


def announced(bundle: Bundle, directory: Path) -> Bundle:
    """Save the bundle there and let it serve; return it as saved."""
    saved = bundle.save(directory)
    Topics.written[MODELS] += announcement(saved, directory.as_uri(), Settings().ranking.model_name)
    return saved
