"""Settings of the broker connection, the topics and the loop."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from streams.settings.section import Section


def _as_librdkafka_reads(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Property = Annotated[SecretStr, BeforeValidator(_as_librdkafka_reads)]


class KafkaSettings(Section):
    """How to reach the broker."""

    bootstrap_servers: str = ""
    """`host:port[,host:port]` of the brokers. Empty: `headrace demo` starts the embedded broker,
    every other command stops and asks for it."""
    group_prefix: str = Field(default="headrace", pattern=r"^[^\s#/]{1,100}$")
    """Consumer groups are called `<prefix>.<worker>`."""
    session_timeout_seconds: float = Field(default=6.0, ge=1, le=300)
    """A worker that is silent for longer loses its partitions."""
    transaction_timeout_seconds: float = Field(default=10.0, ge=1, le=86_400)
    """The broker aborts a transaction that is open for longer. Readers wait that long for a worker that died
    in the middle of one, unless it comes back or another one takes its partitions over."""
    properties: Mapping[str, Property] = Field(default_factory=dict)
    """Any librdkafka property, passed through as it is (SASL, TLS, buffers). Its values are never logged."""


class TopicSettings(Section):
    """How `headrace topics create` makes topics."""

    partitions: int = Field(default=4, ge=1)
    """Partitions of every user-keyed and item-keyed topic; they must be equal (checked at start). Choose once:
    users stay where this number put them, and a state worker that finds some whose events go elsewhere stops."""
    replication_factor: int = Field(default=1, ge=1)
    """Replicas of every partition; 3 in production."""


class LoopSettings(Section):
    """How much a worker takes at once."""

    delivery: Literal["auto", "exactly_once", "at_least_once"] = "auto"
    """`exactly_once` puts outputs and offsets of a batch into one transaction; `at_least_once` writes, then
    commits, and relies on results that are idempotent by source offset. `auto` is the first on Apache Kafka and
    the second on the embedded broker, which keeps no promise about transactions."""
    batch_records: int = Field(default=20_000, ge=1)
    """Most records of one batch."""
    batch_bytes: int = Field(default=16 * 1024 * 1024, ge=1)
    """A batch takes no more records once it holds so many bytes."""
    batch_seconds: float = Field(default=0.1, gt=0)
    """Most time that handling one batch should take; the number of records follows what the last ones took."""
    max_rejected_share: float = Field(default=0.5, ge=0, le=1)
    """A worker stops when a larger share of its last records cannot be used; 1 lets all of them pass."""
    rejected_window_records: int = Field(default=1_000, ge=1)
    """How many records `max_rejected_share` looks at; a hundred are enough where nothing but bad ones came since
    the start."""
    poll_seconds: float = Field(default=0.1, gt=0, le=5)
    """Longest wait for the first record of a batch."""
    delivery_timeout_seconds: float = Field(default=30.0, ge=0.1, le=86_400)
    """A broker that does not answer for longer ends the worker, with nothing committed."""


class HttpSettings(Section):
    """Where `/livez`, `/readyz` and `/metrics` listen."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` in a container."""
    port: int = Field(default=9464, ge=0, le=65_535)
    """Port to listen on; 0 lets the system choose (the log tells which)."""


class LogSettings(Section):
    """How a process speaks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written."""
    format: Literal["json", "console"] = "json"
    """`json` is one object a line, `console` is for eyes."""
