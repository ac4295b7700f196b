"""Settings of the index and the ranking pipeline."""

from math import isfinite
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from streams.settings.scorers import CrossEncoderServing
from streams.settings.section import Section
from streams.settings.selection import Boost, Cap, Pin

ACTIONS: Final = ("view", "click", "add_to_cart", "purchase", "like", "dislike", "rating")
"""What a user may do with an item; a rating among the best two fifths of its scale is a like too, among the worst
two a dislike."""


class IndexSettings(Section):
    """How vectors are held for search."""

    exact_below: int = Field(default=50_000, ge=0)
    """Up to this many vectors the main tier is searched exactly."""
    fresh_capacity: int = Field(default=4_096, ge=2)
    """Vectors of the small exact tier that takes the updates."""
    recall_target: float = Field(default=0.95, gt=0, le=1)
    """Share of the true nearest that an approximate main tier is calibrated to find."""


class RankingSettings(Section):
    """What a slate is made of."""

    slate_length: int = Field(default=10, ge=1, le=1_000)
    """Items in a slate."""

    sources: tuple[str, ...] | None = None
    """Sources by name, built in or of an installed package (entry point group `headrace.sources`); None takes all
    that are built in."""
    candidates: int = Field(default=200, ge=1)
    """Candidates of a user that are scored: of more, those that the sources name earliest and most often."""
    learned_candidates: int = Field(default=400, ge=1)
    """Candidates taken from the index around the learned user vector."""
    popular_candidates: int = Field(default=50, ge=0)
    """Candidates taken from the most popular items."""
    trending_candidates: int = Field(default=20, ge=0)
    """Candidates taken from the items that rise most; none while no feedback worker counts them."""
    lookalike_users: int = Field(default=20, ge=0)
    """Nearest users whose newest liked items become candidates."""
    lookalike_items: int = Field(default=10, ge=1)
    """Newest liked items taken from each look-alike user, and published for each user."""
    neighbour_items: int = Field(default=5, ge=0)
    """Newest items of a user whose neighbours, by learned vector, become candidates."""
    neighbours: int = Field(default=20, ge=1, le=200)
    """Neighbours taken of each of them."""
    covisited: int = Field(default=800, ge=0)
    """Candidates that others acted on soon after what the user did; none of a model without a second stage."""
    together: int = Field(default=800, ge=0)
    """Candidates that go with the user's items by EASE; none of a model without a second stage."""
    text_candidates: int = Field(default=50, ge=0)
    """Candidates whose texts are nearest to those of the user's newest items; for users with few events."""
    requests: bool = True
    """Answer `ranking.requests.v1`; off, the items are not held by their texts for it."""
    query_candidates: int = Field(default=200, ge=1)
    """Candidates whose texts are nearest to the words of a request."""
    query_weight: float = Field(default=30.0, ge=0)
    """What the nearness of words and text, a cosine, counts for beside the model's score: 0 ranks what was found
    by the user's taste alone, large numbers by the words alone."""
    few_events: int = Field(default=3, ge=0)
    """Up to so many known events a user counts as new, and text helps to find candidates."""

    exclude_seen: bool = True
    """Leave out items that the user has already acted on."""
    exclude_bought: bool = True
    """Leave out items that the user has bought, even where `exclude_seen` is off."""
    exclude_disliked: bool = True
    """Leave out items that the user's newest opinion was a dislike of."""
    excluded_items: tuple[str, ...] = ()
    """Ids of items that are in no slate."""
    rules: tuple[str, ...] = ()
    """Conditions that each item must meet, such as `price <= 50`; see `workers/ranking/expressions.py`."""
    filters: tuple[str, ...] = ()
    """Further filters by name, of installed packages (entry point group `headrace.filters`)."""

    exploration: float = Field(default=0.4, ge=0, allow_inf_nan=False)
    """Added to the score of items that came after the model's data: what is shown is learned of. At 0 they have
    their honest chance. Of no model without a second stage, which alone knows what that is."""
    scorer: str = "model"
    """`model`, or a scorer of an installed package (entry point group `headrace.scorers`)."""
    added_scorers: tuple[Literal["isolated", "cross_encoder"], ...] = ()
    """Further scorers that add to the model's score, of those that `training.stages` trained: `isolated`,
    attention of each candidate to the history; `cross_encoder`, a language model that reads both. A model without
    them is refused. None by default: `headrace evaluate` must show first that they are worth their time."""
    cross_encoder: CrossEncoderServing = CrossEncoderServing()
    """How the cross-encoder runs, where `added_scorers` names it; give it a `deadline_seconds` too."""
    action_weights: dict[str, float] = Field(default_factory=dict)
    """What an action is worth beside the 1 that taking an item up is worth: an item's score is
    log(P(taken up) · (1 + sum of weight · P(action | taken up))). Only `dislike` may weigh below 0, above -1;
    without weights the score is P(taken up) alone."""
    score_parts: bool = True
    """Publish what each score is made of."""

    diversity: float = Field(default=0.0, ge=0, le=1)
    """0 ranks by score alone. Above, an item loses rank as its text resembles those before it (MMR)."""
    variety: float = Field(default=0.0, ge=0, le=1)
    """0 chooses by score alone. Above, what each kind that the slate lacks is worth, as a chance to be what the
    user takes next: at .003 an item that is less likely by three in a thousand may stand for one more kind. The
    order stays that of the scores."""
    variety_by: str = "categories"
    """Expression that names the kinds of an item, as in a cap."""
    caps: tuple[Cap, ...] = ()
    """Most items of a kind; a slate may stay short for it."""
    boosts: tuple[Boost, ...] = ()
    """Changes of the score, in this order."""
    pins: tuple[Pin, ...] = ()
    """Items with fixed places."""

    publish: Literal["always", "changed"] = "always"
    """`changed` holds back a slate that has the items, the order and the model of the one before."""
    heartbeat_seconds: float = Field(default=3_600.0, gt=0)
    """With `changed`, an event after this long brings the slate out even if it is the same."""
    deadline_seconds: float | None = Field(default=None, gt=0)
    """Time for the slates of one batch; to keep it, candidates are ordered by vector alone, then popular items
    are shown."""
    standing_per_second: float = Field(default=1_000.0, gt=0)
    """Most standing slates made again in a second, because of a new model or of items that went."""
    valid_seconds: float = Field(default=86_400.0, gt=0, le=10 * 365 * 86_400)
    """`valid_until` lies this long after `generated_at`."""
    model_name: str = Field(default="headrace", min_length=1, pattern=r"^[a-z0-9._-]+$")
    """The worker serves `<model_name>@champion` of `models.v1`."""

    @model_validator(mode="after")
    def _added_to_the_model(self) -> Self:
        if len(set(self.added_scorers)) < len(self.added_scorers):
            raise ValueError("added_scorers names a scorer twice")
        if self.added_scorers and self.scorer != "model":
            raise ValueError(f"added_scorers add to the scorer model, but scorer is {self.scorer}")
        return self

    @model_validator(mode="after")
    def _worth_stays_positive(self) -> Self:
        for action, weight in self.action_weights.items():
            if action not in ACTIONS:
                raise ValueError(f"action_weights names {action!r}; there are: {', '.join(ACTIONS)}")
            if not isfinite(weight) or (weight > 0 if action == "dislike" else weight < 0) or weight <= -1:
                raise ValueError(
                    f"action_weights.{action} is {weight}; a dislike weighs above -1 to 0, others 0 or more"
                )
        return self

    @model_validator(mode="after")
    def _heartbeat_before_the_end(self) -> Self:
        if self.publish == "changed" and self.heartbeat_seconds >= self.valid_seconds:
            raise ValueError("heartbeat_seconds must be below valid_seconds, or held back slates run out")
        return self

    @model_validator(mode="after")
    def _pins_have_places(self) -> Self:
        if any(pin.rank > self.slate_length for pin in self.pins):
            raise ValueError("a pin's rank is beyond slate_length")
        for field in ("item_id", "rank"):
            values = [getattr(pin, field) for pin in self.pins]
            if len(set(values)) < len(values):
                raise ValueError(f"two pins have the same {field}")
        return self
