"""What a block of code leaves behind is seen, and taken away."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
import torch

from harness.testing.checking import UnmetError
from harness.testing.traces import expect_no_traces, reseeded, traces


@pytest.mark.parametrize(
    ("change", "look", "name"),
    [
        (lambda: torch.rand(1), lambda: torch.get_rng_state().tolist(), "torch's random state"),
        (lambda: np.random.rand(), lambda: np.random.get_state()[2], "NumPy's random state"),  # noqa: NPY002
        (random.random, random.getstate, "Python's random state"),
        (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled, "torch's gradient mode"),
        (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype, "torch's default dtype"),
        (lambda: torch.set_num_threads(3), torch.get_num_threads, "torch's number of threads"),
        (
            lambda: torch.use_deterministic_algorithms(True),
            torch.are_deterministic_algorithms_enabled,
            "torch's deterministic mode",
        ),
        (
            lambda: setattr(torch.backends.cudnn, "benchmark", True),
            lambda: torch.backends.cudnn.benchmark,
            "cuDNN's benchmark mode",
        ),
        (lambda: os.chdir("/"), os.getcwd, "the working directory"),
        (lambda: torch.set_default_device("meta"), torch.get_default_device, "torch's default device"),
        (
            lambda: setattr(torch.nn.functional, "relu", abs),
            lambda: torch.nn.functional.relu,
            r"torch.nn.functional.relu",
        ),
    ],
)
def test_a_change_is_named_and_undone(change, look, name):
    before = look()
    with traces() as left:
        change()
    assert name in left.changed
    assert look() == before
    with pytest.raises(
        UnmetError, match=f"expected fitting to leave the state of the process alone, got a change of {name}"
    ):
        expect_no_traces(left, "fitting")


def test_what_is_printed_is_kept(capsys):
    with traces() as left:
        print("a step")  # noqa: T201
    assert left.printed == "a step\n"
    assert capsys.readouterr().out == ""
    with pytest.raises(UnmetError, match="nothing on stdout while encoding"):
        expect_no_traces(left, "encoding")


def test_state_is_put_back_after_an_exception():
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="no"), traces():
        torch.manual_seed(5)
        raise ValueError("no")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_block_that_leaves_nothing_behind_passes():
    with traces() as left:
        torch.rand(2, generator=torch.Generator())
    expect_no_traces(left, "fitting")


def test_reseeding_is_another_random_state_within_the_block_only():
    drawn = []
    before = torch.get_rng_state(), random.getstate()
    for seed in (1, 1, 2):
        with reseeded(seed):
            drawn.append((float(torch.rand(1)), random.random(), np.random.rand()))  # noqa: NPY002
    assert drawn[0] == drawn[1]
    assert not set(drawn[0]) & set(drawn[2])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
