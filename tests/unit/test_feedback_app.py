"""What the app's own consumer does otherwise than Faust's."""

import asyncio
from typing import Any

from faust.types import TP
from faust.types.enums import ProcessingGuarantee
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.feedback.app import feedback_app
from streams.settings import load_settings

PLACE = TP("user.actions.v1", 0)


SETTINGS = load_settings(kafka={"bootstrap_servers": "127.0.0.1:1"})


async def _ignore(_: Any) -> None: ...


async def _committable(transactions: list[tuple[int, int]], commit_between: bool) -> tuple[list[int], int]:
    """Return the offsets that were committed, and the next offset after all records.

    Args:
        transactions: records, and offsets behind them that hold none (a marker, records of an aborted one).
    """
    app = feedback_app(SETTINGS, 1, embedded=False)
    consumer: Any = app.transport.create_consumer(
        _ignore, on_partitions_revoked=_ignore, on_partitions_assigned=_ignore
    )
    consumer._thread.thread_loop.close()  # it is never started, and so would never close it
    offset, read, commits = 0, None, []
    for number, (records, holes) in enumerate(transactions):
        for place in range(offset, offset + records):
            if read is not None and place - read > 1:  # as `_drain_messages` does
                await consumer._add_gap(PLACE, read + 1, place)
            read = place
            consumer._acked[PLACE].append(place)
        offset += records + holes
        if commit_between or number == len(transactions) - 1:
            found = consumer._new_offset(PLACE)
            assert found is not None
            consumer._committed_offset[PLACE] = found
            commits.append(found)
    assert not consumer._acked[PLACE]
    return commits, (read or 0) + 1


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=20), st.booleans())
def test_one_commit_takes_everything_that_was_handled_whatever_lies_between(
    transactions: list[tuple[int, int]], commit_between: bool
) -> None:
    commits, end = asyncio.run(_committable(transactions, commit_between))
    assert commits[-1] == end
    assert len(commits) == (len(transactions) if commit_between else 1)


def test_the_app_makes_no_folders_and_serves_no_tables() -> None:
    app = feedback_app(SETTINGS, 4, embedded=False)
    app._create_directories()
    assert not app.conf.datadir.exists()
    assert not app.conf.web_enabled
    assert str(app.conf.processing_guarantee) == str(ProcessingGuarantee.AT_LEAST_ONCE)
