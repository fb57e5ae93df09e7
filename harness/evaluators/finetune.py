"""Fine-tuning: a linear classifier and the whole network, trained with labels."""

from __future__ import annotations

import copy
import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from harness.backbones.stages import Frozen, stages
from harness.cards import BackboneCard, MethodCard
from harness.encoders.network import normalise
from harness.errors import DivergedError, PluginError, UsageError
from harness.evaluators.cards import FINETUNE
from harness.evaluators.labelled_features import LabelledFeatures, few_shot_subsets, split_notes, train_and_test
from harness.evaluators.scoring import score_logits, validation_folds
from harness.interfaces import Budget, Evaluation, Trainable
from harness.methods.supervised import Classifier, Supervised
from harness.system import progress
from harness.system.seeding import derive_seed, seeded
from harness.video.loader import sampled_batches
from harness.video.sampling import ClipSampling

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.encoders.frozen import FrozenEncoder
    from harness.interfaces import Dataset, Split

Average = Literal["softmax", "logits"]


class Finetune:
    """Linear classifier on a copy of the encoder's network, both trained with labels.

    Every learning rate is tried on two thirds of train's groups; the one with the highest top-1 accuracy on the videos
    of the others, seen by the encoder's own view (of equal ones the first), is used to train on all of train. The
    baselines are those of the linear probe. A training is one of the method `supervised`, from another start; test
    scores are averaged over clips and crops of a video.

    Args:
        frames: training frames that each training shows, the same for every encoder.
        lrs: the learning rates tried; one alone is not validated.
        batch_size: clips in a step; small, so that a small budget has steps enough.
        frozen: how many stages of the network, the first ones, stay as they are: weights and BN statistics.
        views: which clips and crops a test video's scores are averaged over.
        average: what is averaged over them.
        mirror: False for classes that a mirror turns into others, such as left and right.
        label: which kind of class to predict.
        shots: train on so many videos of each class, drawn as in few-shot classification; None takes all.
        draws: of the shots; scores are means over them.

    Raises:
        UsageError: when an option is impossible.

    Source: Tokmakov, Hebert and Schmid, "Unsupervised learning of video representations via dense trajectory
    clustering", 2020; they lower the rate by the test split, and their frozen BN statistics move.
    """

    card: ClassVar[EvaluatorCard] = FINETUNE

    def __init__(
        self,
        frames: int = 16_000,
        lrs: tuple[float, ...] = (3e-4, 1e-3, 3e-3),
        batch_size: int = 16,
        frozen: int = 0,
        views: ClipSampling = "view",
        average: Average = "softmax",
        mirror: bool = True,
        label: str = "action",
        shots: int | None = None,
        draws: int = 1,
    ) -> None:
        if draws < 1 or (shots is None and draws > 1) or (shots is not None and shots < 1):
            msg = f"shots and draws must be at least 1, and several draws need shots, got {shots} and {draws}"
            raise UsageError(msg)
        if min(frames, batch_size) < 1 or frozen < 0:
            msg = f"frames and batch_size must be at least 1, frozen at least 0, got {frames}, {batch_size}, {frozen}"
            raise UsageError(msg)
        if not lrs or len(set(lrs)) < len(lrs) or not all(0 < lr < math.inf for lr in lrs):
            msg = f"lrs must be different positive numbers, at least one, got {list(lrs)}"
            raise UsageError(msg)
        if views == "25x10" and not mirror:
            msg = "the views 25x10 mirror each crop: choose other views, or leave mirror on"
            raise UsageError(msg)
        self.frames = frames
        self.lrs = lrs
        self.batch_size = batch_size
        self.frozen = frozen
        self.views: ClipSampling = views
        self.average: Average = average
        self.mirror = mirror
        self.label = label
        self.shots = shots
        self.draws = draws

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Fine-tune a copy of the network of `encoder`.

        The seed is of shots, classifier, batches and random clips.

        Raises:
            DataError: as in `train_and_test`, or when train has one group only, so that nothing can validate, or fewer
                videos of a class than shots.
            DivergedError: when no learning rate leads to a loss that is a number.
            PluginError: when the encoder does not say how clips are normalised for its network.
            UsageError: when the network has fewer stages than are to be frozen, or `frames` do not make a clip.
        """
        start = _start(encoder)
        budget = Budget(frames=self.frames, seed=seed, device=encoder.device)
        train, test = train_and_test(encoder, data, self.label)
        parts = [train]
        if self.shots is not None:
            parts = few_shot_subsets(train, self.shots, self.draws, seed, data.card.name)
        rates, validated, rows = [], [], []
        trainings = len(self.lrs) * (len(self.lrs) > 1) + 1
        with progress.bar("fine-tuning", total=trainings * len(parts)) as bar:
            for part in parts:
                accuracies = self._validate(start, part, budget, bar) if len(self.lrs) > 1 else {}
                lr, classifier = self._best(start, part.split, budget, accuracies)
                rows.append(self._scores(classifier, start, test.split, self.views, budget).to(test.labels.device))
                rates.append(lr)
                validated.append({f"{rate:g}": accuracy for rate, accuracy in accuracies.items()})
                bar.advance()
        scores, predictions = score_logits(self.card, train, test, torch.stack(rows))
        notes: dict[str, Any] = {
            "lr": rates[0] if self.shots is None else rates,
            "validation_top1": validated[0] if self.shots is None else validated,
            "frozen_stages": ["+".join(stage) for stage in stages(start.module)[: self.frozen]],
            **split_notes(parts[0], test),
        }
        return Evaluation(scores, predictions, notes)

    def _validate(
        self, start: _Start, train: LabelledFeatures, budget: Budget, bar: progress.Bar
    ) -> dict[float, float | None]:
        """Top-1 accuracy of each learning rate on a fold of train; None: it diverged."""
        held_out = validation_folds(train) == 0
        rest, validation = (train.select(chosen.nonzero().flatten()) for chosen in (~held_out, held_out))
        accuracies: dict[float, float | None] = {}
        for lr in self.lrs:
            try:
                classifier = self._train(start, rest.split, budget, lr)
                scores = self._scores(classifier, start, validation.split, "view", budget)
                accuracies[lr] = float((scores.argmax(1) == validation.labels.cpu()).double().mean())
            except DivergedError:
                accuracies[lr] = None
            bar.advance()
        return accuracies

    def _best(
        self, start: _Start, train: Split, budget: Budget, accuracies: dict[float, float | None]
    ) -> tuple[float, Classifier]:
        """Train on all of train at the best learning rate that does not diverge."""
        known = {lr: accuracies.get(lr, 0.0) for lr in self.lrs}
        ranked = sorted((lr for lr in self.lrs if known[lr] is not None), key=lambda lr: -(known[lr] or 0.0))
        for lr in ranked:
            try:
                return lr, self._train(start, train, budget, lr)
            except DivergedError:
                continue
        msg = f"fine-tuning diverged at every learning rate: {', '.join(f'{lr:g}' for lr in self.lrs)}; lower lrs"
        raise DivergedError(msg)

    def _train(self, start: _Start, train: Split, budget: Budget, lr: float) -> Classifier:
        training = _Training(label=self.label, mirror=self.mirror, batch_size=self.batch_size, lr=lr)
        network = Frozen(copy.deepcopy(start.module).requires_grad_(True), self.frozen)
        with seeded(derive_seed(budget.seed)):
            classifier = training.objective(network, start.card, train)
        training.minimise(classifier, start.card, train, budget)
        if not all(bool(tensor.isfinite().all()) for tensor in classifier.state_dict().values()):
            msg = "fine-tuning diverged: after the last step, weights are NaN or infinite"
            raise DivergedError(msg)
        return classifier

    def _scores(
        self, classifier: Classifier, start: _Start, split: Split, views: ClipSampling, budget: Budget
    ) -> Tensor:
        seed, device = budget.seed, budget.device
        return video_scores(classifier, start.card, split, views=views, average=self.average, seed=seed, device=device)


@torch.inference_mode()
def video_scores(
    classifier: Classifier,
    card: BackboneCard,
    split: Split,
    *,
    views: ClipSampling,
    average: Average,
    seed: int,
    device: str = "cpu",
) -> Tensor:
    """Average a classifier's scores over clips and crops of each video.

    (N, classes) float64 on the CPU.

    Args:
        classifier: put into evaluation mode.
        card: how clips are normalised, and their frames, stride and size.
        split: the N videos.
        views: which clips and crops of each.
        average: `softmax` averages probabilities, which then sum to 1.
        seed: of random clips.
        device: where the classifier is.

    Raises:
        DataError: when a video does not decode.
    """
    classifier.eval()
    sums = torch.zeros(len(split), classifier.head.out_features, dtype=torch.float64)
    counts = torch.zeros(len(split), 1, dtype=torch.float64)
    with progress.bar(f"testing on {split.name}", total=len(split)) as bar:
        done = 0
        for videos, clips in sampled_batches(split, card.view, views, seed=seed):
            logits = classifier.logits(normalise(clips.to(device), card)).double()
            each = logits.softmax(1) if average == "softmax" else logits
            sums.index_add_(0, videos, each.cpu())
            counts.index_add_(0, videos, counts.new_ones(len(videos), 1))
            bar.advance(int(videos[-1]) - done)
            done = int(videos[-1])
        bar.advance(len(split) - done)
    return sums / counts


@dataclass(kw_only=True)
class _Training(Supervised):
    """Method `supervised`, under this evaluator's name in messages and progress."""

    card: ClassVar[MethodCard] = MethodCard(name="finetune", summary=FINETUNE.summary, supervised=True)


@dataclass(frozen=True, slots=True)
class _Start:
    """Network and card that every training starts from."""

    module: nn.Module
    card: BackboneCard


def _start(encoder: FrozenEncoder) -> _Start:
    """Get the encoder's network, and its backbone's card with the encoder's own view."""
    given = encoder.encoder
    card = getattr(given, "card", None)
    if not isinstance(given, Trainable) or not isinstance(card, BackboneCard):
        msg = (
            f"encoder {type(given).__name__} cannot be fine-tuned: it needs a `module`, and its backbone's `card`, "
            "which says how clips are normalised; harness.NetworkEncoder has both"
        )
        raise PluginError(msg)
    return _Start(given.module, dataclasses.replace(card, view=encoder.view))
