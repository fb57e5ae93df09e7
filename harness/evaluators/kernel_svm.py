"""Support vector machines on the kernels of a composite's blocks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
import torch.nn.functional as F

from harness.evaluators.cards import KERNEL_SVM
from harness.evaluators.class_scores import keep
from harness.evaluators.labelled_features import TRAIN_AND_TEST, LabelledFeatures, split_notes, train_and_test
from harness.evaluators.pictures import with_confusion
from harness.evaluators.scoring import FOLDS, score_logits, validate
from harness.functional.kernel_svm import KernelMachines, fit_kernel_machines, learn_kernel_weights
from harness.system import progress
from harness.values import Evaluation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise

COSTS = tuple(10.0**exponent for exponent in range(-3, 4))
"""Candidates for C of equally weighted kernels."""
LEARNT_COST = 10.0
"""C of learnt weights: with a small one all of them are 0."""

COLUMNS = 4096
"""Numbers of all vectors that are held in float64 at a time."""
SMALLEST = 1e-24
"""Least product of two lengths, so that a vector of zeros has a kernel of zeros."""


class KernelSVM:
    """One-vs-rest machines on a weighted sum of linear kernels, one of each block.

    Args:
        label: which kind of class to predict.
        weights: of the kernels: `equal`, their mean with C validated inside train, or learnt for each class (`gmkl`)
            with C 10. A class whose learnt weights are all 0 gets equal ones, and is counted in the notes.

    Source: see the card.
    """

    card: ClassVar[EvaluatorCard] = KERNEL_SVM

    def __init__(self, label: str = "action", weights: Literal["equal", "gmkl"] = "equal") -> None:
        self.label = label
        self.weights = weights

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of train and test."""
        return TRAIN_AND_TEST

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Classify test; nothing here is random, so `seed` changes nothing.

        Raises:
            DataError: as in `train_and_test`, or when train has one group only, so that nothing can validate.
        """
        train, test = train_and_test(encoder, data, self.label)
        features = encoder.features(train.split)
        first = [dataclasses.replace(features, blocks=(block[:1],)) for block in features.blocks]
        sizes = [one.vectors.shape[1] for one in first]  # of a map its channels, of tokens their length
        kernels = _kernels(train.vectors, train.vectors, sizes)
        with progress.bar(self.card.name, total=FOLDS + 1 if self.weights == "equal" else 1) as bar:
            machines, notes = self._equal(kernels, train, bar) if self.weights == "equal" else _learnt(kernels, train)
            bar.advance()
        logits = machines.scores(_kernels(test.vectors, train.vectors, sizes)).mT[None].float()  # (1, N, C)
        logits = logits.masked_fill(~_learnt_classes(train.labels, len(train.classes)), -torch.inf)
        scores, predictions = score_logits(self.card, train, test, logits)
        notes = {**notes, "converged": bool(machines.converged.all()), **split_notes(train, test)}
        evaluation = Evaluation(scores, predictions, notes, class_scores=keep("margins", logits))
        return with_confusion(evaluation, test.split.classes[self.label])

    @staticmethod
    def _equal(kernels: Tensor, train: LabelledFeatures, bar: progress.Bar) -> tuple[KernelMachines, dict[str, object]]:
        mean, count = kernels.mean(0, keepdim=True), len(train.classes)

        def fit(chosen: Tensor, costs: tuple[float, ...]) -> KernelMachines:
            targets = _targets(train.labels[chosen], count).repeat(len(costs), 1)
            of_problems = mean.new_tensor(costs).repeat_interleave(count)
            return fit_kernel_machines(
                mean[:, chosen][:, :, chosen], targets, of_problems, mean.new_ones(len(targets), 1)
            )

        def fit_predict(rest: Tensor, held_out: Tensor) -> Tensor:
            scores = fit(rest, COSTS).scores(mean[:, held_out][:, :, rest]).view(len(COSTS), count, -1)
            bar.advance()
            return scores.masked_fill(~_learnt_classes(train.labels[rest], count)[:, None], -torch.inf).argmax(1)

        accuracies = validate(train, fit_predict)
        best = max(range(len(COSTS)), key=lambda i: (accuracies[i], -i))
        everything = torch.arange(len(train), device=mean.device)
        mean_alone = fit(everything, (COSTS[best],))
        shares = mean_alone.weights.expand(-1, len(kernels)) / len(kernels)
        whole = dataclasses.replace(mean_alone, weights=shares)
        validation = {f"{cost:g}": top1 for cost, top1 in zip(COSTS, accuracies, strict=True)}
        return whole, {"cost": COSTS[best], "validation_top1": validation}


def _learnt_classes(labels: Tensor, count: int) -> Tensor:
    """(C,) bool: classes with a training video; others are never predicted."""
    return labels.bincount(minlength=count) > 0


def _learnt(kernels: Tensor, train: LabelledFeatures) -> tuple[KernelMachines, dict[str, object]]:
    targets = _targets(train.labels, len(train.classes))
    machines = learn_kernel_weights(kernels, targets, LEARNT_COST)
    empty = machines.weights.sum(1) <= 0
    if bool(empty.any()):
        equal = machines.weights.masked_fill(empty[:, None], 1 / len(kernels))
        machines = fit_kernel_machines(kernels, targets, equal.new_full((len(equal),), LEARNT_COST), equal)
    weights = dict(zip(train.classes, machines.weights.tolist(), strict=True))
    return machines, {"cost": LEARNT_COST, "weights": weights, "classes_without_weights": int(empty.sum())}


def _targets(labels: Tensor, classes: int) -> Tensor:
    """(C, N): 1 for the points of a class, -1 for the others."""
    return 2 * F.one_hot(labels, classes).mT.to(torch.float64) - 1


def _kernels(one: Tensor, other: Tensor, sizes: list[int]) -> Tensor:
    """Inner products (M, Q, N) float64 of blocks of length 1, of (Q, D) and (N, D).

    Some columns at a time: of vectors of many numbers, such as VLADs, a copy in float64 would not fit memory.
    """
    kernels = []
    for ours, theirs in zip(torch.split(one, sizes, dim=1), torch.split(other, sizes, dim=1), strict=True):
        products = one.new_zeros(len(one), len(other), dtype=torch.float64)
        lengths = [one.new_zeros(len(rows), dtype=torch.float64) for rows in (one, other)]
        for columns in zip(torch.split(ours, COLUMNS, dim=1), torch.split(theirs, COLUMNS, dim=1), strict=True):
            left, right = (part.to(torch.float64) for part in columns)
            products.addmm_(left, right.mT)
            lengths = [length + part.square().sum(1) for length, part in zip(lengths, (left, right), strict=True)]
        squared, others = lengths
        kernels.append(products / (squared[:, None] * others).sqrt().clamp_min(SMALLEST))
    return torch.stack(kernels)
