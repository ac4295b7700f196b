"""What a check comes back with."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from streams.errors import Fatal


class Status(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and will hurt some day."""
    PROBLEM = "problem"
    """Something will not work."""
    SKIPPED = "skipped"
    """It could not be looked at."""


class Finding(NamedTuple):
    """One sentence about one thing, and what to do about it.

    Attributes:
        check: what was looked at.
        action: one sentence; empty when there is nothing to do.
    """

    check: str
    status: Status
    said: str
    action: str = ""


def ok(check: str, said: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(check, Status.OK, said)


def warning(check: str, said: str, action: str) -> Finding:
    """Return the finding that something will hurt."""
    return Finding(check, Status.WARNING, said, action)


def problem(check: str, said: str, action: str) -> Finding:
    """Return the finding that something does not work."""
    return Finding(check, Status.PROBLEM, said, action)


def skipped(check: str, said: str) -> Finding:
    """Return the finding that there was nothing to look at."""
    return Finding(check, Status.SKIPPED, said)


def examined(check: str, look: Callable[..., Iterable[Finding]], *arguments: Any) -> list[Finding]:
    """Return what `look` finds; an error with an action is a finding too, and so is any other."""
    try:
        return list(look(*arguments))
    except Fatal as error:
        return [problem(check, error.problem, error.action)]
    except Exception as error:  # a doctor who falls over helps nobody
        said = f"{check} cannot be examined: {type(error).__name__}: {error}."
        return [problem(check, said, "mend what this names, or report it as a defect of `headrace doctor`.")]


def counted(number: int, noun: str) -> str:
    """Return the number with its noun, in the plural where it belongs there."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
