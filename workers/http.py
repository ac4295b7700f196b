"""What a process shows over HTTP: `/livez`, `/readyz`, `/metrics`."""

import socket
import threading
from types import TracebackType

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from streams.clock import Clock, monotonic_seconds
from streams.errors import SettingError
from streams.settings.kafka import HttpSettings

SILENT_AFTER_SECONDS = 60.0
_CLOSE_SECONDS = 2.0


class Health:
    """Named conditions that must all hold before a process is ready, and the heartbeat of its loop.

    Thread-safe.

    Args:
        silent_after_seconds: a loop that has not beaten for longer is taken for hung.
        clock: seconds that only grow.
    """

    def __init__(
        self, silent_after_seconds: float = SILENT_AFTER_SECONDS, clock: Clock = monotonic_seconds
    ) -> None:
        self._silent_after_seconds = silent_after_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._conditions: dict[str, bool] = {}
        self._beaten_at: float | None = None

    def expect(self, *conditions: str) -> None:
        """Name conditions that must come true; those that are already known keep their value."""
        with self._lock:
            for name in conditions:
                self._conditions.setdefault(name, False)

    def set(self, condition: str, holds: bool) -> None:
        """Say whether `condition` holds from now on."""
        with self._lock:
            self._conditions[condition] = holds

    @property
    def ready(self) -> bool:
        """Whether every condition holds; a process that has named none is not ready."""
        with self._lock:
            return bool(self._conditions) and all(self._conditions.values())

    def snapshot(self) -> dict[str, bool]:
        """Return every condition as it is now."""
        with self._lock:
            return dict(self._conditions)

    def beat(self) -> None:
        """Say that the loop turns."""
        self._beaten_at = self._clock()

    @property
    def alive(self) -> bool:
        """Whether the loop beat lately, or has not begun: loading and restoring may take minutes."""
        return self.silence_seconds <= self._silent_after_seconds

    @property
    def silence_seconds(self) -> float:
        """Time since the loop last beat; 0 when it has not begun."""
        beaten_at = self._beaten_at
        return 0.0 if beaten_at is None else max(0.0, self._clock() - beaten_at)


class HttpServer:
    """A running server.

    Attributes:
        port: where it listens, also when the setting left the choice to the system.
    """

    def __init__(self, server: uvicorn.Server, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self._server = server
        self._listener = listener
        self._thread = threading.Thread(target=server.run, args=([listener],), name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and wait for the server's thread."""
        self._server.should_exit = True
        self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():  # a socket that is closed under a running server is a traceback
            self._listener.close()

    def __enter__(self) -> "HttpServer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(settings: HttpSettings, health: Health) -> HttpServer:
    """Answer in a daemon thread until the returned server is closed.

    Raises:
        SettingError: `http.host` is no address of this machine, or `http.port` is taken.
    """
    config = uvicorn.Config(
        _application(health),
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    return HttpServer(uvicorn.Server(config), _listen(settings))


def _application(health: Health) -> Starlette:
    async def livez(request: Request) -> Response:
        alive = health.alive
        return PlainTextResponse("alive" if alive else "the loop is silent", 200 if alive else 503)

    async def readyz(request: Request) -> Response:
        ready = health.ready
        return JSONResponse({"ready": ready, "conditions": health.snapshot()}, 200 if ready else 503)

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])


def _listen(settings: HttpSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        # Asked for by itself: create_server() hides a name that is not found in a plain OSError.
        socket.getaddrinfo(settings.host, settings.port, family, socket.SOCK_STREAM)
        return socket.create_server((settings.host, settings.port), family=family)
    except socket.gaierror as error:
        raise SettingError(
            f"Setting http.host is wrong: {settings.host!r} is no address ({error.strerror}).",
            "correct HEADRACE_HTTP__HOST; 0.0.0.0 listens on every address.",
        ) from None
    except OSError as error:
        raise SettingError(
            f"Setting http.port cannot be used: {settings.host}:{settings.port}: {error.strerror}.",
            "set HEADRACE_HTTP__PORT to a free port, or to 0 for any.",
        ) from None
