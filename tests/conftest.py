"""What holds for every test."""

import os

import torch
from hypothesis import settings

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

torch.set_num_threads(1)
