"""Fine-tuning: a classifier and the network below it, trained with labels."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor

from harness.backbones.stages import Frozen, stages
from harness.cards import WholeVideo
from harness.encoders.network import only_stream
from harness.errors import DivergedError, UsageError
from harness.evaluators.cards import FINETUNE
from harness.evaluators.class_scores import keep
from harness.evaluators.labelled_features import (
    TRAIN_AND_TEST,
    LabelledFeatures,
    few_shot_subsets,
    split_notes,
    train_and_test,
)
from harness.evaluators.scoring import score_logits, validation_folds
from harness.evaluators.shown_frames import expect_frames
from harness.functional.autocast import autocast
from harness.methods.supervised import Classifier, Supervised
from harness.system import progress
from harness.system.seeding import derive_seed, seeded
from harness.training.session import TrainingSession
from harness.values import Budget, Evaluation, Inputs
from harness.video.loader import sampled_batches
from harness.video.sampling import ClipSampling
from harness.video.transforms import normalise

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder, Split, Trainable
    from harness.values import Encoding, Promise

Average = Literal["softmax", "logits"]


class Finetune:
    """Classifier on a copy of the encoder's network, both trained with labels.

    Every learning rate is tried on two thirds of train's groups; the one with the highest top-1 accuracy on the videos
    of the others, seen by the encoder's own view (of equal ones the first), is used to train on all of train. The
    baselines are those of the linear probe. A training is one of the method `supervised`, from another start; test
    scores are averaged over clips and crops of a video.

    Args:
        frames: training frames that each training shows, the same for every encoder.
        lrs: the learning rates tried; one alone is not validated.
        batch_size: clips in a step; small, so that a small budget has steps enough.
        frozen: how many stages of the network, the first ones, stay as they are: weights and BN statistics; with `all`
            the classifier alone is trained.
        hidden: units of a hidden layer with a ReLU before the linear classifier; 0 has none.
        views: which clips and crops a test video's scores are averaged over.
        average: what is averaged over them.
        mirror: False for classes that a mirror turns into others, such as left and right.
        label: which kind of class to predict.
        shots: train on so many videos of each class, drawn as in few-shot classification; None takes all. One
            video validates nothing, so it asks for one learning rate.
        draws: of the shots; scores are means over them.
        label_smoothing: share of the target that is spread over all classes; 0 is the plain cross-entropy of papers.

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
        frozen: int | Literal["all"] = 0,
        hidden: int = 0,
        views: ClipSampling = "view",
        average: Average = "softmax",
        mirror: bool = True,
        label: str = "action",
        shots: int | None = None,
        draws: int = 1,
        label_smoothing: float = 0.1,
    ) -> None:
        if draws < 1 or (shots is None and draws > 1) or (shots is not None and shots < 1):
            msg = f"shots and draws must be at least 1, and several draws need shots, got {shots} and {draws}"
            raise UsageError(msg)
        if min(frames, batch_size) < 1 or hidden < 0 or (frozen != "all" and frozen < 0):
            msg = (
                "frames and batch_size must be at least 1, hidden at least 0, frozen at least 0 or all, "
                f"got {frames}, {batch_size}, {hidden}, {frozen}"
            )
            raise UsageError(msg)
        if not 0 <= label_smoothing < 1:
            msg = f"label_smoothing must be at least 0 and below 1, got {label_smoothing}"
            raise UsageError(msg)
        if not lrs or len(set(lrs)) < len(lrs) or not all(0 < lr < math.inf for lr in lrs):
            msg = f"lrs must be different positive numbers, at least one, got {list(lrs)}"
            raise UsageError(msg)
        if shots == 1 and len(lrs) > 1:
            msg = (
                f"shots 1 leaves no second video of a class to choose a learning rate by, got {len(lrs)} of them; "
                "give one, such as lrs: [0.001]"
            )
            raise UsageError(msg)
        if views == "25x10" and not mirror:
            msg = "the views 25x10 mirror each crop: choose other views, or leave mirror on"
            raise UsageError(msg)
        self.frames = frames
        self.lrs = lrs
        self.batch_size = batch_size
        self.frozen: int | Literal["all"] = frozen
        self.hidden = hidden
        self.views: ClipSampling = views
        self.average: Average = average
        self.mirror = mirror
        self.label = label
        self.shots = shots
        self.draws = draws
        self.label_smoothing = label_smoothing

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of train and test, which show a collapsed encoder before training."""
        return TRAIN_AND_TEST

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Fine-tune a copy of the network of `encoder`.

        The seed is of shots, classifier, batches and random clips.

        Raises:
            DataError: as in `train_and_test`, or when train has one group only, so that nothing can validate, or fewer
                videos of a class than shots.
            DivergedError: when no learning rate leads to a loss that is a number.
            UsageError: when the network has fewer stages than are to be frozen, or sees optical flow, or `frames` do
                not make a clip.
        """
        start = encoder.network()
        assert start is not None  # the card needs it
        expect_frames(start.inputs, self.card.name)
        session = TrainingSession(
            Budget(frames=self.frames, seed=seed), name="finetune", device=encoder.device, precision=start.precision
        )
        train, test = train_and_test(encoder, data, self.label)
        parts = [train]
        if self.shots is not None:
            parts = few_shot_subsets(train, self.shots, self.draws, seed, data.card.name)
        rates, validated, rows = [], [], []
        trainings = len(self.lrs) * (len(self.lrs) > 1) + 1
        with progress.bar("fine-tuning", total=trainings * len(parts)) as bar:
            for part in parts:
                accuracies = self._validate(start, part, session, bar) if len(self.lrs) > 1 else {}
                lr, classifier = self._best(start, part.split, session, accuracies)
                rows.append(self._scores(classifier, start, test.split, self.views, session).to(test.labels.device))
                rates.append(lr)
                validated.append({f"{rate:g}": accuracy for rate, accuracy in accuracies.items()})
                bar.advance()
        scores, predictions = score_logits(self.card, train, test, torch.stack(rows))
        count = None if self.frozen == "all" else self.frozen
        notes: dict[str, Any] = {
            "lr": rates[0] if self.shots is None else rates,
            "validation_top1": validated[0] if self.shots is None else validated,
            "frozen_stages": ["+".join(stage) for stage in stages(start.module)[:count]],
            **split_notes(parts[0], test),
        }
        kept = keep("probabilities" if self.average == "softmax" else "logits", rows)
        return Evaluation(scores, predictions, notes, class_scores=kept)

    def _validate(
        self, start: Trainable, train: LabelledFeatures, session: TrainingSession, bar: progress.Bar
    ) -> dict[float, float | None]:
        """Top-1 accuracy of each learning rate on a fold of train; None: it diverged."""
        held_out = validation_folds(train) == 0
        rest, validation = (train.select(chosen.nonzero().flatten()) for chosen in (~held_out, held_out))
        accuracies: dict[float, float | None] = {}
        for lr in self.lrs:
            try:
                classifier = self._train(start, rest.split, session, lr)
                scores = self._scores(classifier, start, validation.split, "view", session)
                accuracies[lr] = float((scores.argmax(1) == validation.labels.cpu()).double().mean())
            except DivergedError:
                accuracies[lr] = None
            bar.advance()
        return accuracies

    def _best(
        self, start: Trainable, train: Split, session: TrainingSession, accuracies: dict[float, float | None]
    ) -> tuple[float, Classifier]:
        """Train on all of train at the best learning rate that does not diverge."""
        known = {lr: accuracies.get(lr, 0.0) for lr in self.lrs}
        ranked = sorted((lr for lr in self.lrs if known[lr] is not None), key=lambda lr: -(known[lr] or 0.0))
        for lr in ranked:
            try:
                return lr, self._train(start, train, session, lr)
            except DivergedError:
                continue
        msg = f"fine-tuning diverged at every learning rate: {', '.join(f'{lr:g}' for lr in self.lrs)}; lower lrs"
        raise DivergedError(msg)

    def _train(self, start: Trainable, train: Split, session: TrainingSession, lr: float) -> Classifier:
        training = Supervised(
            label=self.label,
            hidden=self.hidden,
            mirror=self.mirror,
            batch_size=self.batch_size,
            lr=lr,
            label_smoothing=self.label_smoothing,
        )
        network = Frozen(copy.deepcopy(start.module).requires_grad_(True), self.frozen)
        with seeded(derive_seed(session.budget.seed)):
            classifier = training.build_loss(network, start.dim, train)
        training.train(classifier, only_stream(start.inputs), train, session)
        if not all(bool(tensor.isfinite().all()) for tensor in classifier.state_dict().values()):
            msg = "fine-tuning diverged: after the last step, weights are NaN or infinite"
            raise DivergedError(msg)
        return classifier

    def _scores(
        self, classifier: Classifier, start: Trainable, split: Split, views: ClipSampling, session: TrainingSession
    ) -> Tensor:
        seed, device = session.budget.seed, session.device
        inputs = only_stream(start.inputs)
        with autocast(device, start.precision):
            return video_scores(classifier, inputs, split, views=views, average=self.average, seed=seed, device=device)


@torch.inference_mode()
def video_scores(
    classifier: Classifier,
    inputs: Inputs,
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
        inputs: of the network.
        split: the N videos.
        views: which clips and crops of each.
        average: `softmax` averages probabilities, which then sum to 1.
        seed: of random clips.
        device: where the classifier is.

    Raises:
        DataError: when a video does not decode.
    """
    view = inputs.view
    if isinstance(view, WholeVideo):
        msg = "expected a network that sees clips, got one that is shown whole videos"
        raise UsageError(msg)
    classifier.eval()
    sums = torch.zeros(len(split), classifier.classes, dtype=torch.float64)
    counts = torch.zeros(len(split), 1, dtype=torch.float64)
    with progress.bar(f"testing on {split.name}", total=len(split)) as bar:
        done = 0
        for videos, clips in sampled_batches(split, view, views, seed=seed, device=device):
            logits = classifier.logits(normalise(clips, inputs)).double()
            each = logits.softmax(1) if average == "softmax" else logits
            sums.index_add_(0, videos, each.cpu())
            counts.index_add_(0, videos, counts.new_ones(len(videos), 1))
            bar.advance(int(videos[-1]) - done)
            done = int(videos[-1])
        bar.advance(len(split) - done)
    return sums / counts
