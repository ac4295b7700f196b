"""A data set by its name, or by the path of the user's own folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from streams.errors import DataError
from workers.datasets import files, movielens, sample
from workers.datasets.contract import Dataset

_NAMED: Final[dict[str, Callable[[], Dataset]]] = {
    movielens.NAME: movielens.load,
    sample.NAME: sample.load,
}


def load_dataset(name_or_path: str) -> Dataset:
    """Return a data set.

    Args:
        name_or_path: `sample` (made up, at once), `movielens-100k` (downloaded the first time, 2 MB),
            or a folder with `items.jsonl` and `events.jsonl`.

    Raises:
        DataError: there is no such data set, or it cannot be read or downloaded.
    """
    if named := _NAMED.get(name_or_path):
        return named()
    if (folder := Path(name_or_path).expanduser()).is_dir():
        return files.load(folder)
    raise DataError(
        f"There is no data set {name_or_path!r}.",
        f"name a folder with items.jsonl and events.jsonl, or one of: {', '.join(sorted(_NAMED))}.",
    )
