"""The commands with which a person goes on where the demo ended."""

import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from streams.clock import from_ms, wall_seconds
from streams.codec import encode_json
from streams.contracts import Event, EventType


def show_commands(console: Console, address: str, user_id: str, item_id: str) -> None:
    """Print how to watch a user's slate, to send one click of theirs, and to see the slate that follows."""
    event = Event(
        event_id="by-hand-1",
        event_type=EventType.CLICK,
        user_id=user_id,
        item_id=item_id,
        event_time=from_ms(int(wall_seconds()) * 1000),
    )
    headrace, user = _command(), shlex.quote(user_id)
    broker = f"--bootstrap-servers {address}"
    console.print(Text("\nEverything is still up. In another terminal:\n", style="bold"))
    for line in (
        f"{headrace} recommendations tail --user {user} --titles {broker}",
        f"echo {shlex.quote(encode_json(event).decode())} | {headrace} events produce - {broker}",
        f"{headrace} recommendations get {user} --titles {broker}",
    ):
        console.print(Text(f"  {line}"), soft_wrap=True)
    console.print(Text("\nGive every further event an event_id of its own. Ctrl-C ends it all.", style="dim"))


def _command() -> str:
    script = Path(sys.executable).with_name("headrace")
    if not script.exists():
        return f"{sys.executable} -m workers.cli"
    return str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)
