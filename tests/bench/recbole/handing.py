"""The log as RecBole reads it."""

from pathlib import Path

import numpy as np

from workers.ranking.model.sequences import Sequences


def write_log(log: Sequences, directory: Path) -> None:
    """Write `directory/headrace/headrace.inter`, users and items by number.

    The time of an event is its place in the log: RecBole keeps times as float32, which at seconds since the epoch
    leaves steps of a minute, and would order the events of that minute in a way of its own.
    """
    folder = directory / "headrace"
    folder.mkdir(parents=True, exist_ok=True)
    places = np.arange(len(log.starts))
    lines = np.column_stack([log.starts, log.events.rows, places])
    head = "user_id:token\titem_id:token\ttimestamp:float"
    np.savetxt(folder / "headrace.inter", lines, fmt="%d", delimiter="\t", header=head, comments="")
