"""Multi-label probe: one linear classifier a class on frozen features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import torch

from harness.errors import DataError
from harness.evaluators.cards import INFLUENCES, MULTILABEL_PROBE
from harness.evaluators.class_scores import keep
from harness.evaluators.labelled_features import TRAIN_AND_TEST, vectors_and_answers
from harness.evaluators.scoring import FOLDS, folds_of, score_values
from harness.functional.jackknife import mean_average_precision_values
from harness.functional.one_vs_rest import fit_one_vs_rest
from harness.functional.ranking import average_precision
from harness.functional.standardise import standardise
from harness.system import progress
from harness.values import Evaluation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise


class MultilabelProbe:
    """One-vs-rest logistic regression on standardised features, L2 strength validated.

    Videos of other groups inside train validate: the strength with the highest mean average precision over the held-out
    folds and the classes that have a video there (of equal ones the first) is refitted on all of train.

    The mAP is the mean over classes with a test video. Its values of single videos are a jackknife over test videos,
    `harness.functional.jackknife.mean_average_precision_values`, so that intervals can be drawn from them. A video of
    no class has no label ranking average precision. The baselines are those of scores that are the same for all videos,
    the shares of the classes: in test for the mAP, where all constant scores are equal, in train for the ranking of a
    video's classes.

    Args:
        label: which multi-label kind to predict.

    Source: Sigurdsson et al., "Hollywood in homes: crowdsourcing data collection for activity understanding", 2016.
    """

    card: ClassVar[EvaluatorCard] = MULTILABEL_PROBE
    candidates: ClassVar[tuple[float, ...]] = tuple(10.0**exponent for exponent in range(2, -7, -1))
    """L2 penalties beside the mean loss: 1 / (N C) of scikit-learn."""

    def __init__(self, label: str = "action") -> None:
        self.label = label

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of train and test."""
        return TRAIN_AND_TEST

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Score each class of test; nothing here is random, so `seed` changes nothing.

        Raises:
            DataError: when a split is empty, lacks the kind or names other classes than the other, when no video of
                train or of test has a class, when all videos get the same vector, or when train has one group only.
        """
        train, test = (
            vectors_and_answers(encoder, data, name, lambda features: features.membership(self.label))
            for name in ("train", "test")
        )
        known, wanted = train.answers, test.answers
        names = train.split.multilabel_classes[self.label]
        if names != test.split.multilabel_classes[self.label]:
            msg = f"train and test of data set {data.card.name!r} name different classes of {self.label!r}"
            raise DataError(msg)
        for split, membership in (("train", known), ("test", wanted)):
            if not bool(membership.any()):
                msg = f"no video of split {split!r} of data set {data.card.name!r} has a class of {self.label!r}"
                raise DataError(msg)
        groups = [video.group for video in train.split.videos]
        with progress.bar(self.card.name, total=FOLDS + 1) as bar:
            precisions = _validate(train.vectors, known, folds_of(known, groups), self.candidates, bar)
            best = max(range(len(precisions)), key=lambda i: (precisions[i], -i))
            x, queries = standardise(train.vectors, test.vectors)
            fitted = fit_one_vs_rest(x, known, x.new_tensor([self.candidates[best]]))
            bar.advance()
        scores = fitted.scores(queries)[0]  # (N, C)
        present = wanted.any(0)
        of_classes = average_precision(scores.mT[present], wanted.mT[present])
        shares = known.to(scores).mean(0).expand_as(scores)
        guess = wanted[:, present].to(torch.float64).mean()
        values = {"map": mean_average_precision_values(scores, wanted), "lrap": _ranking_precision(scores, wanted)}
        guessed = {"map": guess.expand(len(wanted)), "lrap": _ranking_precision(shares, wanted)}
        shown, predictions = score_values(test.split, values, guessed)
        classes = tuple(tuple(row.nonzero().flatten().tolist()) for row in wanted)
        measured = [name for name, there in zip(names, present.tolist(), strict=True) if there]
        return Evaluation(
            shown,
            replace(predictions, multilabels=classes),
            {
                INFLUENCES: ["map"],
                "strength": self.candidates[best],
                "validation_map": {f"{c:g}": value for c, value in zip(self.candidates, precisions, strict=True)},
                "converged": bool(fitted.converged.all()),
                "train_videos": len(known),
                "test_videos": len(wanted),
                "test_videos_without_class": int((~wanted.any(1)).sum()),
                "average_precision": dict(zip(measured, of_classes.tolist(), strict=True)),
                "classes_absent_from_train": _absent(known, names),
                "classes_absent_from_test": _absent(wanted, names),
            },
            class_scores=keep("log-odds", scores[None]),
        )


def _validate(
    vectors: Tensor, membership: Tensor, folds: Tensor, candidates: tuple[float, ...], bar: progress.Bar
) -> list[float]:
    """Mean average precision of each candidate, over folds and the classes there."""
    total, count = torch.zeros(len(candidates), dtype=torch.float64, device=vectors.device), 0
    for fold in range(FOLDS):
        rest, held_out = folds != fold, folds == fold
        present = membership[held_out].any(0)
        if bool(present.any()):
            x, queries = standardise(vectors[rest], vectors[held_out])
            scores = fit_one_vs_rest(x, membership[rest][:, present], x.new_tensor(candidates)).scores(queries).mT
            own = membership[held_out].mT[present].expand(scores.shape)
            total += average_precision(scores, own).sum(1)
            count += int(present.sum())
        bar.advance()
    return (total / count).tolist()


def _ranking_precision(scores: Tensor, wanted: Tensor) -> Tensor:
    """(N,) float64 average precision of each video's classes; NaN where it has none."""
    return torch.where(wanted.any(1), average_precision(scores, wanted), torch.nan)


def _absent(membership: Tensor, names: tuple[str, ...]) -> list[str]:
    return [name for name, there in zip(names, membership.any(0).tolist(), strict=True) if not there]
