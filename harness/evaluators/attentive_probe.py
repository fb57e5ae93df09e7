"""Attentive probe: a learnt query attends to frozen tokens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from harness.errors import DivergedError, UsageError
from harness.evaluators.cards import ATTENTIVE_PROBE, LEARNING_RATES, WEIGHT_DECAYS
from harness.evaluators.class_scores import keep
from harness.evaluators.labelled_features import TRAIN_AND_TEST, split_notes, train_and_test
from harness.evaluators.pictures import with_confusion
from harness.evaluators.probe_grid import in_parts, probe_grid, spell_pairs
from harness.evaluators.scoring import FOLDS, score_logits, validate
from harness.functional.attentive import heads, probe_logits, probe_parameters
from harness.functional.probes import Read, autograd_gradients, finite_classes, fit_probes, predict_probes
from harness.system import progress
from harness.system.prefetch import pinned_to_device
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
        grid = probe_grid(lrs, weight_decays)
        if steps is not None and steps < 1:
            msg = f"steps must be at least 1, got {steps}"
            raise UsageError(msg)
        self.label = label
        self.grid = grid
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
        parts = in_parts(self.grid, start)
        fit = partial(fit_probes, partial(autograd_gradients, probe_logits), start, read, train.labels)
        fit = partial(fit, steps=steps, batch_size=BATCH, seed=derive_seed(seed, 1))

        def fit_predict(rest: Tensor, held_out: Tensor) -> Tensor:
            probes = (fit(rest, *torch.tensor(part).T, advance=bar.advance) for part in parts)
            return torch.cat([finite_classes(predict_probes(probe_logits, one, read, held_out)) for one in probes])

        alone = len(self.grid) == 1
        with progress.bar(self.card.name, total=steps * (1 if alone else FOLDS * len(parts) + 1)) as bar:
            accuracies = [] if alone else validate(train, fit_predict)
            best = max(range(len(accuracies)), key=lambda i: (accuracies[i], -i), default=0)
            lr, decay = self.grid[best]
            probe = fit(torch.arange(len(train)), *torch.tensor([[lr, decay]]).T, advance=bar.advance)
        logits = predict_probes(probe_logits, probe, read_test, torch.arange(len(test)))
        if not logits.isfinite().all():
            msg = f"the probe diverged at learning rate {lr:g} and weight decay {decay:g}; lower lrs"
            raise DivergedError(msg)
        scores, predictions = score_logits(self.card, train, test, logits)
        notes = {
            "lr": lr,
            "weight_decay": decay,
            "validation_top1": dict(zip(spell_pairs(self.grid), accuracies, strict=False)),
            "steps": steps,
            "heads": heads(dim),
            **split_notes(train, test),
        }
        evaluation = Evaluation(scores, predictions, notes, class_scores=keep("logits", logits))
        return with_confusion(evaluation, test.classes)


def token_reader(features: Features) -> Read:
    """Make a function that reads tokens: positions (B,) -> (B, N, D) float32.

    Features are kept on the device when they take no more than half of its free memory; on the CPU they stay where
    they are mapped.
    """
    (block,) = features.blocks
    kept = torch.from_numpy(np.array(block)).to(features.device) if _fits(block.nbytes, features.device) else None

    def read(videos: Tensor) -> Tensor:
        if kept is None:
            rows = pinned_to_device(torch.from_numpy(block[videos.cpu().numpy()]), features.device)
        else:
            rows = kept[videos.to(kept.device, non_blocking=True)]
        each = as_tokens(rows.float().flatten(0, 1))  # of clips
        return each.reshape(len(videos), -1, each.shape[2])

    return read


def _fits(size: int, device: str) -> bool:
    return torch.device(device).type == "cuda" and 2 * size <= torch.cuda.mem_get_info(device)[0]
