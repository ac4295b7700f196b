"""`make bench-observability`: what watching costs, how much is exported, and is all of it true on a live system?

Parts, each of which can be run alone (`ARGS=cost`, `series`, `live`, `feedback`): the first two need nothing, the
others a real Kafka, and `live` also Debian's Prometheus and Alertmanager.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from encoder.identity import encoder_id
from streams.settings import load_settings
from tests.bench import feedback
from tests.bench.report import Figure, save
from tests.bench.watching_cost import instrumentation_share
from tests.bench.watching_series import series_per_worker
from tests.dashboards.faults import BEFORE_ALL, FAULTS
from tests.dashboards.monitoring import MISSING, finite, installed
from tests.dashboards.scenario import play
from tests.dashboards.shop import Shop
from workers.demo.topics import delete_topics

PARTS = ("cost", "series", "live", "feedback")


def cost(smoke: bool) -> list[Figure]:
    """Return what the metrics cost the ranking worker."""
    share = instrumentation_share(batches=20 if smoke else 300)
    return [Figure("instrumentation_share", share, "of the processor time of a batch of 64 slates", "<= 0.02")]


def series(smoke: bool) -> list[Figure]:
    """Return how many series there are once everything has been at work."""
    items, users = (2_000, 10_000) if smoke else (100_000, 1_000_000)
    many = series_per_worker(items, users)
    most = max(many, key=many.__getitem__)
    found = [Figure("series_per_worker", many[most], f"series of the {most} worker", "<= 1500")]
    if not smoke:
        few = series_per_worker(1_000, 1_000)
        more = max(many[name] - few[name] for name in many)
        found.append(Figure("series_added_by_items_and_users", more, "series", "== 0"))
    return found


def live(kafka: str) -> list[Figure]:
    """Return what the live run of tests/integration/test_dashboards.py showed."""
    scraped: list[float] = []

    def after(running: Shop, started: float) -> None:
        scraped.extend(finite(running.monitoring.query("scrape_samples_scraped")))

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        outcome = play(kafka, Path(directory), after)
    for name, query in (outcome.silent | outcome.wrong).items():
        print(f"not as it should be: {name}: {query}")
    good = outcome.panels - len(outcome.silent.keys() | outcome.wrong.keys())
    listed = {alert for fault in FAULTS for alert in fault.alerts} | set(BEFORE_ALL)
    return [
        Figure("panels_with_live_data_share", good / outcome.panels, f"of {outcome.panels} panels", "== 1"),
        Figure("panels_unmoved_by_their_fault", len(outcome.unmoved), "panels", "== 0"),
        Figure("alerts_proven_live", len(outcome.proven & outcome.heard), "alerts", f"== {len(listed)}"),
        Figure("series_scraped_live", max(scraped), "series of one worker", "<= 1500"),
    ]


def chosen(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the parts to run."""
    named = tuple(part for part in PARTS if part in arguments)
    return named or PARTS


def main() -> None:
    """Measure and save; with `--smoke`, only show that the parts without a broker work, at small sizes."""
    smoke, parts = "--smoke" in sys.argv, chosen(sys.argv)
    offline: dict[str, Callable[[bool], list[Figure]]] = {"cost": cost, "series": series}
    for name, part in offline.items():
        if name in parts:
            _told(part(smoke), smoke)
    if smoke or not {"live", "feedback"} & set(parts):
        return
    with feedback.kafka() as address:
        if "live" in parts:
            if not installed():
                sys.exit(MISSING)
            _emptied(address)
            _told(live(address), smoke)
        if "feedback" in parts:
            _told(feedback.figures(address), smoke)


def _emptied(address: str) -> None:
    settings = load_settings(kafka={"bootstrap_servers": address})
    delete_topics(settings, encoder_id(settings.encoder))


def _told(figures: Sequence[Figure], smoke: bool) -> None:
    for figure in figures:
        print(f"{figure.key}: {figure.value:g} {figure.unit}", flush=True)
    if not smoke:
        save("observability", figures)


if __name__ == "__main__":
    main()
