"""One seed for every test: weights and noise drawn in a test are the same in every run."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

collect_ignore = [] if find_spec("triton") else ["harness/video/tvl1_triton.py"]
"""Kernels of a compiler that is not installed with PyTorch everywhere."""


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(20180202)
