"""The ranking worker's transform: user states and requests in, slates and answers out.

Standing slates follow the catalogue.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from streams.clock import Clock, from_ms, monotonic_seconds, wall_seconds
from streams.codec import UNREADABLE, decode_user_state, unreadable
from streams.contracts import Output, RankingQuery, Record, Rejected, UserState
from streams.errors import Fatal
from streams.settings import Settings
from streams.store import MemoryStore, ends_of
from streams.topics import RANKING_QUERIES, RECOMMENDATIONS, USER_STATE
from streams.transform import Changelog, Ends, changelog
from workers.ranking import metrics
from workers.ranking.answering import Answering, decode_query, nobody
from workers.ranking.candidates import Slate
from workers.ranking.expiries import Expiries
from workers.ranking.generation import Generation
from workers.ranking.messages import answer_record, erasure_records, rules_version
from workers.ranking.pipeline import Pipeline, Stages
from workers.ranking.publishing import Published, Publishing
from workers.ranking.read_back import ReadBack
from workers.ranking.standing import StandingSlates
from workers.ranking.waiting import Place, Waiting
from workers.ranking.watching import CoverageWatch, FreshnessWatch, watch_popularity, watch_quality
from workers.ranking.world import World

Message = tuple[Record, UserState | RankingQuery | None]
"""A record, and the state or request in it; None for an erased user."""


class RankingTransform:
    """Publishes the slate of every user whose state changed, and of those whose slate lost an item.

    Args:
        world: has a generation already.
        stages: None makes those of the settings.
        monotonic: paces the standing slates.

    Raises:
        SettingError: the settings name a stage that is not there.
    """

    sources: tuple[str, ...] = (USER_STATE, RANKING_QUERIES)

    def __init__(
        self,
        settings: Settings,
        world: World,
        stages: Stages | None = None,
        clock: Clock = wall_seconds,
        monotonic: Clock = monotonic_seconds,
    ) -> None:
        self._settings = settings
        self._world = world
        self._stages = stages or Stages(settings)
        self._clock = clock
        self._answering = Answering(settings.ranking, self._stages)
        self._rules = rules_version(settings)
        if not settings.ranking.requests:
            self.sources = (USER_STATE,)
        self._states = MemoryStore()
        self._standing = StandingSlates()
        self._publishing = Publishing(settings, world.catalogue, self._standing)
        self._expiries = Expiries(world.catalogue)
        self._waiting = Waiting(settings.ranking.standing_per_second, monotonic)
        self._read_back = ReadBack(world, self._publishing, self._waiting)
        self._active: frozenset[int] = frozenset()
        self._pipeline: tuple[Generation, Pipeline] | None = None
        self._freshness = FreshnessWatch()
        self._coverage = CoverageWatch(world.catalogue, self._standing)

    def decode(self, record: Record) -> Message | Rejected:
        """Return the state or request, None for an erased user, or why the record holds none."""
        if record.topic == RANKING_QUERIES:
            query = decode_query(record, self._world.encoder_id, self._world.catalogue.dimension)
            return query if isinstance(query, Rejected) else (record, query)
        if record.key is None:
            return Rejected(record, "keyless", "a state record needs its user_id as key")
        if record.value is None:
            return record, None
        try:
            return record, decode_user_state(record.value)
        except UNREADABLE as error:
            return unreadable(record, error)

    def handle(self, batch: Iterable[Message]) -> Iterable[Output]:
        """Return a slate for every user of the batch, for the newest state only, and an answer to each request."""
        messages = list(batch)
        told = [(record, what) for record, what in messages if not isinstance(what, RankingQuery)]
        outputs = self._handle_states(told) if told else []
        asked = [(record, what) for record, what in messages if isinstance(what, RankingQuery)]
        return [*outputs, *self._answers(asked)] if asked else outputs

    def _handle_states(self, batch: Sequence[tuple[Record, UserState | None]]) -> list[Output]:
        taken_up = self._clock()
        newest = {(record.partition, record.key or b""): (record, state) for record, state in batch}
        wanted: dict[Place, UserState] = {}
        # A user who was erased and has acted since gets the nulls before the new slate: a state without history
        # has no vector to take the old one's place, and whoever joins by user must hear of both.
        erased_at, nulls = from_ms(int(taken_up * 1000)), [record for record, state in batch if state is None]
        outputs = [output for record in nulls for output in erasure_records(record, erased_at)]
        for place, (record, state) in newest.items():
            self._states.put(*place, record.value)
            self._waiting.take(place)
            if state is None:
                self._standing.put(*place, ())
            else:
                wanted[place] = state
        published = self._slates(wanted, "event")
        causes = [(newest[place][0], state) for place, state in wanted.items() if place in published.places]
        self._freshness.made(causes, taken_up, self._retrieval_seconds, self._clock())
        return [*outputs, *published.records]

    def tick(self) -> Iterable[Output]:
        """Follow the whole topics, and make again some of the standing slates that need it."""
        before = self._world.generation
        changed = self._world.follow()
        if before is not None and self._world.generation is not before:
            self._waiting.older_model(self._standing.everyone())
        now_ms = int(self._clock() * 1000)
        self._withdraw((*changed, *self._expiries.due(now_ms)), now_ms)
        turn = self._waiting.turn(self._active)
        metrics.WAITING.set(len(self._waiting))
        self._coverage.measure(now_ms)
        stored = ((place, self._states.get(*place)) for place in turn)
        wanted = {place: decode_user_state(value) for place, value in stored if value is not None}
        return self._slates(wanted, "standing").records

    def kept(self, ends: Ends) -> None:
        """Keep states and slates of the batch, which can be read from now on."""
        self._freshness.delivered(self._clock())
        self._states.keep(ends_of(USER_STATE, ends))
        self._standing.keep()
        self._waiting.keep()

    def abandoned(self) -> None:
        """Put back what was before the batch; slates that waited wait again."""
        self._freshness.abandoned()
        self._states.undo()
        self._standing.undo()
        self._waiting.undo()

    def assigned(self, partitions: Sequence[int]) -> Sequence[Changelog]:
        """Have states and standing slates read back."""
        self._states.open(partitions)
        self._standing.open(partitions)
        return (changelog(USER_STATE, self._states), Changelog(RECOMMENDATIONS, self._read_back.load))

    def restored(self, partitions: Sequence[int]) -> None:
        """Let slates that the catalogue has overtaken wait to be made again."""
        self._read_back.flush()
        self._active |= set(partitions)
        self._withdraw(self._standing.rows(), int(self._clock() * 1000))
        self._world.settle()

    def revoked(self, partitions: Sequence[int]) -> None:
        """Forget states and slates of these partitions."""
        self._states.drop(partitions)
        self._standing.drop(partitions)
        self._waiting.drop(frozenset(partitions))
        self._read_back.drop(frozenset(partitions))
        self._active -= set(partitions)

    def close(self) -> None:
        """Let go of the store."""
        self._states.close()

    def _withdraw(self, rows: Sequence[int], now_ms: int) -> None:
        """Let every slate that holds one of these rows wait to be made again, if the row may not be shown."""
        if not rows:
            return
        changed = np.asarray(rows, np.int64)
        for row in changed[~self._world.catalogue.showable(changed, now_ms)].tolist():
            self._waiting.lost_an_item(self._standing.holders(row))

    def _answers(self, asked: Sequence[tuple[Record, RankingQuery]]) -> Iterator[Output]:
        generation, pipeline = self._ready()
        now_ms = int(self._clock() * 1000)
        for record, query in asked:
            user_id, partition = query.request.user_id, record.partition
            stored = self._states.get(partition, user_id.encode())
            state = nobody(user_id, partition) if stored is None else decode_user_state(stored)
            slate = self._answering.slate(query, state, pipeline, generation, now_ms)
            offsets, now = self._world.vector_offsets, from_ms(now_ms)
            yield answer_record(slate, query, generation, offsets, now, rules=self._rules)
            metrics.ANSWER_SECONDS.observe(max(0.0, self._clock() - query.source.create_time_ms / 1000))

    def _ready(self) -> tuple[Generation, Pipeline]:
        generation = self._world.generation
        if generation is None:
            raise Fatal("The ranking worker has no model.", "this is a defect; report it with the log.")
        if self._pipeline is None or self._pipeline[0] is not generation:
            self._pipeline = (generation, Pipeline(generation, self._settings, self._stages))
        return generation, self._pipeline[1]

    def _slates(self, wanted: dict[Place, UserState], cause: str) -> Published:
        generation, pipeline = self._ready()
        now_ms = int(self._clock() * 1000)
        slates = pipeline.recommend(list(wanted.values()), now_ms)
        published = self._publishing.publish(wanted, slates, generation, self._world.vector_offsets, now_ms)
        metrics.SLATES[cause].inc(len(slates))
        self._watch(slates, published)
        return published

    def _watch(self, slates: Sequence[Slate], published: Published) -> None:
        if slates:
            watch_quality(slates, published.before, published.after)
            if self._world.generation is not None:
                watch_popularity(slates, self._world.generation)

    @property
    def _retrieval_seconds(self) -> float:
        return self._pipeline[1].laps.retrieval_seconds if self._pipeline is not None else 0.0
