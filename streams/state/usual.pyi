from datetime import datetime

from streams.state.arrivals import Arrival
from streams.state.rules import Rules

class Usual:
    def __init__(self, rules: Rules, tells: bool) -> None: ...
    def fold(
        self, value: bytes, arrivals: list[Arrival], goes_on: bool, /
    ) -> tuple[bytes, int, list[bytes]] | None: ...

def to_ms(moment: datetime, /) -> int: ...
