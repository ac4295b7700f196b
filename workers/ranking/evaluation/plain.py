"""What a ranking worker would hold, without what an operator adds: every item to be had, no rules, no pins."""

from typing import Final

from streams.codec import SCHEMA_VERSION
from streams.contracts import ItemVector
from streams.settings import Settings
from streams.settings.ranking import RankingSettings
from streams.settings.state import RatingScale
from workers.ranking.catalogue import Catalogue
from workers.ranking.model.training import ItemTexts

_DEFAULTS: Final = RankingSettings()
_LEFT_OUT: Final = ("rules", "filters", "excluded_items", "pins", "exclude_seen", "scorer", "added_scorers")


def plain(settings: Settings, scale: RatingScale) -> Settings:
    """Return the settings with the defaults of what forbids items, puts some in front or only scores them.

    That says nothing of a model, and texts alone have no fields for rules.

    Args:
        scale: of the ratings that the model learned from.
    """
    defaults = {name: getattr(_DEFAULTS, name) for name in _LEFT_OUT}
    return settings.model_copy(
        update={
            "ranking": settings.ranking.model_copy(update=defaults),
            "state": settings.state.model_copy(update={"rating_scale": scale}),
        }
    )


def catalogue_of(items: ItemTexts, settings: RankingSettings) -> Catalogue:
    """Return the items in their order, so that row n is item n, all of them available."""
    catalogue = Catalogue(settings)
    for item_id, vector in zip(items.item_ids, items.text_vectors, strict=True):
        catalogue.put(
            ItemVector(
                schema_version=SCHEMA_VERSION,
                item_id=item_id,
                vector=vector.astype("<f4").tobytes(),
                content_hash=bytes(16),
                title="",
                categories=(),
                price=None,
                available=True,
                expires_at_ms=None,
            )
        )
    return catalogue
