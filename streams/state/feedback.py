"""What the feedback app is told: each accepted act on an item."""

from collections.abc import Iterator, Sequence

from streams.codec import encode_action_batch, encode_msgpack
from streams.contracts import Headers, Output
from streams.state.arrivals import CONTEXT, ITEM_ID, Arrival
from streams.topics import USER_ACTIONS

RECORD_BYTES = 64 * 1024
"""Most bytes of a record of several entries: the reader takes whole records, and keeps many in a queue."""

_RECORD_ENTRIES = 256


class Feedback:
    """Gathers the accepted events of one batch that name an item.

    Args:
        context_field: of the events' `context`, whose value is told with each; empty for none.
    """

    def __init__(self, context_field: str = "") -> None:
        self._fields = CONTEXT + 1 if context_field else CONTEXT  # of an arrival
        self._outputs: list[Output] = []
        self._actions: dict[int, list[bytes]] = {}

    def actions_of(self, accepted: Sequence[Arrival]) -> list[bytes]:
        """Return what accepted events are told as: each an encoded `UserAction`.

        Args:
            accepted: with the user's id as the internal topics have it.
        """
        fields = self._fields
        return [encode_msgpack(arrival[:fields]) for arrival in accepted if arrival[ITEM_ID] is not None]

    def add(self, actions: Sequence[bytes], partition: int) -> None:
        """Take in what `actions_of` returned for one user: the events themselves, much larger, can go.

        Args:
            partition: of the records.
        """
        self._actions.setdefault(partition, []).extend(actions)

    def erased(self, partition: int, key: bytes, headers: Headers) -> None:
        """Say that what was told of the user so far is to be forgotten.

        The feedback app hears of it from the null slate too. But it reads slates and actions in any order, and of
        the actions from before the erasure only this null says that they are from before it.
        """
        self._tell(partition)
        self._outputs.append(Output(USER_ACTIONS, partition, key, None, headers))

    def outputs(self) -> list[Output]:
        """Return the records of the batch, on the partitions of what they tell of."""
        for partition in list(self._actions):
            self._tell(partition)
        return self._outputs

    def _tell(self, partition: int) -> None:
        actions = self._actions.pop(partition, [])
        for start in range(0, len(actions), _RECORD_ENTRIES):
            for value in _fitting(actions[start : start + _RECORD_ENTRIES]):
                self._outputs.append(Output(USER_ACTIONS, partition, None, value))


def _fitting(actions: Sequence[bytes]) -> Iterator[bytes]:
    """Return the values of as many records as these actions need, in order: `ActionBatch`."""
    value = encode_action_batch(actions)
    half = len(actions) // 2
    if len(value) <= RECORD_BYTES or not half:
        yield value
        return
    yield from _fitting(actions[:half])
    yield from _fitting(actions[half:])
