"""What a person sees while the demo runs, on standard error: a live view, or plain lines in a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streams.clock import monotonic_seconds
from workers.demo.numbers import Numbers

_PLAIN_SECONDS = 5.0

Advance = Callable[[int], None]
Show = Callable[[Numbers], None]


class Screen:
    """Tells what is being done."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)

    def say(self, text: str) -> None:
        """Show one line."""
        self._console.print(Text(text))

    def step(self, number: int, text: str) -> None:
        """Show the begin of a step."""
        self._console.print(Text.assemble((f"{number:>2}  ", "bold cyan"), text), soft_wrap=True)

    @contextmanager
    def bar(self, title: str, total: int, check: Callable[[], None]) -> Iterator[Advance]:
        """Yield what moves a bar of `total` steps: it takes the steps that are done, and calls `check`."""
        if not self._console.is_terminal:
            every = _Every(_PLAIN_SECONDS)

            def tell(done: int) -> None:
                check()
                if done == total or every.due():
                    self.say(f"    {title}: {done:,} of {total:,}")

            yield tell
            return
        columns = (
            TextColumn("    {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )  # fmt: skip
        with Progress(*columns, console=self._console, transient=False) as progress:
            task = progress.add_task(title, total=total)

            def move(done: int) -> None:
                check()
                progress.update(task, completed=done)

            yield move

    @contextmanager
    def live(self) -> Iterator[Show]:
        """Yield what shows the numbers of a replay."""
        if not self._console.is_terminal:
            every = _Every(_PLAIN_SECONDS)
            yield lambda numbers: self.say(f"    {_line(numbers)}") if every.due() else None
            return
        with Live(console=self._console, refresh_per_second=4) as live:
            yield lambda numbers: live.update(_view(numbers))


class _Every:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = monotonic_seconds()

    def due(self) -> bool:
        if (now := monotonic_seconds()) - self._last < self._seconds:
            return False
        self._last = now
        return True


def milliseconds(seconds: float | None) -> str:
    """Return a duration as a person reads it, `-` for none."""
    return "-" if seconds is None else f"{seconds * 1000:,.0f} ms"


def _line(numbers: Numbers) -> str:
    return (
        f"{numbers.sent:,}/{numbers.total:,} events · {numbers.events_per_second:,.0f} events/s · "
        f"{numbers.slates_per_second:,.0f} slates/s · lag {numbers.lag} · unanswered {numbers.unanswered} · "
        f"freshness p50 {milliseconds(numbers.freshness.p50)}, p99 {milliseconds(numbers.freshness.p99)} · "
        f"hit rate {numbers.hit_rate:.1%}, popularity {numbers.popularity_hit_rate:.1%}"
    )


def _view(numbers: Numbers) -> Group:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim")
    table.add_column()
    fresh = numbers.freshness
    rows = {
        "clicks in": f"{numbers.sent:,} of {numbers.total:,}    {numbers.events_per_second:,.0f} events/s",
        "slates out": f"{numbers.slates_per_second:,.0f} slates/s",
        "lag": f"{numbers.lag} events wait for their slate    {numbers.unanswered} unanswered",
        "freshness": f"p50 {milliseconds(fresh.p50)}    p99 {milliseconds(fresh.p99)}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    table.add_row(
        "hit rate@10",
        Text.assemble(
            ("Headrace ", "bold"), (f"{numbers.hit_rate:.1%}", "bold green"),
            f"    popularity {numbers.popularity_hit_rate:.1%}",
        ),
    )  # fmt: skip
    return Group(ProgressBar(total=numbers.total, completed=numbers.sent, width=60), table)
