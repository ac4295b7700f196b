"""Every error that Headrace raises on purpose, by what is to be done about it.

    HeadraceError
    ├── Transient            retry until a deadline, then treat as Fatal
    └── Fatal                the process ends; `action` says what the operator should do
        ├── SettingError     a setting is missing, unknown or wrong; exit code 2
        ├── DataError        a data set, model bundle or snapshot cannot be used
        └── BrokerError      the broker cannot be reached, lacks a topic, or is the wrong kind

A record that cannot be used is not an error: it is a `Rejected` value that keeps its bytes
(`streams.contracts.records`) and goes whole to its dead-letter topic.
"""


class HeadraceError(Exception):
    """Base of all errors that Headrace raises on purpose."""


class Transient(HeadraceError):
    """Something that may pass by itself, such as a broker that is restarting."""


class Fatal(HeadraceError):
    """Something that only an operator can change.

    Args:
        problem: one sentence, what is wrong.
        action: one sentence, what to do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, action: str) -> None:
        super().__init__(f"{problem} Operator action: {action}")
        self.problem = problem
        self.action = action


class SettingError(Fatal):
    """A setting is missing, unknown or wrong; the sentence names it."""

    exit_code = 2


class DataError(Fatal):
    """A data set, a model bundle or a snapshot is damaged or does not fit."""

    exit_code = 3


class BrokerError(Fatal):
    """The broker cannot be reached, lacks a topic, or cannot do what is asked of it."""

    exit_code = 4
