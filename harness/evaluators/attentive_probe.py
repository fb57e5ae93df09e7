"""Attentive probe: a learnt query attends to frozen tokens."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from harness.errors import DivergedError, UsageError
from harness.evaluators.cards import ATTENTIVE_PROBE, LEARNING_RATES, WEIGHT_DECAYS
from harness.evaluators.class_scores import keep
from harness.evaluators.labelled_features import TRAIN_AND_TEST, split_notes, train_and_test
from harness.evaluators.pictures import with_confusion
from harness.evaluators.scoring import FOLDS, score_logits, validate
from harness.functional.attentive import Read, fit_probes, heads, predict_probes, probe_parameters
from harness.system import progress
from harness.system.seeding import derive_seed
from harness.values import Encoding, Evaluation, as_tokens

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, Features, FrozenEncoder
    from harness.values import Promise

BATCH = 64
EPOCHS, STEPS = 20, 500
"""Length of a training: so many epochs, but at least so many steps."""

AT_ONCE = 2**28
"""Most parameters that are trained in one run; a larger grid is trained in parts."""


class AttentiveProbe:
    """One query, one block of cross-attention over tokens, and a linear classifier.

    Tokens are those of the encoder's own output, or of the layer that it names for them, or of the option `layer`, as
    `harness.values.as_tokens` reads them: a sequence (N, D), or the places of a map. Those of all clips and crops of a
    video are one set. All pairs of a learning rate and a weight decay are trained at once on each fold, from the same
    weights and on the same batches; the pair with the highest top-1 accuracy over all held-out videos (of equal ones
    the first) is trained again on all of train. The baselines are those of the linear probe.

    Args:
        label: which kind of class to predict.
        lrs: the learning rates tried.
        weight_decays: the weight decays tried with each; one pair alone is not validated.
        steps: of a training, each of 64 videos; None takes 20 epochs of train, but at least 500.

    Raises:
        UsageError: when an option is impossible.

    Source: Bardes et al., "Revisiting feature prediction for learning visual representations from video", 2024; the
    grid is that of Assran et al., "V-JEPA 2", 2025.
    """

    card: ClassVar[EvaluatorCard] = ATTENTIVE_PROBE

    def __init__(
        self,
        label: str = "action",
        lrs: tuple[float, ...] = LEARNING_RATES,
        weight_decays: tuple[float, ...] = WEIGHT_DECAYS,
        steps: int | None = None,
    ) -> None:
        if not lrs or len(set(lrs)) < len(lrs) or not all(0 < lr < math.inf for lr in lrs):
            msg = f"lrs must be different positive numbers, at least one, got {list(lrs)}"
            raise UsageError(msg)
        if not weight_decays or len(set(weight_decays)) < len(weight_decays) or not min(weight_decays) >= 0:
            msg = f"weight_decays must be different numbers from 0 on, at least one, got {list(weight_decays)}"
            raise UsageError(msg)
        if steps is not None and steps < 1:
            msg = f"steps must be at least 1, got {steps}"
            raise UsageError(msg)
        self.label = label
        self.grid = list(itertools.product(lrs, weight_decays))
        self.steps = steps

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Tokens of train and test."""
        return tuple(Encoding(split=one.split, tokens=True) for one in TRAIN_AND_TEST)

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Train probes on train, and score the chosen one on test.

        The seed draws weights and batches.

        Raises:
            DataError: as in `train_and_test`, or when train has one group only, so that nothing can validate.
            DivergedError: when the training of the chosen pair ends without numbers.
            UsageError: when the encoder has no tokens.
        """
        tokens = Encoding(tokens=True)
        train, test = train_and_test(encoder, data, self.label, tokens)
        read, read_test = (token_reader(encoder.features(part.split, tokens)) for part in (train, test))
        dim, steps = train.vectors.shape[1], self.steps or max(STEPS, -(-EPOCHS * len(train) // BATCH))
        start = probe_parameters(dim, len(train.classes), seed=derive_seed(seed, 0))
        size = max(1, AT_ONCE // sum(value.numel() for value in start.values()))
        parts = [self.grid[first : first + size] for first in range(0, len(self.grid), size)]
        fit = partial(fit_probes, start, read, train.labels, steps=steps, batch_size=BATCH, seed=derive_seed(seed, 1))

        def fit_predict(rest: Tensor, held_out: Tensor) -> Tensor:
            probes = (fit(rest, *torch.tensor(part).T, advance=bar.advance) for part in parts)
            return torch.cat([_classes(predict_probes(one, read, held_out)) for one in probes])

        alone = len(self.grid) == 1
        with progress.bar(self.card.name, total=steps * (1 if alone else FOLDS * len(parts) + 1)) as bar:
            accuracies = [] if alone else validate(train, fit_predict)
            best = max(range(len(accuracies)), key=lambda i: (accuracies[i], -i), default=0)
            lr, decay = self.grid[best]
            probe = fit(torch.arange(len(train)), *torch.tensor([[lr, decay]]).T, advance=bar.advance)
        logits = predict_probes(probe, read_test, torch.arange(len(test)))
        if not logits.isfinite().all():
            msg = f"the probe diverged at learning rate {lr:g} and weight decay {decay:g}; lower lrs"
            raise DivergedError(msg)
        scores, predictions = score_logits(self.card, train, test, logits)
        tried = [f"{lr:g}, {decay:g}" for lr, decay in self.grid[: len(accuracies)]]
        notes = {
            "lr": lr,
            "weight_decay": decay,
            "validation_top1": dict(zip(tried, accuracies, strict=True)),
            "steps": steps,
            "heads": heads(dim),
            **split_notes(train, test),
        }
        evaluation = Evaluation(scores, predictions, notes, class_scores=keep("logits", logits))
        return with_confusion(evaluation, test.classes)


def _classes(logits: Tensor) -> Tensor:
    """Classes (P, M) of logits (P, M, C); -1 where a training diverged."""
    return logits.argmax(2).where(logits.isfinite().all(2), -1)


def token_reader(features: Features) -> Read:
    """Make a function that reads tokens: positions (B,) -> (B, N, D) float32.

    Features are kept on the device when they take no more than half of its free memory; on the CPU they stay where
    they are mapped.
    """
    (block,) = features.blocks
    kept = torch.from_numpy(np.array(block)).to(features.device) if _fits(block.nbytes, features.device) else None

    def read(videos: Tensor) -> Tensor:
        rows = torch.from_numpy(block[videos.cpu().numpy()]) if kept is None else kept[videos.to(kept.device)]
        each = as_tokens(rows.to(features.device).float().flatten(0, 1))  # of clips
        return each.reshape(len(videos), -1, each.shape[2])

    return read


def _fits(size: int, device: str) -> bool:
    return torch.device(device).type == "cuda" and 2 * size <= torch.cuda.mem_get_info(device)[0]
