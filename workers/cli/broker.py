"""`headrace broker`: the embedded broker, in the foreground."""

import typer

from workers.cli.options import StopAtEof
from workers.shutdown import standard_input, stop_at_end_of, stop_on_signals


def broker(stop_at_eof: StopAtEof = False) -> None:
    """Run a small broker in memory, to try things on. Its address is the first line of standard output."""
    from streams.embedded import PARTITION_BYTES, PARTITIONS, EmbeddedBroker

    with stop_on_signals() as stop, EmbeddedBroker() as running:
        if stop_at_eof:
            stop_at_end_of(standard_input(), stop)
        typer.echo(running.bootstrap_servers)
        typer.echo(
            f"This is no Kafka: {PARTITIONS} partitions a topic, all in memory and gone with this process; "
            f"a partition keeps {PARTITION_BYTES // 1_000_000} MB and then drops its oldest records without "
            "a word; nothing is compacted, transactions mean nothing. Ctrl-C ends it.",
            err=True,
        )
        stop.wait()
