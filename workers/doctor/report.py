"""The findings for a person."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from workers.doctor.findings import Finding, Status, counted

_MARKS = {
    Status.OK: ("ok", "green"),
    Status.WARNING: ("warning", "yellow"),
    Status.PROBLEM: ("problem", "bold red"),
    Status.SKIPPED: ("skipped", "dim"),
}


def show(findings: Sequence[Finding], console: Console | None = None) -> None:
    """Write one line a finding, and under it what to do; then how many there are of each kind."""
    console = Console(highlight=False) if console is None else console
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        mark, style = _MARKS[finding.status]
        said = Text(finding.said)
        if finding.action:
            said.append(f"\n→ {finding.action}", style="bold")
        table.add_row(Text(mark, style=style), Text(finding.check), said)
    console.print(table)
    counts = {status: sum(finding.status is status for finding in findings) for status in Status}
    if counts[Status.PROBLEM] or counts[Status.WARNING]:
        console.print(
            f"{counted(counts[Status.PROBLEM], 'problem')}, {counted(counts[Status.WARNING], 'warning')}."
        )
    else:
        console.print("All is well.")
