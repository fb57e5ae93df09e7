"""A third party's plugin that changes its process, and whose parts end it in every way there is."""

from __future__ import annotations

import os
import sys

import numpy as np
import torch

from harness import EvaluatorCard, MethodCard, Metric, hookimpl

sys.stdout.write("\x1b[31mhostile is imported\x1b[0m\n")
os.write(1, b"hostile writes\n")
torch.set_default_dtype(torch.float64)
torch.set_num_threads(3)
torch.manual_seed(7)
np.random.seed(7)  # noqa: NPY002
os.environ["HOSTILE"] = "loaded"
os.chdir("/")

METHODS = {
    name: MethodCard(name=name, summary=f"A method that {name.replace('_', ' ')}.")
    for name in (
        "aborts",
        "ends_itself",
        "is_interrupted",
        "swells",
        "hangs",
        "changes_everything",
        "says_half_letters",
        "fills_the_gpu",
    )
}
VALUE = Metric(id="value", title="Value", unit="1", higher_is_better=True)
EVALUATORS = {
    name: EvaluatorCard(
        name=name, summary=f"An evaluator that {name.replace('_', ' ')}.", protocol="none", metrics=(VALUE,)
    )
    for name in (
        *("changes_the_encoder", "aborts_too", "gives_numpy", "gives_a_tensor", "gives_nan", "gives_half_letters"),
        *(
            "has_no_primary",
            "is_told_state",
            "is_told_state_again",
            "gives_a_word",
            "forks",
            "says_nothing",
            "gives_two",
            "breaks_the_gpu",
        ),
    )
}


def title(name: str) -> str:
    return name.title().replace("_", "")


@hookimpl
def harness_methods(registry):
    for name, card in METHODS.items():
        registry.register(card, f"harness_hostile.parts:{title(name)}")


@hookimpl
def harness_evaluators(registry):
    for name, card in EVALUATORS.items():
        registry.register(card, f"harness_hostile.parts:{title(name)}")


@hookimpl
def harness_run_finished(cell, run):
    sys.stdout.write(f"hostile hears of {run.status}\n")
