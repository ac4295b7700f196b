"""The embedding worker's transform: catalogue in, one vector an item out, encoded only when its text changed.

Requests in words go through the same language model, and on to the ranking workers.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from encoder.contract import Encoder
from encoder.identity import content_hash
from encoder.texts import item_text
from streams.clock import to_ms
from streams.codec import (
    SCHEMA_VERSION,
    UNREADABLE,
    decode_item,
    decode_item_vector,
    encode_msgpack,
    unreadable,
)
from streams.contracts import Item, ItemVector, Output, Record, Rejected
from streams.privacy.pseudonyms import pseudonymise
from streams.settings import Settings
from streams.store import MemoryStore, ends_of
from streams.topics import CATALOGUE, PASSED_ON_BYTES, RANKING_REQUESTS, item_vectors
from streams.transform import Changelog, Ends, changelog
from workers.requests import Asked, decode_asked, passed_on


class Change(NamedTuple):
    """An item as it is from now on; `item` is None when it was deleted."""

    partition: int
    key: bytes
    item: Item | None


class EmbeddingTransform:
    """Keeps `item.vectors.v1.<encoder id>` in step with the catalogue, partition by partition.

    Args:
        partitions: of every user-keyed topic.
    """

    sources = (CATALOGUE, RANKING_REQUESTS)

    def __init__(self, settings: Settings, encoder: Encoder, partitions: int) -> None:
        self._settings = settings
        self._encoder = encoder
        self._topic = item_vectors(encoder.id)
        self._partitions = partitions
        self._rename = pseudonymise(settings.privacy)
        self._store = MemoryStore()

    def decode(self, record: Record) -> Change | Asked | Rejected:
        """Return the change or the request, or why the record holds none."""
        if record.value is not None and len(record.value) > PASSED_ON_BYTES:
            return Rejected(record, "oversize", f"{len(record.value)} bytes are more than {PASSED_ON_BYTES}")
        return decode_asked(record) if record.topic == RANKING_REQUESTS else _decode_change(record)

    def handle(self, batch: Iterable[Change | Asked]) -> Iterable[Output]:
        """Return the requests, and the newest version of every item; texts that did not change are not encoded."""
        messages = list(batch)
        changes = [what for what in messages if isinstance(what, Change)]
        asked = [what for what in messages if isinstance(what, Asked)]
        requests = passed_on(asked, self._encoder, self._partitions, self._rename) if asked else []
        return [*requests, *self._items(changes)] if changes else requests

    def _items(self, changes: Sequence[Change]) -> list[Output]:
        newest = {(change.partition, change.key): change.item for change in changes}
        texts = {
            place: item_text(item, self._settings.encoder.item_template)
            for place, item in newest.items()
            if item is not None
        }
        vectors = self._vectors(texts)
        outputs = []
        for place, item in newest.items():
            value = None if item is None else encode_msgpack(_message(item, *vectors[place]))
            self._store.put(*place, value)
            outputs.append(Output(self._topic, *place, value))
        return outputs

    def tick(self) -> Iterable[Output]:
        """Return nothing: all that this worker writes is caused by a record."""
        return ()

    def kept(self, ends: Ends) -> None:
        """Keep the vectors of the batch."""
        self._store.keep(ends_of(self._topic, ends))

    def abandoned(self) -> None:
        """Put the vectors from before the batch back."""
        self._store.undo()

    def assigned(self, partitions: Sequence[int]) -> Sequence[Changelog]:
        """Have the vectors of these partitions read back, so that unchanged texts are not encoded again."""
        self._store.open(partitions)
        return (changelog(self._topic, self._store),)

    def restored(self, partitions: Sequence[int]) -> None:
        """Do nothing more."""

    def revoked(self, partitions: Sequence[int]) -> None:
        """Forget the vectors of these partitions."""
        self._store.drop(partitions)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _vectors(self, texts: dict[tuple[int, bytes], str]) -> dict[tuple[int, bytes], tuple[bytes, bytes]]:
        """Return (vector, content hash) by place, taken from the store where the text is the same."""
        found, missing = {}, []
        for place, text in texts.items():
            digest = content_hash(text)
            stored = self._store.get(*place)
            known = decode_item_vector(stored) if stored is not None else None
            if known is not None and known.content_hash == digest:
                found[place] = (known.vector, digest)
            else:
                missing.append((place, text, digest))
        encoded = self._encoder.encode_documents([text for _, text, _ in missing])
        for (place, _, digest), vector in zip(missing, encoded, strict=True):
            found[place] = (vector.astype(np.dtype("<f4")).tobytes(), digest)
        return found


def _message(item: Item, vector: bytes, digest: bytes) -> ItemVector:
    return ItemVector(
        schema_version=SCHEMA_VERSION,
        item_id=item.item_id,
        vector=vector,
        content_hash=digest,
        title=item.title,
        categories=item.categories,
        price=item.price,
        available=item.available,
        expires_at_ms=None if item.expires_at is None else to_ms(item.expires_at),
        attributes=item.attributes,
    )


def _decode_change(record: Record) -> Change | Rejected:
    if record.key is None:
        return Rejected(record, "keyless", "a catalogue record needs its item_id as key")
    if record.value is None:
        return Change(record.partition, record.key, None)
    try:
        item = decode_item(record.value)
    except UNREADABLE as error:
        return unreadable(record, error)
    if item.item_id.encode() != record.key:
        return Rejected(record, "key_mismatch", f"the key is not the item_id {item.item_id!r}")
    return Change(record.partition, record.key, item)
