"""Dead letters, looked at and sent again.

`replay` sends a letter once, however often it is called and wherever it is interrupted:

1. the transactional producer is made first: whoever replays already is fenced, and what they left open is gone;
2. the marks of earlier replays are read;
3. letters without a mark go back to the partition that they came from, each with its mark in the same
   transaction.

On a broker without transactions 3 is one flush: an interruption there may send a batch of letters again, and
events are then known by their `event_id` as far as `state.duplicate_window` reaches.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

from streams.dead_letters import Letter, letter_of, marked, sent_again
from streams.delivery import AtLeastOnce, Delivery
from streams.errors import BrokerError
from streams.kafka import consumer, is_embedded, partition_count, producer, transactional_producer
from streams.reading import records_to_end
from streams.settings import Settings
from streams.topics import all_topics, dead_letters, topic_named
from streams.transactions import TransactionalDelivery

_BATCH_LETTERS = 200
Wanted = Callable[[Letter], bool]


class Replayed(NamedTuple):
    """What a replay did.

    Attributes:
        sent: letters that were sent again.
        before: letters that had been sent again before.
        superseded: letters of a compacted topic whose key has a newer record there.
    """

    sent: int
    before: int
    superseded: int


def letters(settings: Settings, topic: str) -> Iterator[tuple[Letter, bool]]:
    """Yield the dead letters of a topic, and whether each was sent again.

    Args:
        topic: whose letters; not the dead-letter topic itself.

    Letters that come while these are read are left out: a letter that is sent again and is still bad is a new one.

    Raises:
        BrokerError: there is no dead-letter topic for it.
    """
    name = dead_letters(topic)
    partitions = range(partition_count(settings, name)) if topic in lettered() else ()
    if not partitions:
        raise BrokerError(f"There is no topic {name}.", f"name one of {', '.join(lettered())}.")
    marks: set[tuple[int, int]] = set()
    last: dict[int, int] = {}
    for record in records_to_end(settings, name, partitions):
        last[record.partition] = record.offset
        if (offset := marked(record)) is not None:
            marks.add((record.partition, offset))
    if not last:  # most topics have none
        return
    for record in records_to_end(settings, name, partitions):
        letter = letter_of(record)
        if letter is not None and record.offset <= last.get(record.partition, -1):
            yield letter, (record.partition, record.offset) in marks


def lettered() -> tuple[str, ...]:
    """Return the topics that have a dead-letter topic."""
    names = [topic.name for topic in all_topics("")]
    return tuple(name for name in names if dead_letters(name) in names)


def replay(settings: Settings, topic: str, wanted: Wanted) -> Replayed:
    """Send the letters of a topic that are `wanted` again, each once.

    A letter of a compacted topic goes only as long as its key has no newer record there.

    Raises:
        BrokerError: there is no dead-letter topic, or the broker refuses transactions.
        Transient: the broker did not take a batch, or somebody else replays; ask again.
    """
    compacted = topic in lettered() and topic_named(topic).cleanup != "delete"
    delivery = _delivery(settings)
    newest = _newest(settings, topic) if compacted else {}
    before = superseded = sent = 0

    def due() -> Iterator[Letter]:
        nonlocal before, superseded
        for letter, done in letters(settings, topic):
            if not wanted(letter):
                continue
            if done:
                before += 1
            elif newest.get((letter.partition, letter.record.key), letter.offset) > letter.offset:
                superseded += 1
            else:
                yield letter

    waiting = due()
    while batch := list(islice(waiting, _BATCH_LETTERS)):
        delivery.begin()
        delivery.write(output for letter in batch for output in sent_again(letter))
        delivery.wait()
        delivery.commit(())
        sent += len(batch)
    return Replayed(sent, before, superseded)


def _delivery(settings: Settings) -> Delivery:
    reader, timeout_seconds = consumer(settings, None), settings.loop.delivery_timeout_seconds
    if is_embedded(settings):
        return AtLeastOnce(reader, producer(settings), timeout_seconds)
    # One name for all who replay, on whatever machine.
    name = f"{settings.kafka.group_prefix}.dlq-replay"
    return TransactionalDelivery(reader, partial(transactional_producer, settings, name), timeout_seconds)


def _newest(settings: Settings, topic: str) -> dict[tuple[int, bytes | None], int]:
    partitions = range(partition_count(settings, topic))
    return {
        (record.partition, record.key): record.offset for record in records_to_end(settings, topic, partitions)
    }
