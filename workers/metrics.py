"""What every worker process says of itself; everything else is measured where it happens."""

from importlib.metadata import PackageNotFoundError, version

from prometheus_client import Gauge, disable_created_metrics

from workers.http import Health

INFO = Gauge("headrace_workers_info", "1; the version that runs.", ["version"])
READY = Gauge("headrace_workers_ready", "1 when /readyz says so.")
SILENCE_SECONDS = Gauge(
    "headrace_workers_silence_seconds", "Time since the loop last turned; 0 while it has not begun."
)


def watch_process(health: Health) -> None:
    """Export what `health` knows. Processor time, memory and open files come from prometheus-client itself."""
    # A second series for every counter and histogram, which nobody reads.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        INFO.labels(version("headrace")).set(1)
    except PackageNotFoundError:
        INFO.labels("not installed").set(1)
    READY.set_function(lambda: float(health.ready))
    SILENCE_SECONDS.set_function(lambda: health.silence_seconds)
