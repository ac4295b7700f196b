"""Runs the feedback app until it is told to stop."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
import uvloop
from faust.types import TP

from streams.errors import BrokerError, HeadraceError, Transient
from streams.feedback.app import FeedbackApp, app_id, feedback_app
from streams.feedback.batching import Batching
from streams.feedback.in_turn import InTurn
from streams.feedback.joining import Joining
from streams.feedback.outbox import Outbox
from streams.feedback.progress import Progress
from streams.feedback.tables import AwaitedTable
from streams.feedback.trending import Trending
from streams.kafka import is_embedded, metadata, partition_count
from streams.metrics import OWNED
from streams.rejections import RejectedShare
from streams.settings import Settings
from streams.topics import ITEM_TRENDS, RECEIPTS, RECOMMENDATIONS, TRAINING_EXAMPLES, USER_ACTIONS

_TOPICS = (USER_ACTIONS, RECOMMENDATIONS, TRAINING_EXAMPLES, ITEM_TRENDS, RECEIPTS)
_TABLES = _USERS, _TRENDS = ("users", "trends")
_TURN_SECONDS = 0.1
_LOOK_SECONDS = 5.0
_LEAVE_SECONDS = 8.0
_log = structlog.get_logger()


def run_feedback(settings: Settings, stopped: Callable[[], bool], on_ready: Callable[[bool], None]) -> None:
    """Run the app in this thread until `stopped()`, handle what was begun, commit and leave the group.

    Args:
        stopped: asked ten times a second.
        on_ready: told whether partitions are owned and their tables recovered.

    Raises:
        SettingError: see `streams.feedback.security`.
        BrokerError: topics are missing or differ in their partitions.
        Fatal: too large a share of the records cannot be used.
        Transient: something was not delivered, or a partition stands still; a restart reads it again.
    """
    partitions, embedded = _partitions(settings), is_embedded(settings)
    if embedded:
        for name in _TABLES:  # asking for a topic makes it appear there
            partition_count(settings, f"{app_id(settings)}-{name}-changelog")
    app = feedback_app(settings, partitions, embedded)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Feedback(app, settings, on_ready).run(stopped))


class _Feedback:
    """The app with its agent and what watches it."""

    def __init__(self, app: FeedbackApp, settings: Settings, on_ready: Callable[[bool], None]) -> None:
        self._app = app
        self._settings = settings
        self._on_ready = on_ready
        self._failure: BaseException | None = None
        outbox = Outbox(app)
        users = AwaitedTable(self._table(_USERS, self._recovered), outbox)
        trends = AwaitedTable(self._table(_TRENDS), outbox)
        self._handler = InTurn(
            Joining.sources,
            RejectedShare(settings.loop.max_rejected_share, settings.loop.rejected_window_records),
            Joining(users, outbox, settings.feedback, self._committed),
            Trending(trends, outbox, settings.feedback),
        )
        batching = Batching(
            self._handler, settings.feedback.batch_records, settings.feedback.gather_seconds, self._failed
        )
        self._agent(batching, self._handler.sources)
        self._progress = Progress(app, batching.newest, settings.feedback.stall_seconds)

    async def run(self, stopped: Callable[[], bool]) -> None:
        """Start, turn until `stopped()` or a failure, leave."""
        starting = asyncio.ensure_future(self._app.start())
        looking = asyncio.ensure_future(self._looking())
        try:
            while not stopped() and self._failure is None:
                if starting.done() and (error := starting.exception()) is not None:
                    self._failed(error)
                elif self._app.crashed:
                    self._failed(self._app.crash_reason or Transient("the Faust app crashed"))
                await asyncio.sleep(_TURN_SECONDS)
        finally:
            looking.cancel()
            await self._leave(starting)
        if self._failure is not None:
            raise _as_ours(self._failure) from self._failure

    async def _leave(self, starting: "asyncio.Future[None]") -> None:
        try:
            await asyncio.wait_for(self._app.stop(), _LEAVE_SECONDS)
        except TimeoutError:
            _log.warning("feedback did not leave in order", seconds=_LEAVE_SECONDS)
        except Exception as error:
            _log.warning("feedback did not leave in order", error=repr(error))
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)

    async def _looking(self) -> None:
        every = min(_LOOK_SECONDS, self._settings.feedback.stall_seconds / 4)
        limit = self._settings.feedback.stall_seconds
        while True:
            await asyncio.sleep(every)
            if not self._app.started or self._app.should_stop:
                continue
            try:
                await asyncio.wait_for(self._progress.look(), limit)
            except TimeoutError:
                self._failed(Transient(f"the broker did not say where the partitions end in {limit:g} s"))
            except Exception as error:
                self._failed(error)

    async def _recovered(self) -> None:
        owned = {(tp.topic, tp.partition) for tp in self._app.consumer.assignment()}
        self._handler.recovered(frozenset(number for topic, number in owned if topic in self._handler.sources))
        sources = frozenset(place for place in owned if place[0] in _TOPICS)
        self._progress.recovered(sources)
        OWNED.set(len({number for _, number in sources}))
        _log.info("partitions", owned=sorted(sources))
        self._on_ready(True)

    def _table(self, name: str, on_recover: Any = None) -> Any:
        return self._app.Table(name, key_type=bytes, value_type=bytes, on_recover=on_recover)

    def _agent(self, batching: Batching, sources: Sequence[str]) -> None:
        raw: dict[str, Any] = {
            "key_type": bytes,
            "value_type": bytes,
            "key_serializer": "raw",
            "value_serializer": "raw",
        }
        topic = self._app.topic(*sources, allow_empty=True, **raw)
        self._app.agent(topic, name=f"feedback.{sources[0]}", concurrency=1)(partial(_body, batching))

    def _committed(self, topic: str, partition: int) -> int | None:
        offsets: Any = self._app.consumer._committed_offset  # type: ignore[attr-defined]
        found: int | None = offsets.get(TP(topic, partition))
        return found

    def _failed(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._app.give_up()


async def _body(batching: Batching, stream: Any) -> None:
    await batching.agent(stream)


def _as_ours(error: BaseException) -> BaseException:
    return error if isinstance(error, HeadraceError) else Transient(f"the feedback app failed: {error!r}")


def _partitions(settings: Settings) -> int:
    """Return the number of partitions that all topics of the app have."""
    found = metadata(settings).topics
    counts = {topic: len(found[topic].partitions) if topic in found else 0 for topic in _TOPICS}
    for topic, count in counts.items():
        if count == 0:
            raise BrokerError(f"There is no topic {topic}.", "run `headrace topics create`.")
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{topic} {count}" for topic, count in counts.items())
        raise BrokerError(
            f"Topics that belong together differ in their number of partitions: {told}.",
            "make them again with one number; partition p must be the same users on all of them.",
        )
    return next(iter(counts.values()))
