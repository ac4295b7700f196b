"""Reading a topic to its end ends: with all that is there, or with a sentence when the broker goes away."""

import pytest

from streams.embedded import EmbeddedBroker
from streams.errors import Transient
from streams.kafka import producer
from streams.reading import read_to_end, records_to_end
from streams.settings import load_settings
from streams.topics import CATALOGUE

PARTITIONS = range(4)


def test_everything_is_read_in_the_order_of_each_partition_and_keyless_records_are_not_applied() -> None:
    with EmbeddedBroker() as broker:
        settings = load_settings(kafka={"bootstrap_servers": broker.bootstrap_servers})
        client = producer(settings)
        for number in range(400):
            client.produce(
                CATALOGUE, key=b"k", value=str(number).encode(), partition=number % 3
            )  # one stays empty
        client.produce(CATALOGUE, value=b"keyless", partition=0)
        assert client.flush(30) == 0
        found = list(records_to_end(settings, CATALOGUE, PARTITIONS))
        assert len(found) == 401
        for partition in range(3):
            offsets = [record.offset for record in found if record.partition == partition]
            assert offsets == list(range(len(offsets)))
        applied: list[bytes | None] = []
        assert read_to_end(settings, CATALOGUE, PARTITIONS, lambda _, __, value: applied.append(value)) == 400
        assert b"keyless" not in applied


def test_a_broker_that_goes_away_is_told_and_not_waited_for_for_ever() -> None:
    with EmbeddedBroker() as broker:
        address = {"bootstrap_servers": broker.bootstrap_servers}
    gone = load_settings(kafka=address, loop={"delivery_timeout_seconds": 1})
    with pytest.raises(Transient, match=CATALOGUE):
        list(records_to_end(gone, CATALOGUE, PARTITIONS))
