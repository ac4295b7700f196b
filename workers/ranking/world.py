"""What every ranking worker knows whole: items, user vectors and the model, followed on their topics."""

import structlog

from index.compaction import Turns
from streams.clock import wall_seconds
from streams.codec import decode_item_trend, decode_item_vector, decode_user_vector
from streams.contracts import ModelVersion, UserVector
from streams.errors import DataError, SettingError
from streams.reading import WholeTopic
from streams.settings import Settings
from streams.topics import ITEM_TRENDS, MODELS, USER_VECTORS, item_vectors
from workers.ranking import metrics
from workers.ranking.adding import check_scorers
from workers.ranking.announcements import Announcements
from workers.ranking.catalogue import Catalogue
from workers.ranking.generation import Generation
from workers.ranking.lookalikes import Lookalikes
from workers.ranking.model.serving import Model
from workers.ranking.model.worth import check_actions
from workers.ranking.registry import load_announced
from workers.ranking.trends import Trends

_log = structlog.get_logger()
_RECORDS_A_TURN = 1_000


class World:
    """Follows the whole topics in the thread that calls `follow`.

    Args:
        encoder_id: whose item vectors are read; a model of another encoder is refused.

    Attributes:
        encoder_id: whose vectors the items have.
        generation: None until a model was announced that can serve.
        busy: whether the last `follow` left records that were there.
    """

    def __init__(self, settings: Settings, encoder_id: str) -> None:
        self.generation: Generation | None = None
        self.busy = False
        self.catalogue = Catalogue(settings.ranking)
        self.trends = Trends()
        self._turns = Turns(opened=False)
        self._settings = settings
        self.encoder_id = encoder_id
        self._announcements = Announcements(settings.ranking.model_name)
        self._tried: tuple[ModelVersion, int] | None = None
        self._serves: ModelVersion | None = None
        self._rows: list[int] = []
        self._changes: list[tuple[str, UserVector | None]] = []
        self._items_topic = WholeTopic(settings, item_vectors(encoder_id), self._item)
        self._users_topic = WholeTopic(settings, USER_VECTORS, self._user, gathers=True)
        self._users_behind = True
        self._models_topic = WholeTopic(settings, MODELS, self._model)
        self._trends_topic = WholeTopic(settings, ITEM_TRENDS, self._trend, gathers=True)
        self._first_topics = (self._items_topic, self._models_topic, self._trends_topic)

    @property
    def caught_up(self) -> bool:
        """Whether every topic was read to its end; that of the users' vectors only where a model wants them."""
        users_wait = self.generation is not None and self._users_behind
        return all(topic.caught_up for topic in self._first_topics) and not users_wait

    @property
    def vector_offsets(self) -> tuple[int, ...]:
        """Next offset of each partition of the item vector topic."""
        return tuple(self._items_topic.offsets)

    def follow(self) -> list[int]:
        """Apply what the topics brought; return the rows of the items that changed.

        A new champion is loaded here and takes the place of the generation whole, or is refused and the old
        one stays. The users' vectors are read from the beginning for it: they are kept nowhere but in its index.
        """
        self.busy = max(topic.poll(_RECORDS_A_TURN) for topic in self._first_topics) == _RECORDS_A_TURN
        metrics.NEWEST_VECTOR.set(self._items_topic.newest_seconds)
        if self._models_topic.caught_up and self._items_topic.caught_up:
            self._swap()
        if self.generation is not None:
            self.generation.refresh(self._rows)
            self._follow_users(self.generation.lookalikes)
        changed, self._rows = self._rows, []
        return changed

    def settle(self) -> None:
        """Let indexes be laid out anew from now on; a start is quicker, and smaller at its largest, without."""
        self._turns.open()

    def close(self) -> None:
        """Stop following."""
        for topic in (*self._first_topics, self._users_topic):
            topic.close()
        if self.generation is not None:
            self.generation.close()

    def _follow_users(self, lookalikes: Lookalikes) -> None:
        self.busy |= self._users_topic.poll(_RECORDS_A_TURN) == _RECORDS_A_TURN
        lookalikes.apply(self._changes)
        self._changes.clear()
        if self._users_behind and self._users_topic.caught_up:
            lookalikes.complete()
            self._users_behind = False

    def _swap(self) -> None:
        champion = self._announcements.champion
        if champion is None or self._tried == (champion, self._announcements.times_named):
            return
        self._tried = (champion, self._announcements.times_named)  # one that was refused may be named again
        if champion == self._serves:
            return
        try:
            bundle = load_announced(champion, self.encoder_id, self.catalogue.dimension or None)
            ranking = self._settings.ranking
            cross = ranking.cross_encoder if "cross_encoder" in ranking.added_scorers else None
            model = Model(bundle, cross)
            check_actions(model, self._settings.ranking.action_weights)
            check_scorers(model, self._settings.ranking.added_scorers)
        except (DataError, SettingError) as error:
            metrics.MODELS_REFUSED.inc()
            _log.error("model refused", version=champion.version, error=str(error))
            return
        old, self._serves = self.generation, champion
        self.generation = Generation(
            model, self.catalogue, self._settings, self.trends, before=old, turns=self._turns
        )
        if old is not None:
            self._users_topic.rewind()
            self._users_behind = True
        metrics.MODEL_LOADED.clear()
        metrics.MODEL_LOADED.labels(model.version, model.encoder_id).set(1)
        metrics.MODEL_CREATED.set(champion.created_at.timestamp())
        metrics.MODEL_SWAPPED.set(wall_seconds())
        _log.info("model serves", version=model.version, items=len(self.generation.index))
        if old is not None:
            old.close()

    def _item(self, partition: int, key: bytes, value: bytes | None) -> None:
        if value is not None:
            self._rows.append(self.catalogue.put(decode_item_vector(value)))
        elif (row := self.catalogue.delete(key.decode(errors="replace"))) is not None:
            self._rows.append(row)

    def _user(self, partition: int, key: bytes, value: bytes | None) -> None:
        self._changes.append((key.decode(errors="replace"), None if value is None else decode_user_vector(value)))

    def _trend(self, partition: int, key: bytes, value: bytes | None) -> None:
        trend = None if value is None else decode_item_trend(value)
        self.trends.put(partition, key.decode(errors="replace"), trend)

    def _model(self, partition: int, key: bytes, value: bytes | None) -> None:
        self._announcements.apply(key, value)
