"""The join as a batch of records sees it: states from the table, steps, examples and new states out."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from streams.clock import Clock, from_ms, wall_seconds
from streams.codec import encode_msgpack
from streams.contracts import ActionBatch, Output, Recommendation, Record, Rejected, TrainingExample, UserAction
from streams.dead_letters import dead_letter
from streams.feedback import metrics
from streams.feedback.attribution import acted, deadline_ms, expired, offered
from streams.feedback.deadlines import Deadlines
from streams.feedback.decoding import Erased, Heard
from streams.feedback.join_state import JoinState, decode_join_state, kept, new_state, slate_of
from streams.feedback.outbox import Outbox
from streams.feedback.step import At, Step
from streams.feedback.stream_time import StreamTime
from streams.feedback.tables import AwaitedTable, Change
from streams.feedback.tallies import Tallies
from streams.privacy.receipts import receipt, receipt_record
from streams.settings.feedback import FeedbackSettings
from streams.topics import RECOMMENDATIONS, TRAINING_EXAMPLES, USER_ACTIONS

Committed = Callable[[str, int], int | None]
"""Returns the committed offset of a topic's partition, None when there is none yet."""


class Joining:
    """Handles batches of `user.actions.v1` and `recommendations.v1`.

    A turn of `handle`:

    1. each record changes the state of its user, in the order of the log by partition;
    2. users whose windows the batch has ended are closed;
    3. examples and dead letters are delivered;
    4. the new states are delivered to the table's changelog;
    5. receipts of erasures are delivered: what they tell has happened.

    The caller acknowledges the records then. A crash before 4 repeats the batch from the states before it: the
    same examples, under the same ids. After 4, records are repeated whose offsets are in the states: nothing.
    """

    sources = (USER_ACTIONS, RECOMMENDATIONS)

    def __init__(
        self,
        table: AwaitedTable,
        outbox: Outbox,
        settings: FeedbackSettings,
        committed: Committed,
        clock: Clock = wall_seconds,
    ) -> None:
        self._table = table
        self._outbox = outbox
        self._settings = settings
        self._committed = committed
        self._clock = clock
        self._times: dict[int, StreamTime] = {}
        self._deadlines: dict[int, Deadlines] = {}
        self._tallies = Tallies(settings.model_versions)
        self._open: dict[bytes, JoinState | None] = {}

    def recovered(self, partitions: frozenset[int]) -> None:
        """Take the table as Faust has recovered it; `partitions` are all that are owned now."""
        self._times = {number: self._times.get(number) or self._new_time() for number in partitions}
        self._deadlines = {number: Deadlines() for number in partitions}
        gone = []
        for key, value in self._table.items():
            state = decode_join_state(value)
            if state.partition in partitions:
                self._deadlines[state.partition].set(key, deadline_ms(state, self._settings))
            else:
                gone.append(key)
        self._table.forget(gone)
        metrics.USERS.set(len(self._table))

    async def handle(self, batch: Sequence[Heard]) -> None:
        """Make what these records cause permanent.

        Raises:
            Transient: the broker did not take it; the records are to be read again by a new process.
        """
        examples: list[tuple[int, TrainingExample]] = []
        letters: list[Output] = []
        receipts: list[Output] = []
        for record, message in batch:  # 1
            if isinstance(message, Rejected):
                metrics.REJECTED.labels(record.topic, message.reason).inc()
                letters.append(dead_letter(message))
            elif isinstance(message, Erased):
                self._open[record.key or b""] = None
                receipts += self._receipts(record, message)
            else:
                for said in message.actions if isinstance(message, ActionBatch) else (message,):
                    step = self._step(record, said)
                    examples += [(record.partition, example) for example in step.examples]
        for number in {record.partition for record, _ in batch}:  # 2
            examples += [(number, example) for example in self._swept(number)]
        await self._outbox.deliver([*letters, *map(_example_record, examples)])  # 3
        await self._table.write(self._changes({record.key: record.partition for record, _ in batch}))  # 4
        await self._outbox.deliver(receipts)  # 5
        self._open.clear()
        self._tallies.count()
        metrics.USERS.set(len(self._table))

    def _receipts(self, record: Record, message: Erased) -> Iterable[Output]:
        """Return the receipt of an erasure: for the null slate, which is written after the other null."""
        if message.erasure_id is not None and record.topic == RECOMMENDATIONS:
            now = from_ms(int(self._clock() * 1000))
            told = receipt("feedback", message.erasure_id, message.user_id, ["slates and actions in memory"], now)
            yield receipt_record(record.partition, told)

    def _step(self, record: Record, message: UserAction | Recommendation) -> Step:
        key = message.user_id.encode()
        state = self._state(key) or new_state(message.user_id, record.partition)
        if isinstance(message, UserAction):
            action = kept(message)
            at = self._at(record, action.time_ms)
            step = acted(state, at, action, self._settings)
        else:
            slate = slate_of(message)
            self._tallies.version_label(slate.model_version)
            at = self._at(record, slate.time_ms)
            step = offered(state, at, slate, self._settings)
        self._put(record.partition, key, state, step)
        return step

    def _at(self, record: Record, time_ms: int) -> At:
        clock = self._times.setdefault(record.partition, self._new_time())
        return At(record.topic, record.offset, clock.advance(record.topic, time_ms, record.timestamp_ms))

    def _swept(self, partition: int) -> Iterable[TrainingExample]:
        """Return the examples of everything in a partition that stream time has ended."""
        now_ms = self._times.setdefault(partition, self._new_time()).now_ms
        found: list[TrainingExample] = []
        for key in self._deadlines.setdefault(partition, Deadlines()).due(now_ms):
            state = self._state(key)
            if state is None:
                continue
            if state.empty and self._is_committed(state):
                self._open[key] = None
                continue
            step = expired(state, now_ms, self._settings)
            self._put(partition, key, state, step)
            if step.state is state:
                later_ms = now_ms if state.empty else deadline_ms(state, self._settings)
                self._deadlines[partition].set(key, later_ms)
            found += step.examples
        return found

    def _is_committed(self, state: JoinState) -> bool:
        """Return whether no record that this state has applied can be read again."""
        for topic in self.sources:
            applied, committed = state.applied.get(topic), self._committed(topic, state.partition)
            if applied is not None and (committed is None or committed <= applied):
                return False
        return True

    def _state(self, key: bytes) -> JoinState | None:
        if key in self._open:
            return self._open[key]
        value = self._table.get(key)
        return None if value is None else decode_join_state(value)

    def _put(self, partition: int, key: bytes, before: JoinState, step: Step) -> None:
        self._tallies.add(step)
        if step.state is not before:
            self._open[key] = step.state
            deadline = deadline_ms(step.state, self._settings)
            self._deadlines.setdefault(partition, Deadlines()).set(key, deadline)

    def _changes(self, homes: Mapping[bytes | None, int]) -> dict[bytes, Change]:
        changes: dict[bytes, Change] = {}
        for key, state in self._open.items():
            if state is not None:
                changes[key] = (state.partition, encode_msgpack(state))
            elif (stored := self._table.get(key)) is not None:
                changes[key] = (decode_join_state(stored).partition, None)
            elif key in homes:
                changes[key] = (homes[key], None)
        return changes

    def _new_time(self) -> StreamTime:
        jump_ms, patience_ms = self._settings.jump_seconds * 1000, self._settings.patience_seconds * 1000
        return StreamTime(self.sources, int(jump_ms), int(patience_ms))


def _example_record(example: tuple[int, TrainingExample]) -> Output:
    partition, message = example
    return Output(TRAINING_EXAMPLES, partition, message.user_id.encode(), encode_msgpack(message))
