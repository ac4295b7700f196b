"""Keeps secrets out of the logs, whatever somebody passes to them."""

import re
from collections.abc import Mapping

from pydantic import SecretBytes, SecretStr
from structlog.typing import EventDict, WrappedLogger

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(r"passw(or)?d|secret|token|credential|api[_.-]?key|private[_.-]?key|^sasl[._]", re.I)
_COUNT_NAME = re.compile(r"tokens?(_|$)", re.I)
_NAMED_IN_TEXT = re.compile(
    r"((?:[\w.-]*(?:passw(?:or)?d|secret|token)|sasl[._]\w+)['\"]?\s*[=:]\s*)(?!\[redacted\])['\"]?[^\s,;'\"}]+['\"]?",
    re.I,
)
_IN_URL = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Return the log event without secrets; a structlog processor.

    A value goes when its name speaks of one (`*password*`, `*secret*`, `*token*`, `sasl.*`), when it is a
    pydantic secret, and where a text spells such a name with its value or a URL with a password. A *number*
    of tokens stays: it is a count.
    """
    return {name: _shown(str(name), value) for name, value in event.items()}


def _shown(name: str, value: object) -> object:
    if isinstance(value, SecretStr | SecretBytes):
        return REDACTED
    if _SECRET_NAME.search(name) and value is not None:
        counts = isinstance(value, int | float) and _COUNT_NAME.search(name)
        return value if counts else REDACTED
    if isinstance(value, str):
        return _IN_URL.sub(REDACTED, _NAMED_IN_TEXT.sub(rf"\g<1>{REDACTED}", value))
    if isinstance(value, Mapping):
        return {str(key): _shown(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown("", item) for item in value]
    return value
