"""Pose: joints of people, learnt from frozen feature maps or by all layers."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from harness.errors import DataError, DivergedError, UsageError
from harness.evaluators.cards import POSE
from harness.evaluators.pose import head as pose_head
from harness.evaluators.pose.feature_maps import GRID, crops, feature_maps, input_size, spatial_network
from harness.evaluators.pose.finetuning import fit_network
from harness.evaluators.pose.frames import Frames, frames_with_people
from harness.evaluators.pose.head import fit_head, predict
from harness.evaluators.pose.metrics import limb_counts, metric_values, other_diagonal
from harness.evaluators.pose.pictures import skeletons
from harness.evaluators.scoring import first_labels, score_values
from harness.functional.folds import group_folds
from harness.functional.pose import ARMS, JOINTS, strict_pcp, torso_diameter
from harness.system import progress
from harness.values import Evaluation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise

LEARNING_RATES = {"head": (3e-3, 1e-2, 3e-2), "all": (3e-4, 1e-3, 3e-3)}

FRAMES = 16_000
"""Images shown in a training of all layers."""

BATCH_SIZE = 16
"""Images in a step of it."""

FOLDS = 5
"""Folds of train, one of which validates."""


class Pose:
    """Heat maps of nine joints from a spatial feature map, scored by PCP and PDJ.

    Metrics are strict PCP of arms, and PDJ of elbows and wrists.

    A joint is scored when it is known and inside of the image, also where the square around the person cuts it off; a
    limb when both of its ends are. What each video adds to a metric is its mean over its frames and its limbs or
    joints that are scored; a video without any is left out. The baseline puts every joint where it is in train on
    average, in the square around the person. The notes count what was left out, and give the PDJ by the torso's other
    diagonal where it differs by more than half a point.

    Every learning rate is tried on four fifths of train's groups; the one with the highest strict PCP on the others
    (of equal ones the lowest) is used to train on all of train.

    Args:
        train: `head` trains new layers on the frozen feature map, with a bias per pixel; `all` is the paper's
            experiment: a copy of the network and its new layers, both trained, in the network's own grid.
        frames: images that a training of all layers shows, the same for every encoder; None: 16,000.
        lrs: the learning rates tried; one alone is not validated. None: 3e-3, 1e-2 and 3e-2 of a head, 3e-4, 1e-3 and
            3e-3 of all layers.
        batch_size: images in a step of training all layers; None: 16.
        size: side of the squares in pixels; None: that of a feature map of 15 x 15, 256 for VGG-M.

    Raises:
        UsageError: when an option is impossible, or of the other training.

    Source: Purushwalkam and Gupta, "Pose from Action", 2016, the experiment on FLIC; measures as in Chen and Yuille,
    "Articulated pose estimation by a graphical model with image dependent pairwise relations", NIPS 2014.
    """

    card: ClassVar[EvaluatorCard] = POSE

    def __init__(
        self,
        train: Literal["head", "all"] = "head",
        frames: int | None = None,
        lrs: tuple[float, ...] | None = None,
        batch_size: int | None = None,
        size: int | None = None,
    ) -> None:
        if train == "head" and (frames, batch_size) != (None, None):
            msg = f"frames and batch_size are of train 'all', got {frames} and {batch_size}; leave them out of 'head'"
            raise UsageError(msg)
        self.train = train
        self.frames = FRAMES if frames is None else frames
        self.lrs = LEARNING_RATES[train] if lrs is None else lrs
        self.batch_size = BATCH_SIZE if batch_size is None else batch_size
        self.size = size
        if not 1 <= self.batch_size <= self.frames or (size is not None and size < 1):
            got = f"{self.batch_size}, {self.frames} and {size}"
            msg = f"batch_size and size must be at least 1, frames at least a batch, got {got}"
            raise UsageError(msg)
        if not self.lrs or len(set(self.lrs)) < len(self.lrs) or not all(0 < lr < math.inf for lr in self.lrs):
            msg = f"lrs must be different positive numbers, at least one, got {list(self.lrs)}"
            raise UsageError(msg)

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Nothing: feature maps are made of squares around people."""
        return ()

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Train on train, and measure on test.

        The seed draws weights and batches.

        Raises:
            DataError: when joints are missing or cannot be read, naming the video; when a joint of the arms is nowhere
                in train, or no arm of test can be scored; when train has one group only; when a feature map is NaN.
            DivergedError: when training ends without numbers.
            PluginError: when the encoder has no spatial layer, or it gives no maps.
            UsageError: when the network does not take images of `size`.
        """
        train, test = (frames_with_people(data, name) for name in ("train", "test"))
        usual = _mean_joints(train, data.card.name)
        size, grid = input_size(encoder, self.size)
        training = self._training(encoder, size, seed)
        lr, validation, points = _select_and_predict(training, train, test, self.lrs)
        pixels = test.to_pixels(points)
        values, guessed = (metric_values(test, places) for places in (pixels, test.to_pixels(usual.expand_as(points))))
        if "strict_pcp_arms" not in values:
            msg = f"no arm in split 'test' of data set {data.card.name!r} can be scored: their joints are not seen"
            raise DataError(msg)
        scores, predictions = score_values(test.split, values, guessed)
        return Evaluation(
            scores,
            predictions,
            {
                "learning_rate": lr,
                "validation_strict_pcp_arms": {f"{one:g}": value for one, value in validation.items()},
                "input_size": size,
                "feature_map": list(grid),
                "feature_map_resized": self.train == "head" and grid != (GRID, GRID),
                "train": train.counts(),
                "test": test.counts(),
                "test_limbs_scored": limb_counts(test, pixels),
                "test_torsos_of_diameter_0": int((torso_diameter(test.joints) == 0).sum()),
                "other_diagonal": other_diagonal(test, pixels, values),
            },
            {"pose": skeletons(test, pixels)},
        )

    def _training(self, encoder: FrozenEncoder, size: int, seed: int) -> _Training:
        if self.train == "head":
            read = partial(feature_maps, encoder, size=size)
            return _Training(read, partial(fit_head, seed=seed), pose_head.STEPS)
        module, layer, inputs, precision = spatial_network(encoder)
        steps = self.frames // self.batch_size
        fit = partial(fit_network, module, layer, steps=steps, batch_size=self.batch_size, seed=seed)
        fit = partial(fit, device=encoder.device, precision=precision)
        return _Training(partial(crops, size=size, inputs=inputs), fit, steps)


@dataclass(frozen=True, slots=True)
class _Training:
    """Training of a head, or of all layers."""

    read: Callable[[Frames], Tensor]
    """Reads the inputs (N, ...) of frames, once for all learning rates."""
    fit: Callable[..., nn.Module]
    """Inputs, points (N, 9, 2), `lr` and `bar` -> model of heat maps."""
    steps: int


def _mean_joints(train: Frames, data: str) -> Tensor:
    """Mean place of each joint in train: (9, 2) in shares of the square.

    NaN for a joint that is nowhere scored.

    Raises:
        DataError: when that is so for a joint of the arms.
    """
    usual = train.to_shares(train.truth).nanmean(0)
    for joint in sorted({end for limb in ARMS for end in limb}):
        if usual[joint].isnan().any():
            msg = f"joint {JOINTS[joint]!r} is missing or outside of the image in all of train of data set {data!r}"
            raise DataError(msg)
    return usual


def _select_and_predict(
    training: _Training, train: Frames, test: Frames, lrs: tuple[float, ...]
) -> tuple[float, dict[float, float | None], Tensor]:
    """Choose the learning rate and predict the joints of test.

    Returns it, the validation score of each (None: it diverged), and (N, 9, 2) in shares of the square.
    """
    inputs, points = training.read(train), train.to_shares(train.truth)
    tried = lrs if len(lrs) > 1 else ()
    with progress.bar("pose", total=(len(tried) + 1) * training.steps) as bar:
        validation = _validate(training, inputs, points, _held_out(train), tried, bar) if tried else {}
        ranked = sorted(validation, key=lambda lr: (-validation[lr], lr)) if tried else lrs
        lr, model = _fit_first(training, inputs, points, ranked, bar)
    del inputs  # test's take their place
    predicted = predict(model, training.read(test))
    if predicted.isnan().any():
        msg = f"training for pose at learning rate {lr:g} ended without numbers; look at the encoder's feature map"
        raise DivergedError(msg)
    return lr, {one: validation.get(one) for one in tried}, predicted


def _validate(
    training: _Training, inputs: Tensor, points: Tensor, held_out: Tensor, lrs: tuple[float, ...], bar: progress.Bar
) -> dict[float, float]:
    """Strict PCP of arms in the frames held out, by each learning rate that trains.

    Raises:
        DataError: when no arm can be scored there.
    """
    fitting, validating = ((~held_out).nonzero()[:, 0], held_out.nonzero()[:, 0])
    reached = {}
    for lr in lrs:
        with contextlib.suppress(DivergedError):
            model = training.fit(inputs[fitting], points[fitting], lr=lr, bar=bar)
            reached[lr] = float(strict_pcp(predict(model, inputs[validating]), points[validating]).nanmean())
    if any(value != value for value in reached.values()):
        msg = "no arm in the validating part of train can be scored: its joints are missing or outside of the image"
        raise DataError(msg)
    return reached


def _fit_first(
    training: _Training, inputs: Tensor, points: Tensor, lrs: Sequence[float], bar: progress.Bar
) -> tuple[float, nn.Module]:
    """Train at the first learning rate that does not diverge.

    Raises:
        DivergedError: when there is none.
    """
    for lr in lrs:
        with contextlib.suppress(DivergedError):
            return lr, training.fit(inputs, points, lr=lr, bar=bar)
    msg = "training for pose diverged at every learning rate; give the option lrs lower ones"
    raise DivergedError(msg)


def _held_out(train: Frames) -> Tensor:
    """(N,) bool: the frames of the videos that validate, a fifth of the groups.

    Raises:
        DataError: when train has frames of one group only.
    """
    groups = [video.group for video in train.split.videos]
    held_out = (group_folds(torch.tensor(first_labels(train.split)), groups, FOLDS) == 0)[train.videos]
    if held_out.all() or not held_out.any():
        msg = f"train has one group only ({groups[0]!r}); choosing the learning rate needs at least two"
        raise DataError(msg)
    return held_out
