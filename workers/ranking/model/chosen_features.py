"""What of the features the re-ranker reads, by the setting `training.features`."""

import torch
from torch import Tensor

from streams.errors import SettingError
from streams.settings.training import TrainingSettings
from workers.ranking.model.features import NAMES


def check_features(settings: TrainingSettings) -> None:
    """Do nothing if every feature that is named is there.

    Raises:
        SettingError: `training.features` names one that is not, or one twice.
    """
    chosen = settings.features or ()
    if unknown := [name for name in chosen if name not in NAMES]:
        raise SettingError(
            f"Setting training.features names {', '.join(map(repr, unknown))}, which is not there; "
            f"there are: {', '.join(NAMES)}.",
            "correct the name, or leave the setting out to read them all.",
        )
    if len(set(chosen)) < len(chosen):
        raise SettingError("Setting training.features names a feature twice.", "name each feature once.")


def read_mask(settings: TrainingSettings) -> Tensor:
    """Return 1 for each number that the re-ranker reads and 0 for the others, float32 (features + 1,).

    The last is the score of the towers, which is always read. A number whose scale is 0 is nothing to it, in
    training and serving alike, so that the bundle need not say which were chosen. `unmet` says which of its two
    scores a candidate gets, chosen or not.
    """
    names = NAMES if settings.features is None else settings.features
    return torch.tensor([*(float(name in names) for name in NAMES), 1.0])
