"""The further scorers that `training.stages` names, each trained on what the model before it says."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from streams.settings.training import TrainingSettings
from workers.ranking.model.checkpoint import Checkpoints
from workers.ranking.model.course import Epoch
from workers.ranking.model.fitting import Fitted
from workers.ranking.model.isolated_training import teach_isolated
from workers.ranking.model.manifest import Origin
from workers.ranking.model.pools import Pools
from workers.ranking.model.sequences import Sequences


class Added(NamedTuple):
    """The further scorers that were trained.

    Attributes:
        weights: of each scorer, by its name.
        base_model: what the cross-encoder's weights belong to; None without one.
        metrics: what training measured.
    """

    weights: Mapping[str, Mapping[str, Tensor]]
    base_model: Origin | None
    metrics: dict[str, float]


def add_scorers(
    fitted: Fitted,
    item_vectors: Tensor,
    sequences: Sequences,
    texts: Sequence[str],
    settings: TrainingSettings,
    *,
    progress: Callable[[Epoch], None],
    checkpoints: Checkpoints,
) -> Added:
    """Return the trained scorers; training that was killed goes on within `isolated`, and begins others again.

    Args:
        fitted: towers and re-ranker, which stand still from here on.
        item_vectors: float32 (known items, width), of those towers, on the device that candidates are found and
            `isolated` learns on.
        sequences: rows count the known items.
        texts: of the known items, which the cross-encoder reads; empty without one.

    Raises:
        SettingError: see `teach_cross`.
        DataError: see `teach_cross`.
    """
    base_model = None
    added: dict[str, Mapping[str, Tensor]] = {}
    metrics: dict[str, float] = {}
    if "isolated" in settings.stages:
        candidates = settings.isolated.candidates
        pools = Pools(fitted.towers, item_vectors, fitted.reranker, fitted.counted, candidates)
        taught = teach_isolated(pools, sequences, settings, progress=progress, checkpoints=checkpoints)
        state = taught.scorer.state_dict()
        added["isolated"] = {name: tensor.detach().clone() for name, tensor in state.items()}
        metrics |= taught.metrics
    if "cross_encoder" in settings.stages:
        from workers.ranking.model.cross_training import teach_cross  # noqa: PLC0415 - transformers is slow to import

        candidates = settings.reranker_candidates
        pools = Pools(fitted.towers, item_vectors, fitted.reranker, fitted.counted, candidates)
        cross = teach_cross(pools, sequences, texts, settings, progress=progress)
        added["cross_encoder"], base_model = cross.weights, cross.base_model
        metrics |= cross.metrics
    return Added(added, base_model, metrics)
