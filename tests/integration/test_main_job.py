"""The main job on the generated sample, workers as separate processes, on the embedded broker and real Kafka."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from encoder.identity import encoder_id
from streams.contracts import Answer, Event, EventType, Item, Reason, RecommendedItem
from streams.kafka import producer
from streams.privacy.requests import await_receipts, request_erasure
from streams.provision import create_topics
from streams.reading import read_to_end
from streams.settings import load_settings
from streams.settings.variables import variable_of
from streams.topics import CLICKSTREAM, RECOMMENDATIONS, USER_STATE, USER_VECTORS, dead_letters
from tests.integration.poison import BAD
from tests.integration.service import SECONDS, Service
from workers.asking import ask, request_of
from workers.cli.explain import explain
from workers.datasets.sample import load, planted_theme, theme_of
from workers.demo.catalogue import load_catalogue
from workers.demo.processes import Processes
from workers.publisher import Publisher
from workers.train import train_and_announce

pytestmark = [pytest.mark.processes, pytest.mark.timeout(1_500)]
WORKERS = ("state", "embedding", "ranking", "feedback")
TRAINING = {"epochs": 6, "width": 32}


@pytest.fixture
def service(broker: str, tmp_path: Path) -> Iterator[Service]:
    """Yield the whole service with a model that was trained on the older half of the sample."""
    dataset = load()
    settings = load_settings(
        kafka={"bootstrap_servers": broker, "group_prefix": tmp_path.name},
        training={**TRAINING, "directory": str(tmp_path / "models")},
    )
    encoder = encoder_id(settings.encoder)
    create_topics(settings, encoder)
    environment = {
        variable_of("kafka.bootstrap_servers"): broker,
        variable_of("kafka.group_prefix"): tmp_path.name,
        variable_of("state.trend_context"): "country",
    }
    with Processes(tmp_path, restart_workers=False) as processes:
        for name in WORKERS:
            processes.start_worker(name, environment)
        load_catalogue(settings, Publisher(settings), dataset.items, encoder, lambda _: processes.check())
        train_and_announce(settings, dataset.events[: len(dataset.events) // 2], lambda _: None)
        for name in WORKERS:
            processes.wait_ready(name, SECONDS)
        yield Service(settings, processes, dataset)


def test_clicks_become_slates_that_follow_tastes_and_catalogue_and_no_bad_byte_is_lost(
    service: Service,
) -> None:
    _planted_tastes_are_found(service)
    _a_user_without_history_gets_popular_items_and_is_told_so(service)
    _a_slate_is_explained_as_it_was_published(service)
    _a_request_in_words_is_answered_by_what_they_mean(service)
    _what_rises_reaches_a_user_without_history(service)
    _what_rises_in_a_country_reaches_its_newcomers_by_event_and_by_request(service)
    _withdrawn_items_leave_the_standing_slates(service)
    _bad_bytes_arrive_whole_in_the_dead_letter_topic(service)
    _an_erased_user_leaves_everywhere_and_starts_from_nothing(service)


def _planted_tastes_are_found(service: Service) -> None:
    newer = list(service.dataset.events[-1_500:])
    service.send(newer)
    users = {event.user_id for event in newer}
    fits = [theme_of(item) == planted_theme(user) for user in users for item in service.items_of(user)]
    assert len(fits) > 5 * len(users)
    assert sum(fits) / len(fits) > 0.5, "one of eight themes would be right by chance in .125"


def _a_user_without_history_gets_popular_items_and_is_told_so(service: Service) -> None:
    service.send([_event("stranger", EventType.SEARCH, None)])
    slate = service.newest("stranger")
    assert slate is not None
    assert len(slate.items) == service.settings.ranking.slate_length
    for item in slate.items:
        codes = {why.code for why in item.reasons}
        assert "no_history" in codes
        assert codes & {"popular", "trending"}


def _what_rises_reaches_a_user_without_history(service: Service) -> None:
    taken = Counter(event.item_id for event in service.dataset.events)
    rare = min((item.item_id for item in service.dataset.items), key=lambda item: taken[item])
    newest = max(event.event_time for event in service.dataset.events)
    clicks = [_event(f"fan{number}", EventType.CLICK, rare) for number in range(60)]
    service.send([msgspec.structs.replace(click, event_time=newest) for click in clicks])

    asked = 0

    def told() -> bool:
        # The way of a trend is longer than that of a click: ask again until it has come.
        nonlocal asked
        slate = service.newest(f"newcomer{asked}")
        if slate is None and asked:
            return False
        if slate is not None and any(_trends(item, rare) for item in slate.items):
            return True
        asked += 1
        service.publisher.event(_event(f"newcomer{asked}", EventType.SEARCH, None), lambda *_: None)
        service.publisher.flush()
        return False

    service.until(told)


def _what_rises_in_a_country_reaches_its_newcomers_by_event_and_by_request(service: Service) -> None:
    taken = Counter(event.item_id for event in service.dataset.events)
    _, rare = sorted((item.item_id for item in service.dataset.items), key=lambda item: taken[item])[:2]
    newest = max(event.event_time for event in service.dataset.events)
    clicks = [_event(f"dutch{number}", EventType.CLICK, rare, "NL") for number in range(30)]
    service.send([msgspec.structs.replace(click, event_time=newest) for click in clicks])

    def asked(country: str) -> Answer:
        # The ordinary slate of somebody who was never heard of.
        request = request_of(f"visitor from {country}", context={"country": country})
        answer = ask(service.settings, request, SECONDS)
        assert answer is not None
        return answer

    def rises(items: Iterable[RecommendedItem]) -> bool:
        return any(_trends(item, rare, "NL") for item in items)

    service.until(lambda: rises(asked("NL").items))
    assert not rises(asked("DE").items)
    service.send([_event(f"from {country}", EventType.SEARCH, None, country) for country in ("NL", "DE")])
    here, there = service.newest("from NL"), service.newest("from DE")
    assert here is not None
    assert rises(here.items)
    assert there is not None
    assert {why.context for item in there.items for why in item.reasons} == {None}


def _trends(item: RecommendedItem, item_id: str, context: str | None = None) -> bool:
    wanted = {Reason("no_history"), Reason("trending", context=context)}
    return item.item_id == item_id and wanted <= {*item.reasons}


def _a_slate_is_explained_as_it_was_published(service: Service) -> None:
    user = service.dataset.events[-1].user_id
    command = typer.Typer()
    command.command()(explain)
    arguments = [user, "--bootstrap-servers", service.settings.kafka.bootstrap_servers]
    answer = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False).stdout
    told = json.loads(answer.splitlines()[-1])  # logging is the whole command line's to set up
    slate = service.newest(user)
    assert slate is not None
    assert [item["item_id"] for item in told["items"]] == service.items_of(user)
    assert told["as_published"]
    own = {event.item_id for event in service.dataset.events if event.user_id == user}
    visits = {event.session_id for event in service.dataset.events[-1_500:] if event.user_id == user}
    assert told["sessions"] == len(visits)
    assert 1 <= told["newest_session_events"] <= told["known_events"]
    for item, published in zip(told["items"], slate.items, strict=True):
        assert item["score"] == pytest.approx(published.score, abs=1e-4)
        assert item["events"]
        assert {event["item_id"] for event in item["events"]} <= own
    text = CliRunner().invoke(command, arguments, catch_exceptions=False).stdout
    assert all(item["events"][0]["words"] in text for item in told["items"])
    nobody = CliRunner().invoke(command, ["not there", *arguments[1:]])
    assert nobody.exit_code == 1


def _a_request_in_words_is_answered_by_what_they_mean(service: Service) -> None:
    wanted = service.dataset.items[-1]
    standing = service.newest("stranger")
    for user in (service.dataset.events[-1].user_id, "stranger"):
        request = request_of(user, wanted.title, length=5, include_seen=True)
        answer = ask(service.settings, request, SECONDS)
        assert answer is not None
        assert (answer.request_id, answer.user_id, answer.query) == (request.request_id, user, request.query)
        assert wanted.item_id in [item.item_id for item in answer.items]
        assert len(answer.items) == 5
        fits = [theme_of(item.item_id) == theme_of(wanted.item_id) for item in answer.items]
        assert sum(fits) >= 3, "one of eight themes would be right by chance in .125"
    service.slates.read(0.5)
    assert service.newest("stranger") == standing


def _withdrawn_items_leave_the_standing_slates(service: Service) -> None:
    held = [item for user in service.slates.newest for item in service.items_of(user)]
    deleted, sold_out = sorted(set(held), key=held.count)[-2:]
    by_id = {item.item_id: item for item in service.dataset.items}
    service.publisher.delete_item(deleted)
    gone = by_id[sold_out]
    service.publisher.item(Item(item_id=gone.item_id, title=gone.title, available=False))
    service.publisher.flush()
    users = list(service.slates.newest)

    def left() -> bool:
        return not any({deleted, sold_out} & set(service.items_of(user)) for user in users)

    service.until(left)
    assert all(service.items_of(user) for user in users)


def _bad_bytes_arrive_whole_in_the_dead_letter_topic(service: Service) -> None:
    client = producer(service.settings)
    for number, value in enumerate(BAD):
        client.produce(CLICKSTREAM, key=f"bad{number}", value=value, headers={"trace": b"\x00\x01"})
    client.produce(CLICKSTREAM, key="tombstone", value=None)
    client.flush(30)
    service.send([_event("after", EventType.VIEW, service.dataset.items[0].item_id)])
    letters: dict[bytes, bytes | None] = {}

    def complete() -> bool:
        read_to_end(
            service.settings,
            dead_letters(CLICKSTREAM),
            range(4),
            lambda _, key, value: letters.__setitem__(key, value),
        )
        return len(letters) == len(BAD) + 1

    service.until(complete)
    assert letters == {b"tombstone": None} | {f"bad{n}".encode(): value for n, value in enumerate(BAD)}


def _an_erased_user_leaves_everywhere_and_starts_from_nothing(service: Service) -> None:
    user = service.dataset.events[-1].user_id
    settings, key = service.settings, user.encode()
    assert service.items_of(user)
    request = request_erasure(settings, user)
    receipts = await_receipts(settings, request, ("state", "ranking"), SECONDS)
    assert [receipt.worker for receipt in receipts] == ["state", "ranking"]
    cleared = {each.what for receipt in receipts for each in receipt.cleared}
    assert {USER_STATE, USER_VECTORS, RECOMMENDATIONS} <= cleared
    for topic in (USER_STATE, USER_VECTORS, RECOMMENDATIONS):
        newest: dict[bytes, bytes | None] = {}
        read_to_end(settings, topic, range(4), partial(_keep, newest))
        assert newest[key] is None, topic
    service.until(lambda: service.newest(user) is None)
    service.send([_event(user, EventType.SEARCH, None)])
    slate = service.newest(user)
    assert slate is not None
    assert all("no_history" in {why.code for why in item.reasons} for item in slate.items)


def _keep(newest: dict[bytes, bytes | None], _: int, key: bytes, value: bytes | None) -> None:
    newest[key] = value


def _event(user_id: str, kind: EventType, item_id: str | None, country: str | None = None) -> Event:
    now = datetime.now(UTC)
    query = "something new" if kind is EventType.SEARCH else None
    return Event(
        event_id=f"{user_id}-{json.dumps(kind)}-{now.timestamp()}",
        event_type=kind,
        user_id=user_id,
        item_id=item_id,
        event_time=now,
        query=query,
        context={"country": country},
    )
