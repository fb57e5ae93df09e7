"""Evaluators that fail."""

from __future__ import annotations

from harness import Evaluation, Score
from harness_toy import FRAGILE, NOT_A_NUMBER, TRAINS


class Fragile:
    card = FRAGILE

    def encodings(self, promise, data, *, seed):
        return ()

    def evaluate(self, encoder, data, *, seed):
        if seed % 2:
            msg = "odd\nseed"
            raise RuntimeError(msg)
        return Evaluation((Score("value", 1.0),))


class Trains:
    card = TRAINS

    def encodings(self, promise, data, *, seed):
        return ()

    def evaluate(self, encoder, data, *, seed):
        raise AssertionError


class NotANumber:
    card = NOT_A_NUMBER

    def encodings(self, promise, data, *, seed):
        return ()

    def evaluate(self, encoder, data, *, seed):
        return Evaluation((Score("value", float("nan")),))
