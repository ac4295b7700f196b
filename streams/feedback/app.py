"""The Faust app: its settings from ours."""

from typing import Any

import faust
from faust.types.transports import TransportT
from yarl import URL

from streams.feedback.consuming import CommittedTransport
from streams.feedback.security import credentials
from streams.settings import Settings

_MAX_REQUEST_BYTES = 4 * 1024 * 1024
_MAX_BATCH_BYTES = 256 * 1024
_QUEUE_RECORDS = 1_024  # of some 20 kB, 64 kB at most


class FeedbackApp(faust.App):
    """A Faust app that reads committed records and touches no disk.

    Attributes:
        gather_seconds: how long a fetch waits for more than a few records.
    """

    gather_seconds = 0.0

    def _create_directories(self) -> None:
        # Its tables are in memory: folders would hold nothing, and stay behind after a kill -9.
        return

    def give_up(self) -> None:
        """Let `stop` wait for no record that is in hand: after a failure nobody will acknowledge it.

        Faust would wait for ever, and hears of no cancellation there.
        """
        if self._consumer is not None:
            self._consumer.unacked.clear()

    def _new_transport(self) -> TransportT:
        return CommittedTransport(self.conf.broker_consumer, self)


def app_id(settings: Settings) -> str:
    """Return the app's name, which is its consumer group and begins the names of its changelogs."""
    return f"{settings.kafka.group_prefix}.feedback"


def feedback_app(settings: Settings, partitions: int, embedded: bool) -> FeedbackApp:
    """Return the app, without agents or tables.

    Args:
        partitions: of the source topics and so of the tables' changelogs.
        embedded: the broker cannot be asked to make topics.

    Raises:
        SettingError: see `credentials`.
    """
    session_seconds = settings.kafka.session_timeout_seconds
    options: dict[str, Any] = {}
    if (login := credentials(settings)) is not None:
        options["broker_credentials"] = login
    app = FeedbackApp(
        app_id(settings),
        broker=[URL(f"kafka://{server.strip()}") for server in settings.kafka.bootstrap_servers.split(",")],
        broker_client_id=f"headrace-{settings.instance}",
        broker_session_timeout=session_seconds,
        broker_heartbeat_interval=session_seconds / 3,
        broker_request_timeout=max(30.0, 2 * session_seconds),
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        processing_guarantee="at_least_once",
        producer_acks=-1,
        producer_linger=0,
        producer_max_request_size=_MAX_REQUEST_BYTES,
        producer_max_batch_size=_MAX_BATCH_BYTES,
        producer_request_timeout=settings.loop.delivery_timeout_seconds,
        stream_wait_empty=True,
        stream_buffer_maxsize=_QUEUE_RECORDS,
        store="memory://",
        topic_partitions=partitions,
        topic_replication_factor=settings.topics.replication_factor,
        topic_disable_leader=True,
        topic_allow_declare=not embedded,
        autodiscover=False,
        web_enabled=False,
        **options,
    )
    app.gather_seconds = settings.feedback.gather_seconds
    app.on_rebalance_complete.connect(_hold_records)
    return app


async def _hold_records(app: Any, /, *_: Any, signal: Any, **__: Any) -> None:
    """Fetch nothing from a recovery's end until its last step, which lets the flow go again.

    Faust lets the sources go first, then seeks to the commits, then empties the agents' queues: a record that
    comes between the last two is passed by the reader and seen by nobody.
    """
    app.consumer.stop_flow()
