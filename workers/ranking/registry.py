"""`models.v1`: how a trained bundle is announced, and how the one that serves is loaded."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from streams.contracts import ModelVersion
from streams.errors import DataError
from workers.ranking.announcements import as_champion
from workers.ranking.model.bundle import Bundle


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
    directory = _directory_of(version.uri)
    if directory is None:
        raise DataError(
            f"The model {version.name}/{version.version} is announced at {version.uri}, no file:// address.",
            "announce a directory that every ranking worker can read, as file:///path.",
        )
    bundle = Bundle.load(directory, encoder_id=encoder_id, text_dimension=text_dimension)
    if bundle.manifest.sha256 != version.sha256:
        raise DataError(
            f"The bundle in {directory} is not the one announced as {version.name}/{version.version}.",
            "announce the bundle again, or put the announced one back.",
        )
    return bundle


def _directory_of(uri: str) -> Path | None:
    """Return the directory that a `file://` address names, None for any other."""
    try:
        address = urlsplit(uri)
    except ValueError:  # a host in brackets that is none
        return None
    path = unquote(address.path)
    if address.scheme != "file" or address.netloc not in ("", "localhost") or not path or "\0" in path:
        return None
    return Path(path)
