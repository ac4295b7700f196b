from collections.abc import Callable

from streams.state.arrivals import Arrival
from streams.state.batch import Work
from streams.state.rules import Rules

class Usual:
    def __init__(self, rules: Rules) -> None: ...
    def settle(
        self, waiting: list[Work], tell: Callable[[list[bytes], int], None] | None, /
    ) -> tuple[int, list[Work]]: ...
    def fold(
        self, value: bytes, arrivals: list[Arrival], goes_on: bool, tells: bool, /
    ) -> tuple[bytes, int, list[bytes]] | None: ...
