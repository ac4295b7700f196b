"""The Faust app: its settings from ours, and a consumer that reads committed records only."""

from typing import Any, ClassVar

import aiokafka
import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import ConsumerT, TransportT
from yarl import URL

from streams.feedback.security import credentials
from streams.settings import Settings

_MAX_REQUEST_BYTES = 4 * 1024 * 1024
_MAX_BATCH_BYTES = 256 * 1024


class _CommittedThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        made = super()._create_worker_consumer(transport)
        # Faust asks for uncommitted records unless it is exactly_once itself; the state worker's aborted
        # transactions are not to be seen here.
        made._isolation_level = "read_committed"
        return made


class _CommittedConsumer(driver.Consumer):
    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        # Faust counts the record behind a gap as part of it. That record is then acknowledged twice, and a commit
        # gets no further than to it: one transaction of the state worker a second, however many are handled.
        await super()._add_gap(tp, offset_from, offset_to - 1)


class _CommittedTransport(driver.Transport):
    Consumer: ClassVar[type[ConsumerT]] = _CommittedConsumer


class FeedbackApp(faust.App):
    """A Faust app that reads committed records and touches no disk."""

    def _create_directories(self) -> None:
        # Its tables are in memory: folders would hold nothing, and stay behind after a kill -9.
        return

    def _new_transport(self) -> TransportT:
        return _CommittedTransport(self.conf.broker_consumer, self)


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
    return FeedbackApp(
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
        store="memory://",
        topic_partitions=partitions,
        topic_replication_factor=settings.topics.replication_factor,
        topic_disable_leader=True,
        topic_allow_declare=not embedded,
        autodiscover=False,
        web_enabled=False,
        **options,
    )
