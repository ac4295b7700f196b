"""`ranking.requests.v1` and its answers: what a client wants ranked now, in its own words. By `user_id`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.contracts.fields import Attribute, Identifier, Moment
from streams.contracts.recommendations import RecommendedItem, Source

Words = Annotated[str, Meta(min_length=1, max_length=2_000)]
_Excluded = Annotated[tuple[Identifier, ...], Meta(max_length=1_000)]
_Length = Annotated[int, Meta(ge=1, le=1_000)]


class RankingRequest(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="schema_version",
    tag=1,
):
    """A slate that is wanted now, on `ranking.requests.v1`. JSON.

    Attributes:
        request_id: comes back in the answer; the client's to choose, and to keep apart.
        query: what to look for, in the client's own words; None for the user's ordinary slate.
        length: items wanted; None takes `ranking.slate_length`.
        exclude: ids of items that the answer must not hold.
        include_seen: whether items that the user has acted on or bought may be in it: who looks for something
            by its name often wants it again.
        context: where the user is, with what, as in an `Event`; its field `state.trend_context` chooses what
            counts as rising. Where it does not say, the newest event of the user does.
    """

    request_id: Identifier
    user_id: Identifier
    query: Words | None = None
    length: _Length | None = None
    exclude: _Excluded = ()
    include_seen: bool = False
    context: dict[str, Attribute] = msgspec.field(default_factory=dict)


class RankingQuery(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema_version", tag=1):
    """A request with the vector of its words, on `ranking.queries.v1`. msgpack, internal.

    Attributes:
        request: with the name that the internal topics have for the user.
        vector: little-endian float32, unit length; empty without words.
        encoder_id: whose vector it is.
        source: the request's record.
    """

    request: RankingRequest
    vector: bytes
    encoder_id: str
    source: Source


class Answer(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="schema_version",
    tag=1,
):
    """The slate that answers a request, on `ranking.answers.v1`. JSON. A replay may repeat it.

    Attributes:
        items: best first; fewer than asked for where not more may be shown. The score's part `query` is how near
            the item's text is to the words.
        source: the request's record.
        vector_offsets: as in `Recommendation`.
    """

    request_id: str
    user_id: str
    items: tuple[RecommendedItem, ...]
    source: Source
    generated_at: Moment
    model_version: str
    vector_offsets: tuple[int, ...]
    encoder_id: str
    rules_version: str = ""
    query: str | None = None
