"""What an index reports, by its name in the process. All that this package measures is declared here."""

from prometheus_client import Counter, Gauge, Histogram

_VECTORS = Gauge("headrace_index_vectors", "Keys held.", ["index"])
_TOMBSTONES = Gauge("headrace_index_tombstones_ratio", "Share of rows that are dead until compaction.", ["index"])
_COMPACTIONS = Counter("headrace_index_compactions_total", "Compactions, by how they ended.", ["index", "outcome"])
_SEARCH_SECONDS = Histogram(
    "headrace_index_search_seconds",
    "Time of one call of search: all queries of the call together.",
    ["index"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)
_BUILT = Gauge(
    "headrace_index_built_timestamp_seconds",
    "When the main tier was built: by a new model or a compaction. Unix time.",
    ["index"],
)
RECALL = Gauge(
    "headrace_index_recall_ratio",
    "Share of the true nearest that the last probe found, on queries that were really asked.",
    ["index"],
)
RECALL_PROBES = Counter("headrace_index_recall_probes_total", "Probes of recall that were made.", ["index"])
RECALL_PROBE_SECONDS = Gauge("headrace_index_recall_probe_seconds", "Time that the last probe took.", ["index"])


class IndexMetrics:
    """The metrics of one index, label resolved: a look-up of a label costs as much as the measurement."""

    def __init__(self, name: str) -> None:
        """Report as index `name`."""
        self.search_seconds = _SEARCH_SECONDS.labels(name)
        self.compactions = _COMPACTIONS.labels(name, "ok")
        self.failed_compactions = _COMPACTIONS.labels(name, "failed")
        self.built = _BUILT.labels(name)
        self._vectors = _VECTORS.labels(name)
        self._tombstones = _TOMBSTONES.labels(name)

    def set_rows(self, live: int, all_rows: int) -> None:
        """Report how many rows there are, and how many of them are live."""
        self._vectors.set(live)
        self._tombstones.set(1 - live / all_rows if all_rows else 0)
