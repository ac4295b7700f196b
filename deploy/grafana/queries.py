"""PromQL that several panels share. Rates take `$__rate_interval`, totals over the shown time `$__range`."""

from typing import Final

RATE: Final = "$__rate_interval"
RANGE: Final = "$__range"


def rate(metric: str, *by: str, over: str = RATE) -> str:
    """Return how much a counter grows a second, summed over all but the labels `by`."""
    grouped = f" by ({', '.join(by)})" if by else ""
    return f"sum{grouped} (rate({metric}[{over}]))"


def share(part: str, whole: str, *by: str, over: str = RATE) -> str:
    """Return one counter's growth as a share of another's; no value while the other stands still."""
    return f"{rate(part, *by, over=over)} / ({rate(whole, *by, over=over)} > 0)"


def share_or_zero(part: str, whole: str, over: str = RATE) -> str:
    """Return a share whose part may never have been counted: its series begin with the first one."""
    return f"({rate(part, over=over)} or vector(0)) / ({rate(whole, over=over)} > 0)"


def or_nothing(expr: str, label: str) -> str:
    """Return a 0 whose `label` is "none yet" in the place of an expression that has no series yet."""
    return f'{expr} or on () label_replace(vector(0), "{label}", "none yet", "", "")'


def quantile(q: float, histogram: str, *by: str, over: str = RATE) -> str:
    """Return the q-quantile of a classic histogram (selector in braces allowed), if it moves."""
    name, brace, selector = histogram.partition("{")
    bucket = f"{name}_bucket{brace}{selector}"
    return f"histogram_quantile({q:g}, {rate(bucket, 'le', *by, over=over)}) >= 0"


def mean(histogram: str, *by: str, over: str = RATE) -> str:
    """Return the mean of a histogram's values."""
    name, brace, selector = histogram.partition("{")
    return share(f"{name}_sum{brace}{selector}", f"{name}_count{brace}{selector}", *by, over=over)


def age(timestamp: str, *by: str) -> str:
    """Return the seconds since the newest Unix time that a gauge holds; 0 in it means: not yet."""
    grouped = f" by ({', '.join(by)})" if by else ""
    return f"time() - max{grouped} ({timestamp} > 0)"
