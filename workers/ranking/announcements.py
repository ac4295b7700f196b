"""What `models.v1` says: which versions of a model there are, and which of them is to serve."""

from typing import Final

import structlog

from streams.codec import UNREADABLE, decode_model_alias, decode_model_version, encode_json
from streams.contracts import ModelAlias, ModelVersion

CHAMPION: Final = "champion"

_log = structlog.get_logger()


def as_champion(version: ModelVersion) -> list[tuple[bytes, bytes]]:
    """Return the records, key and value, that let a version serve: the version itself, then the alias."""
    alias = ModelAlias(name=version.name, alias=CHAMPION, version=version.version)
    return [
        (f"{version.name}/{version.version}".encode(), encode_json(version)),
        (f"{version.name}@{CHAMPION}".encode(), encode_json(alias)),
    ]


class Announcements:
    """What `models.v1` says of one model. Records may come in any order: partitions do.

    Args:
        name: of the model; other models' records are passed over.

    Attributes:
        versions: by version.
        times_named: how often a champion was named: one that was refused may be named again.
    """

    def __init__(self, name: str) -> None:
        self._version_prefix = f"{name}/"
        self._alias_key = f"{name}@{CHAMPION}"
        self.versions: dict[str, ModelVersion] = {}
        self.times_named = 0
        self._alias: ModelAlias | None = None

    @property
    def champion(self) -> ModelVersion | None:
        """Return the version that serves, or None until both it and the alias were read."""
        return self.versions.get(self._alias.version) if self._alias else None

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Take in one record; no value withdraws. A record that cannot be read is logged and passed over."""
        name = key.decode(errors="replace")
        try:
            if name == self._alias_key:
                self._alias = decode_model_alias(value) if value is not None else None
                self.times_named += 1
            elif name.startswith(self._version_prefix):
                version = name.removeprefix(self._version_prefix)
                if value is None:
                    self.versions.pop(version, None)
                else:
                    self.versions[version] = decode_model_version(value)
        except UNREADABLE as error:
            _log.error("model announcement cannot be read", key=name, error=str(error))
