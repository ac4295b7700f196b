"""Keys go where Java's default partitioner puts them."""

import pytest

from streams.partitioner import murmur2, owner

# From UtilsTest.testMurmur2 of Apache Kafka; Java's ints are signed.
KNOWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), KNOWN.items())
def test_murmur2_agrees_with_apache_kafka(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


def test_an_owner_is_a_partition_and_uses_31_bits() -> None:
    assert owner(b"21", 4) == (murmur2(b"21") & 0x7FFFFFFF) % 4
    assert {owner(str(n).encode(), 4) for n in range(100)} == {0, 1, 2, 3}
