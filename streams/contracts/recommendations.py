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
        code: first how much is known of the user: `no_history` (nothing yet), `few_events` or
            `history`. Then the sources that proposed the item: `learned` (near the learned user
            vector), `popular`, `trending` (taken up more than before), `lookalike` (liked by similar
            users), `neighbours` (near one of the user's newest items), `covisited` (others went on to
            it from them), `together` (it goes with them), `text` (its text is like theirs), `query` (near
            the words that were asked for, in answers only), `pinned` (the operator gave it its place), or a
            plug-in's name. Last `similar_item`, the nearest of the user's own items, in the model's space.
            New codes may come; pass over those that you do not know.
        item_id: the user's own item that `similar_item` speaks of.
        context: where or with what `trending` holds, such as a country; absent where it holds everywhere.
    """

    code: str
    item_id: str | None = None
    context: str | None = None


class RecommendedItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place of a slate: `rank` counts from 1, a higher `score` is better.

    Where the operator asks for diversity, caps or pins, ranks need not follow scores.

    Attributes:
        parts: what the score is the sum of: `model`, or `popularity` where nothing is known of the
            user, `evidence`, the second stage's correction, `boost`, the operator's, and in answers `query`,
            how near the item is to the words; what is zero is left out.
    """

    item_id: str
    rank: int
    score: float
    reasons: tuple[Reason, ...]
    parts: dict[str, float] | None = None


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
        rules_version: names the operator's settings that decide what is in a slate: sources, filters,
            rules, boosts and the like. Equal for equal settings.
        degraded: absent, or what there was time for instead of the whole model: `model` (all but the
            cross-encoder), `vector` (ordered by the learned vector alone) or `popular`.
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
    rules_version: str = ""
    degraded: str | None = None


class StandingItem(msgspec.Struct, frozen=True):
    """An item of a slate, without why it is there."""

    item_id: str


class StandingSlate(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema_version", tag=1):
    """Of a `Recommendation`, what its maker reads back after a restart: in a ninth of the time of the whole.

    Attributes: as of `Recommendation`.
    """

    items: tuple[StandingItem, ...]
    generated_at: Moment
    model_version: str
    rules_version: str = ""


def recommendation_id(user_id: str, partition: int, offset: int, model_version: str) -> str:
    """Return 32 hexadecimal digits that name the slate of one user, record and model."""
    name = msgspec.json.encode((user_id, partition, offset, model_version))
    return blake2b(name, digest_size=16).hexdigest()
