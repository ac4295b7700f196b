"""`models.v1`: how a trained bundle is announced, and how a worker learns which one serves."""

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import structlog

from streams.codec import UNREADABLE, decode_model_alias, decode_model_version, encode_json
from streams.contracts import ModelAlias, ModelVersion
from streams.errors import DataError
from workers.ranking.model.bundle import Bundle

CHAMPION: Final = "champion"

_log = structlog.get_logger()


def announcement(bundle: Bundle, uri: str, name: str) -> list[tuple[bytes, bytes]]:
    """Return the records, key and value, that make a saved bundle `name@champion`: version, then alias.

    Args:
        bundle: as it was saved.
        uri: `file://` address of its directory that every ranking worker can read.
        name: of the model, the setting `ranking.model_name`.
    """
    manifest = bundle.manifest
    version = ModelVersion(
        name=name,
        version=bundle.version,
        uri=uri,
        sha256=manifest.sha256,
        encoder_id=manifest.encoder_id,
        created_at=manifest.created_at,
        metrics=manifest.metrics,
    )
    return as_champion(version)


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


def load_announced(version: ModelVersion, encoder_id: str, text_dimension: int | None = None) -> Bundle:
    """Return the announced bundle.

    Args:
        version: of `Announcements.champion`.
        encoder_id: the encoder in use.
        text_dimension: numbers in its vectors; None where none is known yet.

    Raises:
        DataError: the address is no `file://` one, or the bundle there is damaged, does not fit the
            encoder, or is not the announced one.
    """
    address = urlsplit(version.uri)
    if address.scheme != "file" or address.netloc not in ("", "localhost"):
        raise DataError(
            f"The model {version.name}/{version.version} is announced at {version.uri}, no file:// address.",
            "announce a directory that every ranking worker can read, as file:///path.",
        )
    directory = Path(unquote(address.path))
    bundle = Bundle.load(directory, encoder_id=encoder_id, text_dimension=text_dimension)
    if bundle.manifest.sha256 != version.sha256:
        raise DataError(
            f"The bundle in {directory} is not the one announced as {version.name}/{version.version}.",
            "announce the bundle again, or put the announced one back.",
        )
    return bundle
