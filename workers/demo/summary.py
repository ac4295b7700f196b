"""How the demo ends: one object for machines, one page for people."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import confluent_kafka
from rich.console import Console
from rich.table import Table

from workers.demo.console import milliseconds
from workers.demo.numbers import Freshness

_PACKAGES = (
    "headrace", "confluent-kafka", "faiss-cpu", "faiss-gpu", "msgspec", "sentence-transformers", "torch"
)  # fmt: skip


class Versus(NamedTuple):
    """One measure of accuracy, of the slates and of the baseline."""

    headrace: float
    popularity: float


class Summary(NamedTuple):
    """What one run of the demo measured; `--json` writes it under these names.

    Attributes:
        events: replayed.
        rejected: records in all dead-letter topics that this run put there.
        unanswered: replayed events whose slate had not been read after two seconds.
        recommendations: slates read from `recommendations.v1`, history included.
        users: in the replay.
        users_up_to_date: whose last slate's source is at or past their last event.
        items_indexed: item vectors that the ranking worker searches.
        user_vectors_indexed: user vectors that it searches for look-alikes.
        events_per_second: of the replay alone.
        wall_seconds: of the whole demo, from its start to this summary.
        broker: `embedded`, or the address of the Kafka that was used.
        model: version of the model that made the last slate.
    """

    events: int
    rejected: int
    unanswered: int
    recommendations: int
    users: int
    users_up_to_date: int
    items_indexed: int
    user_vectors_indexed: int
    freshness_seconds: Freshness
    hit_rate_at_10: Versus
    ndcg_at_10: Versus
    events_per_second: float
    wall_seconds: float
    broker: str
    encoder: str
    model: str
    versions: dict[str, str]

    def as_dict(self) -> dict[str, object]:
        """Return the object for machines."""
        nested = {
            name: value._asdict()
            for name, value in self._asdict().items()
            if isinstance(value, Freshness | Versus)
        }
        return {**self._asdict(), **nested}

    def show(self, console: Console) -> None:
        """Print the page for people."""
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", style="dim")
        table.add_column()
        fresh, hits, gain = self.freshness_seconds, self.hit_rate_at_10, self.ndcg_at_10
        for name, value in (
            (
                "clicks in",
                f"{self.events:,} events, {self.events_per_second:,.0f} a second, {self.rejected} rejected",
            ),
            ("slates out", f"{self.recommendations:,}, {self.unanswered} events unanswered after 2 s"),
            ("users", f"{self.users_up_to_date:,} of {self.users:,} up to date"),
            (
                "freshness",
                " · ".join(f"{name} {milliseconds(value)}" for name, value in fresh._asdict().items()),
            ),
            ("hit rate@10", f"{hits.headrace:.1%}, popularity {hits.popularity:.1%}"),
            ("NDCG@10", f"{gain.headrace:.4f}, popularity {gain.popularity:.4f}"),
            ("index", f"{self.items_indexed:,} items, {self.user_vectors_indexed:,} users"),
            ("model", f"{self.model}, encoder {self.encoder}"),
            ("broker", self.broker),
            ("took", f"{self.wall_seconds:.0f} s"),
        ):
            table.add_row(name, value)
        console.print(table)


def installed_versions() -> dict[str, str]:
    """Return the versions that a reader of the numbers needs."""
    found = {"python": platform.python_version(), "librdkafka": confluent_kafka.libversion()[0]}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
