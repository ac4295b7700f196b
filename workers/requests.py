"""Requests in words: the embedding worker reads them, and passes them on with the vectors of their words.

The language model stays in one worker, and each request goes through it once. Wherever a client put its request,
it is passed on to the partition that owns the user, where their state and so the answer is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from encoder.contract import Encoder
from streams.codec import UNREADABLE, decode_ranking_request, encode_msgpack, unreadable
from streams.contracts import Output, RankingQuery, RankingRequest, Record, Rejected, Source
from streams.partitioner import owner
from streams.privacy.pseudonyms import Pseudonymise
from streams.topics import RANKING_QUERIES

_FLOAT32 = np.dtype("<f4")


class Asked(NamedTuple):
    """A request and where in the log it stands."""

    source: Source
    request: RankingRequest


def decode_asked(record: Record) -> Asked | Rejected:
    """Return the request in a record of `ranking.requests.v1`, or why it holds none."""
    if record.value is None:
        return Rejected(record, "empty", "a request needs a value")
    try:
        request = decode_ranking_request(record.value)
    except UNREADABLE as error:
        return unreadable(record, error)
    source = Source(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        create_time_ms=record.timestamp_ms,
    )
    return Asked(source, request)


def passed_on(
    asked: Sequence[Asked], encoder: Encoder, partitions: int, rename: Pseudonymise | None
) -> list[Output]:
    """Return the requests with the vectors of their words, each for the partition of its user.

    Args:
        partitions: of `ranking.queries.v1`.
        rename: gives users the name that they have inside; None where they keep their own.
    """
    vectors = iter(
        encoder.encode_queries([each.request.query for each in asked if each.request.query is not None])
    )
    outputs = []
    for source, request in asked:
        vector = b"" if request.query is None else next(vectors).astype(_FLOAT32).tobytes()
        user_id = request.user_id if rename is None else rename(request.user_id)
        query = RankingQuery(
            request=msgspec.structs.replace(request, user_id=user_id),
            vector=vector,
            encoder_id=encoder.id,
            source=source,
        )
        key = user_id.encode()
        outputs.append(Output(RANKING_QUERIES, owner(key, partitions), key, encode_msgpack(query)))
    return outputs
