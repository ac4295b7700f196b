"""How a process speaks: structured logs on standard error, one line an event."""

import faulthandler
import logging
import signal
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from streams.settings import Settings
from streams.settings.kafka import LogSettings
from workers.redaction import redact

_QUIET = (
    "faust", "filelock", "httpcore", "httpx", "huggingface_hub", "sentence_transformers", "transformers",
    "urllib3", "uvicorn",
)  # fmt: skip


def configure_command() -> None:
    """Let a command of a person say warnings only, on standard error: standard output is for its answer."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def configure(settings: Settings, worker: str) -> None:
    """Send this process's logs, and those of the libraries under it, to standard error.

    Every line carries `instance` and `worker`; secrets are taken out (`workers.redaction`). A crash in native
    code writes the stacks of all threads there too, and so does SIGUSR1 where there is one.
    """
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)
        if hasattr(signal, "SIGUSR1"):
            faulthandler.register(signal.SIGUSR1, sys.__stderr__)

    def whose(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {**event, "instance": settings.instance, "worker": worker}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        whose,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered(settings.log)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log.level.upper())
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _rendered(log: LogSettings) -> list[Processor]:
    # Tracebacks become text before redaction, without local variables: those hold secrets and records.
    if log.format == "console":
        plain = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            timestamp_key="time",
            exception_formatter=structlog.dev.plain_traceback,
        )
        return [structlog.processors.format_exc_info, redact, plain]
    return [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
