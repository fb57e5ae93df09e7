"""What the linear probe and the linear SVM share: choose, refit, classify."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from harness import progress
from harness.evaluators.labelled import train_and_test
from harness.evaluators.scoring import hits, majority, majority_hits, scored
from harness.evaluators.selection import FOLDS, validated
from harness.interfaces import Evaluation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset


class Classifiers(Protocol):
    """P linear classifiers of N points in C classes."""

    @property
    def weight(self) -> Tensor:
        """(P, C, D)."""
        ...

    @property
    def bias(self) -> Tensor:
        """(P, C)."""
        ...

    @property
    def converged(self) -> Tensor:
        """(P,) bool."""
        ...

    def predict(self, x: Tensor) -> Tensor:
        """(P, N) int64 classes of (N, D)."""
        ...


def evaluate_linear(
    card: EvaluatorCard,
    encoder: FrozenEncoder,
    data: Dataset,
    label: str,
    *,
    option: str,
    candidates: Sequence[float],
    scale: Callable[[Tensor, Tensor], tuple[Tensor, ...]],
    fit: Callable[[Tensor, Tensor, Tensor, int], Classifiers],
) -> Evaluation:
    """Classify test by the candidate of highest top-1 accuracy over the held-out groups of train, refitted on train.

    The baselines are train's most frequent class, and for top-5, which is left out where there are no more than 5
    classes, its most frequent five.

    Args:
        card: of the evaluator.
        encoder: what is measured.
        data: what it is measured on.
        label: which kind of class to predict.
        option: what the candidates are, in the notes.
        candidates: of equal ones the first is taken.
        scale: train's vectors and others', both by train's.
        fit: scaled vectors (N, D), labels (N,), candidates (P,) and the number of classes -> P classifiers.

    Raises:
        DataError: as in `train_and_test`, or when train has one group only, so that nothing can validate.
    """
    train, test = train_and_test(encoder, data, label)
    count = len(train.classes)

    def fitted(x: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
        x, queries = scale(x, queries)
        return fit(x, labels, x.new_tensor(candidates), count).predict(queries)

    with progress.bar(card.name, total=FOLDS + 1) as bar:
        accuracies = validated(train, fitted, bar)
        best = max(range(len(candidates)), key=lambda i: (accuracies[i], -i))
        x, queries = scale(train.vectors, test.vectors)
        final = fit(x, train.labels, x.new_tensor([candidates[best]]), count)
        bar.advance()
    scores = queries @ final.weight.mT + final.bias[:, None]  # (1, N, C)
    values = {"top5": hits(scores, test.labels, 5)} if count > 5 else {}
    found, predictions = scored(
        card, test, scores.argmax(2), majority(train, test), values, {"top5": majority_hits(train, test, 5)}
    )
    return Evaluation(
        found,
        predictions,
        {
            option: candidates[best],
            "validation_top1": {f"{c:g}": accuracy for c, accuracy in zip(candidates, accuracies, strict=True)},
            "converged": bool(final.converged.all()),
            "train_videos": len(train),
            "test_videos": len(test),
            "classes_absent_from_test": list(test.absent),
        },
    )
