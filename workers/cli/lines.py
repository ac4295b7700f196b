"""Reading messages from lines of JSON, where one bad line must not cost the others."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import msgspec
import typer

from streams.codec import UNREADABLE

Message = TypeVar("Message")
FILE_OR_INPUT = "FILE|-"
"""What a command calls an argument for `opened`."""


class BadLine(NamedTuple):
    """A line that holds no message, by its number from 1."""

    number: int
    reason: str


@contextmanager
def opened(source: Path) -> Iterator[BinaryIO]:
    """Yield the lines of a file, or of standard input for `-`.

    Raises:
        typer.BadParameter: the file cannot be opened, or standard input is closed.
    """
    if source == Path("-"):
        if sys.stdin is None:
            raise typer.BadParameter("standard input is closed", param_hint=FILE_OR_INPUT)
        yield sys.stdin.buffer
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{source}: {error.strerror}", param_hint=FILE_OR_INPUT) from None
    with file:
        yield file


def read_lines(lines: Iterable[bytes], decode: Callable[[bytes], Message]) -> Iterator[Message | BadLine]:
    """Yield the message of each line, or why it holds none; empty lines are passed over."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield decode(line)
        except UNREADABLE as error:
            yield BadLine(number, str(error))


@dataclass
class Tally:
    """What came of the lines of one file.

    Attributes:
        good: messages that were handed on.
        bad: lines that were told of on standard error.
    """

    good: int = 0
    bad: int = 0

    def passed(self, messages: Iterable[Message | BadLine]) -> Iterator[Message]:
        """Yield the good ones; write number and reason of each bad one to standard error."""
        for message in messages:
            if isinstance(message, BadLine):
                self.bad += 1
                typer.echo(f"line {message.number}: {message.reason}", err=True)
            else:
                self.good += 1
                yield message

    def report(self, topic: str, delivered: int, skip_bad: bool, as_json: bool) -> None:
        """Tell the outcome.

        Raises:
            typer.Exit: code 1, when there were bad lines that may not be skipped.
        """
        if as_json:
            result = {"topic": topic, "delivered": delivered, "bad_lines": self.bad}
            typer.echo(msgspec.json.encode(result))
        else:
            typer.echo(f"{delivered} records delivered to {topic}, {self.bad} bad lines.", err=True)
        if self.bad and not skip_bad:
            raise typer.Exit(1)
