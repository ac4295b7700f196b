"""From the slates of a batch to the records that publish them; what stands already may be held back."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from streams.clock import from_ms
from streams.contracts import Output, StandingSlate
from streams.settings import Settings
from workers.ranking import metrics
from workers.ranking.candidates import Slate
from workers.ranking.catalogue import Catalogue
from workers.ranking.generation import Generation
from workers.ranking.id_rows import UNKNOWN
from workers.ranking.messages import recommendation, rules_version, slate_record, vector_record
from workers.ranking.standing import UNSTAMPED, Stamp, StandingSlates
from workers.ranking.waiting import Place

Standing = tuple[Place, StandingSlate | None]
Lack = Literal["item", "model"]


class Published(NamedTuple):
    """What became of the slates of a batch.

    Attributes:
        records: to be written.
        places: whose slates are among them.
        before: rows of the slate that stood before, one a slate, () where none did.
        after: rows that stand from now on.
    """

    records: list[Output]
    places: frozenset[Place]
    before: list[tuple[int, ...]]
    after: list[tuple[int, ...]]


class Publishing:
    """Decides which slates are published, and notes what stands.

    Args:
        standing: is brought up to date, as part of the open batch.
    """

    def __init__(self, settings: Settings, catalogue: Catalogue, standing: StandingSlates) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._standing = standing
        self._rules = rules_version(settings)
        self._only_changed = settings.ranking.publish == "changed"
        self._heartbeat_ms = settings.ranking.heartbeat_seconds * 1000

    def publish(
        self,
        places: Iterable[Place],
        slates: Sequence[Slate],
        generation: Generation,
        vector_offsets: tuple[int, ...],
        now_ms: int,
    ) -> Published:
        """Return the records of these slates, one a place; user vectors are published in any case."""
        stamp = Stamp(self._made_by(generation.model.version, self._rules), now_ms)
        made = Published([], frozenset(), [], [])
        published = []
        for place, slate in zip(places, slates, strict=True):
            items = tuple(slate.rows.tolist())
            made.before.append(before := self._standing.get(*place))
            made.after.append(items)
            if self._only_changed and items == before and self._stands(place, stamp):
                metrics.SUPPRESSED.inc()
            else:
                message = recommendation(
                    slate,
                    generation,
                    vector_offsets,
                    from_ms(now_ms),
                    valid_seconds=self._settings.ranking.valid_seconds,
                    rules=self._rules,
                )
                made.records.append(slate_record(place[0], message))
                self._standing.put(*place, items, stamp if self._only_changed else UNSTAMPED)
                published.append(place)
            vector = vector_record(place[0], slate, generation.model.version, self._settings)
            if vector is not None:
                made.records.append(vector)
        return made._replace(places=frozenset(published))

    def stand(self, told: Sequence[Standing], model_version: str) -> Iterator[tuple[Place, Lack | None]]:
        """Note what was published before, as no part of a batch.

        Args:
            told: places and what was published there, in order; None where it was withdrawn.
            model_version: of the model that serves.

        Yields:
            What each slate lacks: an item, which was deleted while no worker looked and compacted away since; or
            that model, under the rules in force. None: it is as this worker would have made it.
        """
        items = [message.items if message is not None else () for _, message in told]
        rows = self._catalogue.rows_or_minus_one([item.item_id for listed in items for item in listed]).tolist()
        ends = accumulate(map(len, items))
        for (place, message), listed, end in zip(told, items, ends, strict=True):
            if message is None:
                self._standing.load(*place, ())
                yield place, None
                continue
            made_by = self._made_by(message.model_version, message.rules_version)
            made_ms = int(message.generated_at.timestamp() * 1000)
            known = [row for row in rows[end - len(listed) : end] if row != UNKNOWN]
            self._standing.load(*place, known, Stamp(made_by, made_ms) if self._only_changed else UNSTAMPED)
            if len(known) < len(listed):
                yield place, "item"
            else:
                yield place, None if made_by == self._made_by(model_version, self._rules) else "model"

    def _stands(self, place: Place, stamp: Stamp) -> bool:
        made_by, made_ms = self._standing.stamp(*place)
        return made_by == stamp.made_by and stamp.made_ms - made_ms < self._heartbeat_ms

    @staticmethod
    def _made_by(model_version: str, rules: str) -> str:
        return f"{model_version}/{rules}"
