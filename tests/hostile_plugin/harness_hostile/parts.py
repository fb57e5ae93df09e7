"""Methods and evaluators that do what their names say."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import torch

from harness import Evaluation, NetworkEncoder, NetworkMethod, Predictions, Score
from harness_hostile import EVALUATORS, METHODS


class _Method(NetworkMethod):
    def fit(self, backbone, train, session):
        self.act()
        return NetworkEncoder.of(backbone.build(seed=session.budget.seed), backbone)


class Aborts(_Method):
    card = METHODS["aborts"]

    def act(self):
        os.abort()


class EndsItself(_Method):
    card = METHODS["ends_itself"]

    def act(self):
        os._exit(3)


class IsInterrupted(_Method):
    card = METHODS["is_interrupted"]

    def act(self):
        raise KeyboardInterrupt


class Swells(_Method):
    card = METHODS["swells"]

    def act(self):
        hoard = []
        while True:
            hoard.append(b"x" * 100_000_000)
            time.sleep(0.05)


class Hangs(_Method):
    card = METHODS["hangs"]

    def act(self):
        time.sleep(3600)


class SaysHalfLetters(_Method):
    card = METHODS["says_half_letters"]

    def act(self):
        raise RuntimeError("caf\udce9 \x1b[31mred\x07")


class ChangesEverything(_Method):
    card = METHODS["changes_everything"]

    def act(self):
        sys.stdout.write("\x1b[2Ja fit prints\n")
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(11)
        torch.use_deterministic_algorithms(True)
        torch.set_float32_matmul_precision("medium")
        np.random.seed(11)  # noqa: NPY002
        random.seed(11)
        os.environ["HOSTILE"] = "fitted"
        os.chdir("/")
        torch.nn.functional.relu = lambda values, inplace=False: values


class FillsTheGpu(_Method):
    card = METHODS["fills_the_gpu"]

    def act(self):
        torch.empty(1 << 50, dtype=torch.uint8, device="cuda")


class _Evaluator:
    def encodings(self, promise, data, *, seed):
        return ()

    def evaluate(self, encoder, data, *, seed):
        return Evaluation((Score("value", 1.0),))


class ChangesTheEncoder(_Evaluator):
    card = EVALUATORS["changes_the_encoder"]

    def evaluate(self, encoder, data, *, seed):
        for parameter in encoder._encoder.module.parameters():
            parameter.data.zero_()
        return super().evaluate(encoder, data, seed=seed)


class AbortsToo(_Evaluator):
    card = EVALUATORS["aborts_too"]

    def evaluate(self, encoder, data, *, seed):
        os.abort()


class GivesNumpy(_Evaluator):
    card = EVALUATORS["gives_numpy"]

    def evaluate(self, encoder, data, *, seed):
        return Evaluation((Score("value", 1.0),), notes={"strength": np.float32(1)})


class GivesATensor(_Evaluator):
    card = EVALUATORS["gives_a_tensor"]

    def evaluate(self, encoder, data, *, seed):
        return Evaluation((Score("value", torch.tensor(1.0)),))


class GivesNan(_Evaluator):
    card = EVALUATORS["gives_nan"]

    def evaluate(self, encoder, data, *, seed):
        predictions = Predictions(("a",), ("",), (0,), values={"value": ((float("nan"),),)})
        return Evaluation((Score("value", 1.0),), predictions)


class GivesHalfLetters(_Evaluator):
    card = EVALUATORS["gives_half_letters"]

    def evaluate(self, encoder, data, *, seed):
        return Evaluation((Score("value", 1.0),), notes={"name": "caf\udce9"})


class HasNoPrimary(_Evaluator):
    card = EVALUATORS["has_no_primary"]

    def evaluate(self, encoder, data, *, seed):
        return Evaluation((Score("other", 1.0),))


class GivesAWord(_Evaluator):
    card = EVALUATORS["gives_a_word"]

    def evaluate(self, encoder, data, *, seed):
        return "good"


class IsToldState(_Evaluator):
    """Its notes are the state of its process."""

    card = EVALUATORS["is_told_state"]

    def evaluate(self, encoder, data, *, seed):
        notes = {
            "dtype": str(torch.get_default_dtype()),
            "threads": torch.get_num_threads(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "precision": torch.get_float32_matmul_precision(),
            "random": [torch.rand(1).item(), np.random.rand(), random.random()],  # noqa: NPY002
            "environment": os.environ.get("HOSTILE", ""),
            "folder": str(Path.cwd()),
            "relu": torch.nn.functional.relu.__name__,
        }
        torch.set_default_dtype(torch.float64)
        torch.rand(5)
        os.chdir("/")
        return Evaluation((Score("value", 1.0),), notes=notes)


class IsToldStateAgain(IsToldState):
    card = EVALUATORS["is_told_state_again"]


class Forks(_Evaluator):
    card = EVALUATORS["forks"]

    def evaluate(self, encoder, data, *, seed):
        os.fork()  # and both go on
        return super().evaluate(encoder, data, seed=seed)


class NamelessError(Exception):
    def __str__(self):
        raise ValueError


class SaysNothing(_Evaluator):
    card = EVALUATORS["says_nothing"]

    def evaluate(self, encoder, data, *, seed):
        raise NamelessError


class GivesTwo(_Evaluator):
    card = EVALUATORS["gives_two"]

    def evaluate(self, encoder, data, *, seed):
        return Evaluation((Score("value", 1.0), Score("value", 2.0)))


class BreaksTheGpu(_Evaluator):
    """A kernel fails when it has given its scores, and no other kernel runs in its process."""

    card = EVALUATORS["breaks_the_gpu"]

    def evaluate(self, encoder, data, *, seed):
        torch.zeros(4, device="cuda")[torch.full((1,), 9, device="cuda")]
        return super().evaluate(encoder, data, seed=seed)
