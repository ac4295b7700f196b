"""`headrace worker NAME`: one worker, until SIGTERM or Ctrl-C."""

from enum import StrEnum
from typing import Annotated

import typer

from streams.errors import Fatal, HeadraceError
from workers.cli.options import BootstrapServers, StopAtEof, broker_settings
from workers.shutdown import standard_input, stop_at_end_of, stop_on_signals


class Name(StrEnum):
    """The workers there are."""

    STATE = "state"
    EMBEDDING = "embedding"
    RANKING = "ranking"
    FEEDBACK = "feedback"


def worker(
    name: Annotated[Name, typer.Argument(help="Which worker to run.", show_default=False)],
    bootstrap_servers: BootstrapServers = None,
    stop_at_eof: StopAtEof = False,
) -> None:
    """Run one worker. SIGTERM or Ctrl-C: it finishes its batch, commits and leaves."""
    settings = broker_settings(bootstrap_servers)

    import structlog

    from workers.http import Health, serve
    from workers.metrics import watch_process
    from workers.telemetry import configure

    configure(settings, name.value)
    log = structlog.get_logger()
    health = Health()
    watch_process(health)
    with stop_on_signals() as stop, serve(settings.http, health) as server:
        if stop_at_eof:
            stop_at_end_of(standard_input(), stop)
        log.info("started", host=settings.http.host, port=server.port)
        # After the server: torch takes seconds to import, and /livez should answer meanwhile.
        from workers.processes import run_worker

        try:
            run_worker(name.value, settings, stop, health)
        except Fatal as error:
            log.error("ended", problem=error.problem, action=error.action)
            raise typer.Exit(error.exit_code) from None
        except HeadraceError as error:
            log.error("ended", problem=str(error), action="start it again")
            raise
        except Exception:
            log.exception("ended by a defect")
            raise typer.Exit(1) from None
        log.info("ended")
