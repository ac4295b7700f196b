"""`manifest.json` of a bundle: what the files are, what they fit, and where they came from."""

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from streams.errors import DataError
from streams.settings.state import RatingScale
from streams.settings.training import NOT_LEARNED, TrainingSettings
from workers.ranking.model.towers import Shape

FORMAT_VERSION = 3
RETRAIN = "train the model again with `headrace train`, or point to another bundle."


class DataFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle was trained on.

    Attributes:
        first_event_ms: milliseconds since the epoch.
        last_event_ms: milliseconds since the epoch; popularity is as of this moment.
        interactions: events that were learned from.
        users: who caused them.
        ignored: events that were not learned from, by reason.
        sha256: of the interactions, 64 hexadecimal digits.
    """

    first_event_ms: int
    last_event_ms: int
    interactions: int
    users: int
    ignored: dict[str, int]
    sha256: str


class Origin(msgspec.Struct, frozen=True):
    """Which language model a cross-encoder's weights belong to.

    Attributes:
        name: as the settings named it in training.
        revision: of a Hugging Face model.
        sha256: of the weights that stand still and the tokenizer's words, 64 hexadecimal digits.
    """

    name: str
    revision: str | None
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything about a bundle but its numbers.

    Attributes:
        version: of what is learned: equal weights, items, settings and data have equal versions.
        files: name to SHA-256, 64 hexadecimal digits.
        shape: sizes of the towers.
        features: what the re-ranker reads, in order; empty without a re-ranker.
        settings: the `TrainingSettings` in force.
        metrics: what training measured, by name.
        base_model: the language model that a cross-encoder's weights belong to; absent without one.
        checksum: SHA-256 of this manifest with an empty `checksum`.
    """

    format_version: int
    version: str
    encoder_id: str
    shape: dict[str, int]
    rating_low: float
    rating_high: float
    files: dict[str, str]
    features: tuple[str, ...]
    settings: dict[str, Any]
    data: DataFacts
    metrics: dict[str, float]
    created_at: datetime
    base_model: Origin | msgspec.UnsetType = msgspec.UNSET
    checksum: str = ""

    @property
    def tower_shape(self) -> Shape:
        """Return `shape` as the towers take it."""
        return Shape(**self.shape)

    @property
    def rating_scale(self) -> RatingScale:
        """Return the scale that ratings were read on."""
        return RatingScale(low=self.rating_low, high=self.rating_high)

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the file `manifest.json`, 64 hexadecimal digits."""
        return hashlib.sha256(self.to_json()).hexdigest()

    def to_json(self) -> bytes:
        """Return the bytes of `manifest.json`; equal manifests have equal bytes."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=2) + b"\n"


def seal(
    *,
    encoder_id: str,
    shape: Shape,
    rating_scale: RatingScale,
    files: dict[str, str],
    features: tuple[str, ...],
    settings: TrainingSettings,
    data: DataFacts,
    metrics: dict[str, float],
    created_at: datetime,
    base_model: Origin | None = None,
) -> Manifest:
    """Return a manifest with its version and checksum filled in."""
    draft = Manifest(
        format_version=FORMAT_VERSION,
        version="",
        encoder_id=encoder_id,
        shape=shape._asdict(),
        rating_low=rating_scale.low,
        rating_high=rating_scale.high,
        files=files,
        features=features,
        settings=settings.model_dump(mode="json", exclude=set(NOT_LEARNED)),
        data=data,
        metrics={},
        created_at=datetime.min,
        base_model=msgspec.UNSET if base_model is None else base_model,
    )
    named = msgspec.structs.replace(
        draft,
        version=hashlib.sha256(draft.to_json()).hexdigest()[:12],
        # Whole numbers would be written without a point and come back with one: another byte, a broken seal.
        metrics={name: float(value) for name, value in metrics.items()},
        created_at=created_at,
    )
    return msgspec.structs.replace(named, checksum=named.sha256)


def parse(content: bytes, origin: str) -> Manifest:
    """Return the manifest in the bytes of `manifest.json`.

    Args:
        content: the bytes.
        origin: names the bundle in the error.

    Raises:
        DataError: a byte differs from what was sealed, or the format is a later one.
    """
    try:
        format_version = msgspec.json.decode(content, type=_Format).format_version
        if format_version != FORMAT_VERSION:
            raise DataError(
                f"The model bundle {origin} has format {format_version}, this Headrace reads {FORMAT_VERSION}.",
                "run the Headrace that made it, or train again.",
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"The manifest of the model bundle {origin} is damaged: {error}.", RETRAIN) from None
    unsealed = msgspec.structs.replace(manifest, checksum="")
    if unsealed.sha256 != manifest.checksum or manifest.to_json() != content:
        raise DataError(f"The manifest of the model bundle {origin} was changed after training.", RETRAIN)
    return manifest


class _Format(msgspec.Struct):
    format_version: int
