"""The user's own data: a folder with `items.jsonl` and `events.jsonl`, one message a line."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from streams.codec import UNREADABLE, decode_event, decode_item
from streams.contracts import Item
from streams.errors import DataError
from streams.settings.state import RatingScale
from workers.datasets.contract import Dataset, in_replay_order

ITEMS_FILE = "items.jsonl"
EVENTS_FILE = "events.jsonl"

Message = TypeVar("Message")


def load(folder: Path) -> Dataset:
    """Return the data set in `folder`; lines are `catalog.items.v1` and `clickstream.events.v1` messages.

    Raises:
        DataError: a file is missing or a line is wrong; the sentence names file, line and reason.
    """
    items: dict[str, Item] = {}
    for number, item in _lines(folder / ITEMS_FILE, decode_item):
        if item.item_id in items:
            raise _wrong_line(folder / ITEMS_FILE, number, f"item_id {item.item_id!r} came before")
        items[item.item_id] = item
    events = in_replay_order(event for _, event in _lines(folder / EVENTS_FILE, decode_event))
    return Dataset(str(folder), tuple(items.values()), events, RatingScale())


def _lines(path: Path, decode: Callable[[bytes], Message]) -> Iterator[tuple[int, Message]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    try:
                        yield number, decode(line)
                    except UNREADABLE as error:
                        raise _wrong_line(path, number, str(error)) from None
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}.",
            f"the folder needs {ITEMS_FILE} and {EVENTS_FILE}, readable by this user.",
        ) from None


def _wrong_line(path: Path, number: int, reason: str) -> DataError:
    return DataError(f"{path}, line {number}: {reason}.", "correct or remove that line.")
