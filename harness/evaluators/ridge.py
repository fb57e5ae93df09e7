"""Ridge probe: linear regression of a number on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from harness.errors import DataError
from harness.evaluators.cards import INFLUENCES, RIDGE_PROBE
from harness.evaluators.labelled_features import TRAIN_AND_TEST, vectors_and_answers
from harness.evaluators.scoring import FOLDS, folds_of, score_values
from harness.functional.jackknife import jackknife_values
from harness.functional.regression import r_squared, r_squared_without, spearman
from harness.functional.ridge import fit_ridge
from harness.functional.standardise import standardise
from harness.system import progress
from harness.values import Evaluation, Score

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise


TINIEST, LARGEST = 1e-100, 1e100
"""Differences of targets whose squares float64 holds, and their sums."""


class RidgeProbe:
    """Ridge regression on standardised features, its penalty validated.

    Videos of other groups inside train validate: the penalty with the smallest squared error over all held-out videos
    (of equal ones the first) is refitted on all of train. All penalties come from one decomposition of each fold.

    The values of single videos for R2 are a jackknife over test videos: `harness.functional.jackknife.jackknife_values`
    of the R2 without each. Their mean is the R2, so that intervals can be drawn from them. The baselines are those of
    predicting the mean of train for every video; its rank correlation counts as 0.

    Args:
        target: which number to predict.

    Source: Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics 1970.
    """

    card: ClassVar[EvaluatorCard] = RIDGE_PROBE
    candidates: ClassVar[tuple[float, ...]] = tuple(10.0**exponent for exponent in range(4, -6, -1))
    """Penalties beside the mean squared error: alpha / N of scikit-learn."""

    def __init__(self, target: str) -> None:
        self.target = target

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of train and test."""
        return TRAIN_AND_TEST

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Predict the target in test; nothing here is random, so `seed` changes nothing.

        Raises:
            DataError: when a split is empty or lacks the target, when all its videos have the same number, numbers of
                which float64 holds no squares, or get the same vector, or when train has one group only.
        """
        train, test = (
            vectors_and_answers(encoder, data, name, lambda features: features.targets(self.target))
            for name in ("train", "test")
        )
        known, wanted = train.answers, test.answers
        for split, numbers in (("train", known), ("test", wanted)):
            if bool((numbers == numbers[0]).all()):
                msg = f"all videos of split {split!r} of data set {data.card.name!r} have the same {self.target!r}"
                raise DataError(f"{msg}; there is nothing to predict")
            if not TINIEST < float((numbers - numbers[0]).abs().max()) < LARGEST:
                msg = f"{self.target!r} of split {split!r} of data set {data.card.name!r} is too large, or varies too "
                raise DataError(f"{msg}little, to be squared; give it in another unit")
        groups = [video.group for video in train.split.videos]
        with progress.bar(self.card.name, total=FOLDS + 1) as bar:
            errors = _validate(train.vectors, known, folds_of(torch.zeros_like(known), groups), self.candidates, bar)
            best = min(range(len(errors)), key=lambda i: (errors[i], i))
            x, queries = standardise(train.vectors, test.vectors)
            predicted = fit_ridge(x, known, known.new_tensor([self.candidates[best]])).predict(queries)[0]
            bar.advance()
        guess = known.mean().expand_as(wanted)
        values, guessed = (
            {"r2": influences, "mae": (wanted - one).abs()}
            for one, influences in (
                (predicted, jackknife_values(r_squared(wanted, predicted), r_squared_without(wanted, predicted))),
                (guess, r_squared(wanted, guess).expand_as(wanted)),
            )
        )
        scores, predictions = score_values(test.split, values, guessed)
        return Evaluation(
            (*scores, Score("spearman", float(spearman(wanted, predicted)), 0.0)),
            predictions,
            {
                INFLUENCES: ["r2"],
                "strength": self.candidates[best],
                "validation_mse": {f"{c:g}": value for c, value in zip(self.candidates, errors, strict=True)},
                "train_videos": len(known),
                "test_videos": len(wanted),
            },
        )


def _validate(
    vectors: Tensor, targets: Tensor, folds: Tensor, candidates: tuple[float, ...], bar: progress.Bar
) -> list[float]:
    """Mean squared error of each candidate over all videos, each held out once."""
    errors = targets.new_zeros(len(candidates))
    for fold in range(FOLDS):
        rest, held_out = folds != fold, folds == fold
        if bool(held_out.any()):
            x, queries = standardise(vectors[rest], vectors[held_out])
            predicted = fit_ridge(x, targets[rest], targets.new_tensor(candidates)).predict(queries)
            errors += (predicted - targets[held_out]).square().sum(1)
        bar.advance()
    return (errors / len(targets)).tolist()
