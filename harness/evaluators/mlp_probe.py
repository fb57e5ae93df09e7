"""MLP probe: one hidden layer on frozen features."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch

from harness.errors import DivergedError, UsageError
from harness.evaluators.cards import MLP_LEARNING_RATES, MLP_PROBE, MLP_WEIGHT_DECAYS
from harness.evaluators.class_scores import keep
from harness.evaluators.labelled_features import TRAIN_AND_TEST, split_notes, train_and_test
from harness.evaluators.pictures import with_confusion
from harness.evaluators.probe_grid import in_parts, probe_grid, spell_pairs
from harness.evaluators.scoring import FOLDS, score_logits, validate
from harness.functional.mlp import mlp_gradients, mlp_logits, mlp_parameters
from harness.functional.probes import finite_classes, fit_probes, predict_probes
from harness.functional.standardise import standardise
from harness.system import progress
from harness.system.seeding import derive_seed
from harness.values import Evaluation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.evaluators.probe_grid import Pair
    from harness.functional.probes import Parameters
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise

BATCH = 256
EPOCHS, STEPS = 30, 300
"""Length of a training: so many epochs, but at least so many steps."""


class MLPProbe:
    """A hidden layer with ReLU and a linear classifier, on standardised features.

    All pairs of a learning rate and a weight decay are trained at once on each fold, from the same weights and on the
    same batches; the pair with the highest top-1 accuracy over all held-out videos (of equal ones the first) is
    trained again on all of train, from `repeats` other weights. Scores are means over these; the notes have the sample
    standard deviation of the top-1 accuracy. The baselines are those of the linear probe.

    Args:
        label: which kind of class to predict.
        width: units of the hidden layer.
        lrs: the learning rates tried.
        weight_decays: the weight decays tried with each; one pair alone is not validated.
        steps: of a training, each of 256 videos; None takes 30 epochs of train, but at least 300.
        repeats: trainings of the chosen pair.

    Raises:
        UsageError: when an option is impossible.

    Source: Kolesnikov, Zhai and Beyer, "Revisiting self-supervised visual representation learning", CVPR 2019.
    """

    card: ClassVar[EvaluatorCard] = MLP_PROBE

    def __init__(
        self,
        label: str = "action",
        width: int = 512,
        lrs: tuple[float, ...] = MLP_LEARNING_RATES,
        weight_decays: tuple[float, ...] = MLP_WEIGHT_DECAYS,
        steps: int | None = None,
        repeats: int = 5,
    ) -> None:
        self.grid = probe_grid(lrs, weight_decays)
        for name, number in (("width", width), ("steps", steps), ("repeats", repeats)):
            if number is not None and number < 1:
                msg = f"{name} must be at least 1, got {number}"
                raise UsageError(msg)
        self.label = label
        self.width = width
        self.steps = steps
        self.repeats = repeats

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of train and test."""
        return TRAIN_AND_TEST

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Train probes on train, and score those of the chosen pair on test.

        The seed draws weights and batches.

        Raises:
            DataError: as in `train_and_test`, or when train has one group only, so that nothing can validate.
            DivergedError: when a training of the chosen pair ends without numbers.
        """
        train, test = train_and_test(encoder, data, self.label)
        steps = self.steps or max(STEPS, -(-EPOCHS * len(train) // BATCH))
        new = partial(mlp_parameters, train.vectors.shape[1], self.width, len(train.classes))
        first, others = new(count=1, seed=derive_seed(seed, 0)), new(count=self.repeats, seed=derive_seed(seed, 2))
        parts = in_parts(self.grid, first)

        def fit_predict(start: Parameters, pairs: list[Pair], x: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
            """Logits (P, M, C) of queries (M, D) by probes that learn from x (N, D)."""
            probes = fit_probes(
                mlp_gradients,
                start,
                lambda batch: x[batch.to(x.device, non_blocking=True)],
                labels,
                torch.arange(len(x)),
                *torch.tensor(pairs).T,
                steps=steps,
                batch_size=BATCH,
                seed=derive_seed(seed, 1),
                advance=bar.advance,
            )
            every = torch.arange(len(queries))
            return predict_probes(mlp_logits, probes, lambda batch: queries[batch.to(queries.device)], every)

        def validated(rest: Tensor, held_out: Tensor) -> Tensor:
            x, queries = standardise(train.vectors[rest], train.vectors[held_out])
            logits = (fit_predict(first, part, x, train.labels[rest], queries) for part in parts)
            return torch.cat([finite_classes(one) for one in logits])

        alone = len(self.grid) == 1
        with progress.bar(self.card.name, total=steps * (1 if alone else FOLDS * len(parts) + 1)) as bar:
            accuracies = [] if alone else validate(train, validated)
            best = max(range(len(accuracies)), key=lambda i: (accuracies[i], -i), default=0)
            x, queries = standardise(train.vectors, test.vectors)
            logits = fit_predict(others, [self.grid[best]] * self.repeats, x, train.labels, queries)
        lr, decay = self.grid[best]
        if not logits.isfinite().all():
            msg = f"the probe diverged at learning rate {lr:g} and weight decay {decay:g}; lower lrs"
            raise DivergedError(msg)
        scores, predictions = score_logits(self.card, train, test, logits)
        hits = (logits.argmax(2) == test.labels).double().mean(1)
        notes = {
            "lr": lr,
            "weight_decay": decay,
            "validation_top1": dict(zip(spell_pairs(self.grid), accuracies, strict=False)),
            "steps": steps,
            "top1_std": float(hits.std()) if self.repeats > 1 else None,
            **split_notes(train, test),
        }
        kept = keep("logits", logits)
        return with_confusion(Evaluation(scores, predictions, notes, class_scores=kept), test.classes)
