"""What it is worth that an item is taken up: log(1 + sum of weight · P(action | taken up)), action by action."""

from collections.abc import Mapping

import numpy as np

from streams.errors import DataError
from workers.ranking.model.neighbours import Matrix
from workers.ranking.model.serving import Model


def check_actions(model: Model, weights: Mapping[str, float]) -> None:
    """Refuse a model that does not foretell an action that counts.

    Raises:
        DataError: the settings weigh an action for which the model has no head.
    """
    there = model.actions.actions if model.actions is not None else ()
    if missing := [action for action, weight in weights.items() if weight and action not in there]:
        raise DataError(
            f"ranking.action_weights weighs {', '.join(missing)}, of which the model {model.version} foretells "
            f"nothing; it foretells: {', '.join(there) or 'no action'}.",
            "take the weight out, or train on data that hold such actions with training.action_epochs above 0.",
        )


def worth(chances: Matrix, actions: tuple[str, ...], weights: Mapping[str, float]) -> dict[str, Matrix]:
    """Return what each weighted action adds to the score, by action, float32 (m,).

    The parts add up to log(1 + x), x being the sum of weight · P(action); each takes its own share of x. The
    shares are exact at any x, because log(1 + x) / x goes to 1 where x goes to 0.

    Args:
        chances: float32 (m, actions), of `ActionHeads.chances`.
        weights: by action, the setting `ranking.action_weights`; together above -1.
    """
    shares = {
        action: np.float32(weights[action]) * chances[:, place]
        for place, action in enumerate(actions)
        if weights.get(action)
    }
    if not shares:
        return {}
    x = np.sum(list(shares.values()), axis=0)
    scale = np.where(np.abs(x) < 1e-6, 1, np.log1p(x) / np.where(x == 0, 1, x)).astype(np.float32)
    return {action: share * scale for action, share in shares.items()}
