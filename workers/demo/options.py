"""What a person may choose for a run of the demo."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DemoOptions:
    """Every choice of `headrace demo`.

    Attributes:
        dataset: as `load_dataset` takes it.
        events: to replay, the newest of the data set; None for 10,000 or half of a smaller data set.
        sessions: users who wait for a slate at once.
        rate: most events a second, None for no limit.
        restart_workers: start a worker that died again.
        keep_running: stay up after the summary.
        reset_topics: delete Headrace's topics on a real Kafka first.
        directory: for logs and metrics.
    """

    dataset: str
    events: int | None
    sessions: int
    rate: float | None
    restart_workers: bool
    keep_running: bool
    reset_topics: bool
    directory: Path
