"""`models.v1`: which model bundles exist (`name/version`) and which one serves (`name@champion`). JSON."""

import msgspec

from streams.contracts.fields import Moment


class ModelVersion(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="schema_version",
    tag=1,
):
    """A trained bundle that workers may load.

    Attributes:
        uri: `file://` address of the bundle's directory that every ranking worker can read.
        sha256: of the bundle's manifest, 64 hexadecimal digits.
        encoder_id: the encoder whose text vectors the bundle was trained on.
        metrics: what training measured, by name (`validation_ndcg_at_10`, ...).
    """

    name: str
    version: str
    uri: str
    sha256: str
    encoder_id: str
    created_at: Moment
    metrics: dict[str, float]


class ModelAlias(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="schema_version",
    tag=1,
):
    """`name@champion` -> the version that serves."""

    name: str
    alias: str
    version: str
