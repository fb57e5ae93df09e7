"""One seed for every test: weights and noise drawn in a test are the same in every run."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest
import torch

if find_spec("hypothesis"):
    from hypothesis import settings

    # A busy machine is no fault, and what fails once has to fail again.
    settings.register_profile("same", deadline=None, derandomize=True)
    settings.load_profile("same")

collect_ignore = [] if find_spec("triton") else ["harness/video/tvl1_triton.py"]
"""Kernels of a compiler that is not installed with PyTorch everywhere."""


def pytest_configure(config: pytest.Config) -> None:
    """Share the processors between the workers of pytest-xdist, whose threads wait for each other else."""
    if hasattr(config, "workerinput"):
        threads = max(1, torch.get_num_threads() // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
        torch.set_num_threads(threads)
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that need a GPU where there is none."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("no GPU")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(20180202)
