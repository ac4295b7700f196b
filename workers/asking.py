"""Asks for a slate now, as any client can: one record out, one record back."""

from collections.abc import Mapping
from uuid import uuid4

import msgspec
from confluent_kafka import Consumer, TopicPartition

from streams.clock import monotonic_seconds
from streams.codec import UNREADABLE, decode_answer
from streams.contracts import Answer, RankingRequest
from streams.errors import BrokerError, DataError
from streams.kafka import consumer, partition_count
from streams.partitioner import owner
from streams.privacy.pseudonyms import known_as
from streams.settings import Settings
from streams.topics import RANKING_ANSWERS
from workers.publisher import Publisher

_CALL_SECONDS = 10.0


def request_of(
    user_id: str,
    query: str | None = None,
    *,
    length: int | None = None,
    exclude: tuple[str, ...] = (),
    include_seen: bool = False,
    context: Mapping[str, str] | None = None,
) -> RankingRequest:
    """Return a request with an id of its own; arguments as of `RankingRequest`.

    Raises:
        DataError: a value is outside what the contract allows; the sentence names it.
    """
    made = RankingRequest(
        request_id=uuid4().hex,
        user_id=user_id,
        query=query,
        length=length,
        exclude=exclude,
        include_seen=include_seen,
        context=dict(context or {}),
    )
    try:
        return msgspec.convert(msgspec.to_builtins(made), RankingRequest)
    except msgspec.ValidationError as error:
        raise DataError(f"This cannot be asked: {error}.", "correct it and ask again.") from None


def ask(settings: Settings, request: RankingRequest, wait_seconds: float) -> Answer | None:
    """Send a request and return its answer, or None where none came in time.

    Raises:
        BrokerError: there is no such topic, no broker answers, or it does not take the request.
        SettingError: no broker is set.
    """
    partitions = partition_count(settings, RANKING_ANSWERS)
    if partitions == 0:
        raise BrokerError(f"There is no topic {RANKING_ANSWERS}.", "run `headrace topics create`.")
    name = known_as(request.user_id, settings.privacy).encode()
    reader = consumer(settings, None, enable_partition_eof=False)
    try:
        place = TopicPartition(RANKING_ANSWERS, owner(name, partitions))
        # The end is asked for now: OFFSET_END is looked up later, perhaps after the answer.
        _, place.offset = reader.get_watermark_offsets(place, timeout=_CALL_SECONDS)
        reader.assign([place])
        publisher = Publisher(settings)
        publisher.request(request)
        publisher.flush()
        return _awaited(reader, request.request_id, wait_seconds)
    finally:
        reader.close()


def _awaited(reader: Consumer, request_id: str, wait_seconds: float) -> Answer | None:
    deadline = monotonic_seconds() + wait_seconds
    while (left := deadline - monotonic_seconds()) > 0:
        message = reader.poll(min(left, 0.2))
        if message is None or message.error() is not None:
            continue
        try:
            answer = decode_answer(message.value() or b"")
        except UNREADABLE:  # others may write to a public topic
            continue
        if answer.request_id == request_id:
            return answer
    return None
