"""`recommendations.v1`: the newest slate of a user. JSON, keyed by `user_id`."""

from hashlib import blake2b

import msgspec

from streams.contracts.fields import Moment


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The place in the log of the newest event behind a message.

    Attributes:
        create_time_ms: that record's CreateTime, milliseconds since the epoch; freshness
            is measured from it, on the log's own clock.
    """

    topic: str
    partition: int
    offset: int
    create_time_ms: int


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an item is in a slate.

    Attributes:
        code: `learned`, `popular`, `lookalike`, `trending` (the source that proposed it),
            `similar_item` (its nearest neighbour among the user's own items, in the model's
            space) or `no_history` (nothing is known of this user yet).
        item_id: the user's own item that `similar_item` speaks of.
    """

    code: str
    item_id: str | None = None


class RecommendedItem(msgspec.Struct, frozen=True):
    """One place of a slate: `rank` counts from 1, a higher `score` is better."""

    item_id: str
    rank: int
    score: float
    reasons: tuple[Reason, ...]


class Recommendation(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="schema_version",
    tag=1,
):
    """A slate, best item first, with everything needed to tell where it came from.

    Attributes:
        recommendation_id: see `recommendation_id()`; a replay gives the same id.
        caused_by: ids of the events that this slate answers.
        last_event_time: the largest event time of the user.
        valid_until: after this moment the slate should not be shown.
        vector_offsets: next offset of each partition of the item vector topic that was
            applied when the slate was made.
    """

    recommendation_id: str
    user_id: str
    items: tuple[RecommendedItem, ...]
    caused_by: tuple[str, ...]
    source: Source
    last_event_time: Moment
    generated_at: Moment
    valid_until: Moment
    model_version: str
    vector_offsets: tuple[int, ...]
    encoder_id: str


def recommendation_id(user_id: str, partition: int, offset: int, model_version: str) -> str:
    """Return 32 hexadecimal digits that name the slate of one user, record and model."""
    name = msgspec.json.encode((user_id, partition, offset, model_version))
    return blake2b(name, digest_size=16).hexdigest()
