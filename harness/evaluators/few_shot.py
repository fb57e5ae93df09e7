"""Few-shot classification: logistic regression from a few labelled videos a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from scipy import stats

from harness.errors import DataError, UsageError
from harness.evaluators.cards import FEW_SHOT
from harness.evaluators.class_scores import keep
from harness.evaluators.labelled_features import TRAIN_AND_TEST, split_notes, train_and_test
from harness.evaluators.scoring import score_variants
from harness.functional.draws import draw_ranks
from harness.functional.logistic import fit_logistic
from harness.functional.standardise import scaling
from harness.system import progress
from harness.values import Evaluation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.evaluators.labelled_features import LabelledFeatures
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import ClassScores, Encoding, Promise

SHOTS = (1, 5, 10, 20)
KNOWN = (1, 2, 5, 10, 20)

KEPT = "top1_5"
"""Metric that ranks, and whose class scores are kept."""

TOLERANCE = 2e-5
"""Largest gradient entry at a solution; objectives match scikit-learn's default."""


class FewShot:
    """Logistic regression from n videos of each class, for several n and many draws.

    Beside them stands logistic regression from all of train.

    All draws of one n are solved at once. The penalty is fixed: with a few videos nothing could choose it. 5 shots
    rank, and their class scores are kept, each draw's: a mean over draws would have learnt from ten times as many
    videos. The notes have mean, sample standard deviation and 95 % t interval over the draws. The baseline is one class
    for every video (train's most frequent one).

    Args:
        shots: which n of 1, 2, 5, 10 and 20; 5 is always among them.
        draws: of each n, seeded by the run's seed.
        label: which kind of class to predict.

    Raises:
        UsageError: when `shots` has another n, or not 5, or there are fewer than 2 draws.

    Source: Goyal et al., "Scaling and benchmarking self-supervised visual representation learning", ICCV 2019.
    """

    card: ClassVar[EvaluatorCard] = FEW_SHOT

    def __init__(self, shots: Sequence[int] = SHOTS, draws: int = 10, label: str = "action") -> None:
        if not set(shots) <= set(KNOWN) or 5 not in shots:
            msg = f"evaluator 'few_shot': shots must be some of {', '.join(map(str, KNOWN))}, and 5, got {list(shots)}"
            raise UsageError(msg)
        if draws < 2:
            msg = f"evaluator 'few_shot': draws must be at least 2, got {draws}"
            raise UsageError(msg)
        self.shots = tuple(sorted(set(shots)))
        self.draws = draws
        self.label = label

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of train and test."""
        return TRAIN_AND_TEST

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Classify test from each draw of train.

        Raises:
            DataError: as in `train_and_test`, or when a class has fewer training videos than the most shots.
        """
        train, test = train_and_test(encoder, data, self.label)
        self._check(train, data.card.name)
        ranks = draw_ranks(train.labels, train.groups, self.draws, seed)
        drawn = {f"top1_{shots}": (ranks < shots).nonzero()[:, 1].view(self.draws, -1) for shots in self.shots}
        drawn["top1_all"] = torch.arange(len(train), device=ranks.device)[None]
        predicted: dict[str, Tensor] = {}
        kept: ClassScores | None = None
        not_converged = []
        with progress.bar("few shots", total=len(drawn)) as bar:
            for name, videos in drawn.items():
                logits, converged = _classify(train, test, videos)
                predicted[name] = torch.stack([one.argmax(1) for one in logits])
                if name == KEPT:
                    kept = keep("logits", logits)
                del logits  # or the next ones would lie beside them
                if not converged:
                    not_converged.append(name)
                bar.advance()
        scores, predictions = score_variants(self.card, train, test, predicted[KEPT], predicted)
        accuracies = {name: (rows == test.labels).float().mean(1) for name, rows in predicted.items()}
        return Evaluation(
            scores,
            predictions,
            {
                "over_draws": {name: _spread(draws) for name, draws in accuracies.items() if len(draws) > 1},
                "draws": self.draws,
                "not_converged": not_converged,
                **split_notes(train, test),
            },
            class_scores=kept,
        )

    def _check(self, train: LabelledFeatures, data: str) -> None:
        fewest, name = train.smallest_class
        most = max(self.shots)
        if fewest < most:
            possible = [shots for shots in self.shots if shots <= fewest]
            way = f"give shots: {possible}" if 5 in possible else "this protocol needs 5 of every class"
            msg = f"class {name!r} of data set {data!r} has {fewest} training videos, and {most} are to be drawn; {way}"
            raise DataError(msg)


def _classify(train: LabelledFeatures, test: LabelledFeatures, drawn: Tensor) -> tuple[list[Tensor], bool]:
    """Classify test by the training videos of each draw, (R, M).

    Returns logits (N, C) of each draw, and whether all solves converged.
    """
    x, labels = train.vectors[drawn], train.labels[drawn]
    mean, factor = scaling(x)  # (R, 1, D)
    strengths = x.new_full((len(drawn),), 1 / drawn.shape[1])
    fitted = fit_logistic((x - mean) * factor, labels, strengths, classes=len(train.classes), tolerance=TOLERANCE)
    # The scaling goes into the weights, because R scaled copies of test would not fit.
    weight = fitted.weight * factor
    bias = fitted.bias - (weight * mean).sum(2)
    logits = [test.vectors @ w.mT + b for w, b in zip(weight, bias, strict=True)]
    return logits, bool(fitted.converged.all())


def _spread(accuracies: Tensor) -> dict[str, Any]:
    """Mean, standard deviation and 95 % t interval over draws (R,)."""
    mean, deviation = float(accuracies.mean()), float(accuracies.std())
    half = float(stats.t.ppf(0.975, len(accuracies) - 1)) * deviation / len(accuracies) ** 0.5
    return {"mean": mean, "std": deviation, "low": mean - half, "high": mean + half}
