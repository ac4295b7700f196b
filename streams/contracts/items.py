"""The catalogue: `catalog.items.v1` (JSON) and `item.vectors.v1.<encoder id>` (msgpack), keyed by `item_id`.

A record without a value deletes the item, on either topic.
"""

import msgspec

from streams.contracts.fields import Attribute, Identifier, Moment, Scalar, Text, Title


class Item(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="schema_version",
    tag=1,
):
    """One item of the catalogue, as its owner describes it.

    Attributes:
        available: false keeps the item in the catalogue and out of every slate.
        expires_at: from this moment on the item is in no slate.
        price: in the catalogue's own currency unit.
    """

    item_id: Identifier
    title: Title
    description: Text = ""
    categories: tuple[Title, ...] = ()
    price: float | None = None
    attributes: dict[str, Attribute] = msgspec.field(default_factory=dict)
    available: bool = True
    expires_at: Moment | None = None
    image_url: Text | None = None


class ItemVector(msgspec.Struct, frozen=True, array_like=True):
    """What ranking needs of an item: its text vector and the fields that filters read.

    Attributes:
        vector: float32 little-endian, unit length, `encoder.dimension` numbers.
        content_hash: 16 bytes of the encoded text's BLAKE2b; equal hashes need no new encoding.
        expires_at_ms: milliseconds since the epoch, or None for never.
        attributes: the catalogue's open map; absent in records that were written before there was one.
    """

    schema_version: int
    item_id: str
    vector: bytes
    content_hash: bytes
    title: str
    categories: tuple[str, ...]
    price: float | None
    available: bool
    expires_at_ms: int | None
    attributes: dict[str, Scalar] = msgspec.field(default_factory=dict)
