"""What each worker process does, from its settings to its loop. `headrace worker NAME` runs one of these."""

from typing import Any, Literal

import structlog

from streams.clock import sleep_seconds
from streams.kafka import is_embedded
from streams.ownership import Partitions
from streams.provision import co_partitions
from streams.settings import Settings
from streams.state.storing import state_store
from streams.state.transform import StateTransform
from streams.transform import Transform
from streams.worker import spare_collections, worker_loop
from workers.http import Health
from workers.shutdown import Stop

WorkerName = Literal["state", "embedding", "ranking", "feedback"]
_log = structlog.get_logger()
_CACHED_TEXTS = 10_000
_FOLLOW_SECONDS = 0.02


def run_worker(name: WorkerName, settings: Settings, stop: Stop, health: Health) -> None:
    """Run one worker until `stop` is requested; the batch in hand is finished and committed first.

    Raises:
        Fatal: something that an operator has to change.
        Transient: a batch could not be made permanent; a restart reads it again.
    """
    partitions = co_partitions(settings)
    if is_embedded(settings):
        _log.warning("embedded broker: at least once, in memory, nothing is kept")
    match name:
        case "state":
            _run(name, StateTransform(settings, partitions, state_store(settings)), settings, stop, health)
        case "embedding":
            from encoder.deduplicating import DeduplicatingEncoder
            from encoder.loading import load_encoder
            from workers.embedding import EmbeddingTransform

            encoder = DeduplicatingEncoder(load_encoder(settings.encoder), _CACHED_TEXTS)
            _run(name, EmbeddingTransform(settings, encoder, partitions), settings, stop, health)
        case "ranking":
            _run_ranking(settings, stop, health)
        case "feedback":
            _run_feedback(settings, stop, health)


def _run_ranking(settings: Settings, stop: Stop, health: Health) -> None:
    import torch
    from threadpoolctl import threadpool_limits

    from encoder.identity import encoder_id
    from index.probe import RecallProbe
    from workers.ranking.pipeline import Stages
    from workers.ranking.transform import RankingTransform
    from workers.ranking.world import World

    # Batches are small; a second thread costs more than it brings. numpy's BLAS has threads of its own, whose
    # waiting took three of four CPU-seconds of the second stage.
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
    health.expect("index", "model", "assigned", "restored")
    stages = Stages(settings)  # before anything is read: a stage that is not there ends the worker at once
    world = World(settings, encoder_id(settings.encoder))
    try:
        while not stop.requested and (world.generation is None or not world.caught_up):
            world.follow()
            health.set("index", world.caught_up)
            health.set("model", world.generation is not None)
            health.beat()
            sleep_seconds(0 if world.busy else _FOLLOW_SECONDS)
        if not stop.requested:
            health.set("index", True)
            health.set("model", True)
            ranking = RankingTransform(settings, world, stages)
            with RecallProbe(lambda: world.generation.index if world.generation is not None else None):
                _run("ranking", ranking, settings, stop, health)
    finally:
        world.close()


def _run_feedback(settings: Settings, stop: Stop, health: Health) -> None:
    from streams.feedback.run import run_feedback

    health.set("assigned", False)

    def stopped() -> bool:
        health.beat()
        return stop.requested

    spare_collections()
    run_feedback(settings, stopped, lambda ready: health.set("assigned", ready))


def _run(name: WorkerName, transform: Transform[Any], settings: Settings, stop: Stop, health: Health) -> None:
    health.expect("assigned", "restored")

    def changed(partitions: Partitions) -> None:
        health.set("assigned", True)
        health.set("restored", not partitions.restoring)

    loop = worker_loop(name, transform, settings, changed)

    def stopped() -> bool:
        health.beat()
        return stop.requested

    spare_collections()
    loop.run(stopped)
