"""The ranking worker's transform: user states in, slates out; standing slates follow the catalogue."""

from collections.abc import Iterable, Sequence
from itertools import islice

import msgspec

from streams.clock import Clock, from_ms, wall_seconds
from streams.codec import decode_recommendation, decode_user_state
from streams.contracts import Output, Record, Rejected, UserState
from streams.errors import Fatal
from streams.settings import Settings
from streams.store import MemoryStore, ends_of
from streams.topics import RECOMMENDATIONS, USER_STATE
from streams.transform import Changelog, Ends, changelog
from workers.ranking import metrics
from workers.ranking.candidates import Slate
from workers.ranking.expiries import Expiries
from workers.ranking.messages import erasure_records, recommendation, slate_record, vector_record
from workers.ranking.pipeline import Pipeline
from workers.ranking.standing import StandingSlates
from workers.ranking.watching import FreshnessWatch, watch_popularity, watch_quality
from workers.ranking.world import World

_STANDING_A_TURN = 200
"""Standing slates made again in one turn, so that fresh events never wait for more than that."""
Place = tuple[int, bytes]


class RankingTransform:
    """Publishes the slate of every user whose state changed, and of those whose slate lost an item.

    Args:
        world: has a generation already.
    """

    sources = (USER_STATE,)

    def __init__(self, settings: Settings, world: World, clock: Clock = wall_seconds) -> None:
        self._settings = settings
        self._world = world
        self._clock = clock
        self._states = MemoryStore()
        self._standing = StandingSlates()
        self._expiries = Expiries(world.catalogue)
        self._waiting: dict[Place, None] = {}
        self._taken: list[Place] = []
        self._active: frozenset[int] = frozenset()
        self._pipeline: tuple[object, Pipeline] | None = None
        self._freshness = FreshnessWatch()

    def decode(self, record: Record) -> tuple[Record, UserState | None] | Rejected:
        """Return the state, None for an erased user, or why the record holds none."""
        if record.key is None:
            return Rejected(record, "keyless", "a state record needs its user_id as key")
        if record.value is None:
            return record, None
        try:
            return record, decode_user_state(record.value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Rejected(record, "malformed", str(error))

    def handle(self, batch: Sequence[tuple[Record, UserState | None]]) -> Iterable[Output]:
        """Return one slate for every user of the batch, for the newest state only."""
        taken_up = self._clock()
        newest = {(record.partition, record.key or b""): (record, state) for record, state in batch}
        wanted: dict[Place, UserState] = {}
        # A user who was erased and has acted since gets the nulls before the new slate: a state without history
        # has no vector to take the old one's place, and whoever joins by user must hear of both.
        erased_at, nulls = from_ms(int(taken_up * 1000)), [record for record, state in batch if state is None]
        outputs = [output for record in nulls for output in erasure_records(record, erased_at)]
        for place, (record, state) in newest.items():
            self._states.put(*place, record.value)
            self._take(place)
            if state is None:
                self._standing.put(*place, ())
            else:
                wanted[place] = state
        outputs += self._slates(wanted, "event")
        causes = [(newest[place][0], state) for place, state in wanted.items()]
        self._freshness.made(causes, taken_up, self._retrieval_seconds, self._clock())
        return outputs

    def tick(self) -> Iterable[Output]:
        """Follow the whole topics, and make again some of the standing slates that need it."""
        before = self._world.generation
        changed = self._world.follow()
        if before is not None and self._world.generation is not before:
            self._waiting.update(dict.fromkeys(self._standing.everyone()))
        now_ms = int(self._clock() * 1000)
        self._withdraw((*changed, *self._expiries.due(now_ms)), now_ms)
        turn = list(islice((place for place in self._waiting if place[0] in self._active), _STANDING_A_TURN))
        for place in turn:
            self._take(place)
        metrics.WAITING.set(len(self._waiting))
        stored = ((place, self._states.get(*place)) for place in turn)
        return self._slates(
            {place: decode_user_state(value) for place, value in stored if value is not None}, "standing"
        )

    def kept(self, ends: Ends) -> None:
        """Keep states and slates of the batch, which can be read from now on."""
        self._freshness.delivered(self._clock())
        self._states.keep(ends_of(USER_STATE, ends))
        self._standing.keep()
        self._taken.clear()

    def abandoned(self) -> None:
        """Put back what was before the batch; slates that waited wait again."""
        self._freshness.abandoned()
        self._states.undo()
        self._standing.undo()
        self._waiting.update(dict.fromkeys(self._taken))
        self._taken.clear()

    def assigned(self, partitions: Sequence[int]) -> Sequence[Changelog]:
        """Have states and standing slates read back."""
        self._states.open(partitions)
        self._standing.open(partitions)
        return (changelog(USER_STATE, self._states), Changelog(RECOMMENDATIONS, self._stand))

    def restored(self, partitions: Sequence[int]) -> None:
        """Let slates that the catalogue has overtaken wait to be made again."""
        self._active |= set(partitions)
        standing = self._world.catalogue.rows(self._standing.items())
        self._withdraw(standing.tolist(), int(self._clock() * 1000))

    def revoked(self, partitions: Sequence[int]) -> None:
        """Forget states and slates of these partitions."""
        self._states.drop(partitions)
        self._standing.drop(partitions)
        self._waiting = {place: None for place in self._waiting if place[0] not in set(partitions)}
        self._active -= set(partitions)

    def close(self) -> None:
        """Let go of the store."""
        self._states.close()

    def _take(self, place: Place) -> None:
        if place in self._waiting:
            del self._waiting[place]
            self._taken.append(place)

    def _withdraw(self, rows: Sequence[int], now_ms: int) -> None:
        """Let every slate that holds one of these rows wait to be made again, if the row may not be shown."""
        if not rows:
            return
        live = self._world.catalogue.live(now_ms)
        for row in rows:
            if not live[row]:
                item_id = self._world.catalogue[row].item_id
                self._waiting.update(dict.fromkeys(self._standing.holders(item_id)))

    def _slates(self, wanted: dict[Place, UserState], cause: str) -> list[Output]:
        generation = self._world.generation
        if generation is None:
            raise Fatal("The ranking worker has no model.", "this is a defect; report it with the log.")
        if self._pipeline is None or self._pipeline[0] is not generation:
            self._pipeline = (generation, Pipeline(generation, self._settings))
        now = self._clock()
        slates = self._pipeline[1].recommend(list(wanted.values()), int(now * 1000))
        before = [self._standing.get(*place) for place in wanted]
        outputs: list[Output] = []
        for (partition, key), slate in zip(wanted, slates, strict=True):
            message = recommendation(
                slate, generation, self._world.vector_offsets, from_ms(int(now * 1000)), self._settings
            )
            self._standing.put(partition, key, [item.item_id for item in message.items])
            vector = vector_record(partition, slate, generation.model.version, self._settings)
            outputs += [slate_record(partition, message), *([vector] if vector is not None else [])]
        metrics.SLATES[cause].inc(len(slates))
        self._watch(slates, before, [self._standing.get(*place) for place in wanted])
        return outputs

    def _watch(
        self, slates: Sequence[Slate], before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]
    ) -> None:
        if not slates:
            return
        watch_quality(slates, before, after)
        if self._world.generation is not None:
            watch_popularity(slates, self._world.generation)
        metrics.STANDING.set(len(self._standing))
        live = int(self._world.catalogue.live(int(self._clock() * 1000)).sum())
        metrics.COVERAGE.set(min(1.0, self._standing.item_count / live) if live else 0)

    @property
    def _retrieval_seconds(self) -> float:
        return self._pipeline[1].laps.retrieval_seconds if self._pipeline is not None else 0.0

    def _stand(self, partition: int, key: bytes, value: bytes | None) -> None:
        items = () if value is None else decode_recommendation(value).items
        self._standing.load(partition, key, [item.item_id for item in items])
