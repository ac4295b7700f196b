"""The main job, end to end: clicks in, recommendations out, measured. In the order of what happens."""

from collections.abc import Callable
from typing import Any

from rich.console import Console

from encoder.identity import encoder_id
from streams.clock import monotonic_seconds, sleep_seconds
from streams.contracts import Event
from streams.kafka import is_embedded
from streams.settings import Settings, load_settings
from streams.settings.kafka import LoopSettings
from streams.settings.state import RatingScale
from streams.settings.variables import variable_of
from workers.datasets import Dataset, load_dataset
from workers.demo.by_hand import show_commands
from workers.demo.catalogue import load_catalogue
from workers.demo.console import Screen
from workers.demo.examples import show_examples
from workers.demo.fit import check_fit
from workers.demo.gauges import gauge
from workers.demo.numbers import freshness
from workers.demo.options import DemoOptions
from workers.demo.plan import plan, replay_length
from workers.demo.processes import Processes
from workers.demo.replay import Replay
from workers.demo.stream import Stream
from workers.demo.summary import Summary, Versus, installed_versions
from workers.demo.topics import prepare_topics, rejected_count
from workers.publisher import Publisher
from workers.slates import Slates
from workers.train import train_and_announce

WORKERS = ("state", "embedding", "ranking", "feedback")
_START_SECONDS = 120.0
_EMBEDDING_BATCH = "64"
"""Items that the embedding worker finishes at once: few, so that the progress bar moves."""


def run(options: DemoOptions, settings: Settings, finished: Callable[[Summary], None], page: Console) -> None:
    """Run the demo and stop everything that it started.

    Summary and examples are printed on `page`; `finished` takes the summary too, before `keep_running` waits.

    Raises:
        Fatal: the data does not fit, a process died, or the broker cannot be used.
    """
    started_at = monotonic_seconds()
    screen = Screen()
    dataset = load_dataset(options.dataset)
    newest = replay_length(options.events, len(dataset.events))
    given = settings.kafka.bootstrap_servers
    embedded = not given or is_embedded(settings)
    if embedded:
        check_fit(dataset.events, newest, dataset.items)
    older, history, replayed = plan(dataset.events, newest)
    encoder = encoder_id(settings.encoder)

    with Processes(options.directory, options.restart_workers) as processes:
        address = given or processes.start_broker()
        screen.step(1, f"Broker: {'embedded, in memory,' if embedded else 'Kafka'} at {address}")
        settings = _settings(address, dataset)

        screen.step(2, "Topics")
        prepare_topics(settings, encoder, options.reset_topics)
        rejected_before = rejected_count(settings, encoder)

        screen.step(3, f"Workers: {', '.join(WORKERS)}; logs in {options.directory}")
        for name in WORKERS:
            processes.start_worker(name, _environment(name, settings))

        screen.step(4, f"Catalogue: {len(dataset.items):,} items of {dataset.name}, each encoded once")
        publisher = Publisher(settings)
        with screen.bar("vectors", len(dataset.items), processes.check) as advance:
            load_catalogue(settings, publisher, dataset.items, encoder, advance)

        screen.step(5, f"Model: trained on the {len(older):,} older events")
        with screen.bar("epochs", settings.training.most_epochs, processes.check) as advance:
            model = train_and_announce(settings, older, lambda epoch: advance(epoch.number))
        for name in WORKERS:
            processes.wait_ready(name, _START_SECONDS)
        processes.wait_until(lambda: _serves(processes, model.version), "the new model serves", _START_SECONDS)

        slates = Slates(settings)
        stream = Stream(publisher, slates, processes.check)
        screen.step(6, f"History: {len(history):,} older events of the users who come back")
        with screen.bar("users", len({event.user_id for event in history}), processes.check) as advance:
            stream.send_history(history, advance)

        screen.step(7, f"Replay: the newest {newest:,} events, {options.sessions} users at once")
        for event in older:
            stream.scores.learn(event)
        schedule = Replay([event.user_id for event in replayed], options.sessions, rate=options.rate)
        with screen.live() as show:
            stream.replay(replayed, schedule, show)

        screen.step(8, "Drain: until the slate of every user answers their last event")
        stream.drain()

        screen.step(9, "Summary\n")
        scores = stream.scores
        summary = Summary(
            events=schedule.sent,
            rejected=rejected_count(settings, encoder) - rejected_before,
            unanswered=schedule.unanswered,
            recommendations=slates.read_count,
            users=stream.users,
            users_up_to_date=stream.users_up_to_date,
            items_indexed=_indexed(processes, "items"),
            user_vectors_indexed=_indexed(processes, "users"),
            freshness_seconds=freshness(stream.freshness_seconds),
            hit_rate_at_10=Versus(scores.headrace.hit_rate_at_10, scores.popularity.hit_rate_at_10),
            ndcg_at_10=Versus(scores.headrace.ndcg_at_10, scores.popularity.ndcg_at_10),
            events_per_second=round(schedule.sent / stream.replay_seconds, 1),
            wall_seconds=round(monotonic_seconds() - started_at, 1),
            broker="embedded" if embedded else address,
            encoder=encoder,
            model=model.version,
            versions=installed_versions(),
        )
        summary.show(page)
        show_examples(page, replayed, dataset.items, slates.newest)
        _keep_metrics(processes, options, page)
        finished(summary)
        if options.keep_running:
            _stay(processes, page, address, replayed[-1])


def _settings(address: str, dataset: Dataset) -> Settings:
    overrides: dict[str, Any] = {"kafka": {"bootstrap_servers": address}}
    # A user's own folder says nothing of its scale; then the settings do.
    if dataset.rating_scale != RatingScale():
        overrides["state"] = {"rating_scale": dataset.rating_scale.model_dump()}
    return load_settings(**overrides)


def _environment(worker: str, settings: Settings) -> dict[str, str]:
    """Return what a worker must be told to run with the same settings."""
    environment = {
        variable_of("kafka.bootstrap_servers"): settings.kafka.bootstrap_servers,
        variable_of("state.rating_scale.low"): str(settings.state.rating_scale.low),
        variable_of("state.rating_scale.high"): str(settings.state.rating_scale.high),
    }
    if worker == "embedding" and settings.loop.batch_records == LoopSettings().batch_records:
        environment[variable_of("loop.batch_records")] = _EMBEDDING_BATCH
    return environment


def _serves(processes: Processes, model_version: str) -> bool:
    metrics = processes.get("ranking", "/metrics") or ""
    return gauge(metrics, "headrace_ranking_model_info", version=model_version) == 1


def _indexed(processes: Processes, index: str) -> int:
    return int(gauge(processes.get("ranking", "/metrics") or "", "headrace_index_vectors", index=index) or 0)


def _keep_metrics(processes: Processes, options: DemoOptions, page: Console) -> None:
    """Print where the metrics are; keep a copy, because the workers are about to end."""
    page.print("\nMetrics", style="bold")
    for name in WORKERS:
        copy = options.directory / f"{name}.metrics.txt"
        copy.write_text(processes.get(name, "/metrics") or "")
        page.print(f"  {name}: {copy}", f"(live at {processes.url(name)})" if options.keep_running else "")


def _stay(processes: Processes, page: Console, address: str, last: Event) -> None:
    show_commands(page, address, last.user_id, last.item_id or "1")
    try:
        while True:
            processes.check()
            sleep_seconds(0.5)
    except KeyboardInterrupt:
        return
