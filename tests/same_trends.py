"""Whether two trends say the same, whatever moment their counts are decayed to."""

from collections.abc import Iterator
from math import isclose

from streams.contracts import ItemTrend
from streams.feedback.trends import decayed


def same_trend(one: ItemTrend, other: ItemTrend, rel_tol: float = 1e-9) -> bool:
    """Return whether they count the same, in all and in the same contexts."""
    at_ms = max(one.time_ms, other.time_ms)
    left, right = dict(_numbers(decayed(one, at_ms))), dict(_numbers(decayed(other, at_ms)))
    return left.keys() == right.keys() and all(
        isclose(left[name], right[name], rel_tol=rel_tol, abs_tol=1e-12) for name in left
    )


def _numbers(trend: ItemTrend) -> Iterator[tuple[tuple[str | None, int, int], float]]:
    """Yield every count by context (None for all), kind and window."""
    for context, counts in [(None, trend.counts), *trend.contexts.items()]:
        for kind, of_kind in counts.items():
            for window, value in enumerate(of_kind):
                yield (context, kind, window), value
