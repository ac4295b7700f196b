"""Data sets to try Headrace on: a catalogue and the events of its users, in the order to replay them."""

from workers.datasets.contract import Dataset
from workers.datasets.loading import load_dataset

__all__ = ["Dataset", "load_dataset"]
