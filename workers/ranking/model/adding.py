"""The further scorers that `training.stages` names, each trained on what the model before it says."""

from collections.abc import Callable, Mapping

from torch import Tensor

from streams.settings.training import TrainingSettings
from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.course import Epoch
from workers.ranking.model.fitting import Fitted
from workers.ranking.model.isolated_training import teach_isolated
from workers.ranking.model.pools import Pools
from workers.ranking.model.sequences import Sequences

Added = Mapping[str, Mapping[str, Tensor]]


def add_scorers(
    fitted: Fitted,
    item_vectors: Tensor,
    sequences: Sequences,
    settings: TrainingSettings,
    *,
    progress: Callable[[Epoch], None],
    checkpoints: Checkpoints,
) -> tuple[Added, dict[str, float]]:
    """Return the weights of each scorer by its name, and what training measured of them.

    Args:
        fitted: towers and re-ranker, which stand still from here on.
        item_vectors: float32 (known items, width), of those towers.
        sequences: rows count the known items.
    """
    added: dict[str, Mapping[str, Tensor]] = {}
    metrics: dict[str, float] = {}
    if "isolated" in settings.stages:
        candidates = settings.isolated.candidates
        pools = Pools(fitted.towers, item_vectors, fitted.reranker, fitted.counted, candidates)
        taught = teach_isolated(pools, sequences, settings, progress=progress, checkpoints=checkpoints)
        state = taught.scorer.state_dict()
        added["isolated"] = {name: tensor.detach().clone() for name, tensor in state.items()}
        metrics |= taught.metrics
    return added, metrics
