"""Pose: joints of people, learnt from a frozen feature map."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from harness.errors import DataError, DivergedError
from harness.evaluators.cards import POSE, THRESHOLDS, pdj_id
from harness.evaluators.pose import head as pose_head
from harness.evaluators.pose.feature_maps import GRID, feature_maps, input_size
from harness.evaluators.pose.frames import Frames, frames_with_people
from harness.evaluators.pose.head import fit_head, predict
from harness.evaluators.pose.pictures import skeletons
from harness.evaluators.scoring import to_values
from harness.functional.folds import group_folds
from harness.functional.metrics import mean
from harness.functional.pose import ARMS, DIAGONAL, JOINTS, OTHER_DIAGONAL, pdj, strict_pcp, torso_diameter
from harness.system import progress
from harness.values import Evaluation, Predictions, Score

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise

LEARNING_RATES = (3e-3, 1e-2, 3e-2)

FOLDS = 5
"""Folds of train, one of which validates."""

LIMBS = {"strict_pcp_arms": (0, 1, 2, 3), "strict_pcp_upper_arm": (0, 1), "strict_pcp_lower_arm": (2, 3)}
"""Columns of `strict_pcp` that each metric averages, left and right alike."""

PAIRS = {"elbow": (3, 4), "wrist": (5, 6)}
"""Columns of `pdj`, left and right."""


class Pose:
    """Heat maps of nine joints from a frozen feature map, scored by PCP and PDJ.

    Metrics are strict PCP of arms, and PDJ of elbows and wrists.

    A joint is scored when it is known and inside of the image, also where the square around the person cuts it off; a
    limb when both of its ends are. What each video adds to a metric is its mean over its frames and its limbs or
    joints that are scored; a video without any is left out. Only the head is trained. The baseline
    puts every joint where it is in train on average, in the square around the person. The notes count what was left
    out, and give the PDJ by the torso's other diagonal where it differs by more than half a point.

    Source: Purushwalkam and Gupta, "Pose from Action", 2016, the experiment on FLIC; measures as in Chen and Yuille,
    "Articulated pose estimation by a graphical model with image dependent pairwise relations", NIPS 2014.
    """

    card: ClassVar[EvaluatorCard] = POSE

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Nothing: feature maps are made of squares around people."""
        return ()

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Train heads on train, and measure the chosen one on test.

        The seed draws weights and batches.

        Raises:
            DataError: when joints are missing or cannot be read, naming the video; when a joint of the arms is nowhere
                in train, or no arm of test can be scored; when train has one group only; when a feature map is NaN.
            DivergedError: when the head's training ends without numbers.
            PluginError: when the encoder has no spatial layer, or it gives no maps.
        """
        train, test = (frames_with_people(data, name) for name in ("train", "test"))
        usual = _mean_joints(train, data.card.name)
        size, grid = input_size(encoder)
        lr, validation, points = _select_and_predict(encoder, train, test, size, seed)
        pixels = test.to_pixels(points)
        values, guessed = (_values(test, places) for places in (pixels, test.to_pixels(usual.expand_as(points))))
        if "strict_pcp_arms" not in values:
            msg = f"no arm in split 'test' of data set {data.card.name!r} can be scored: their joints are not seen"
            raise DataError(msg)
        labels = _labels(test)
        scores = tuple(
            Score(name, float(mean(labels, rows)), float(mean(labels, guessed[name]))) for name, rows in values.items()
        )
        return Evaluation(
            scores,
            Predictions(
                videos=tuple(video.id for video in test.split.videos),
                groups=tuple(video.group for video in test.split.videos),
                labels=tuple(labels.tolist()),
                values=to_values({name: rows[None] for name, rows in values.items()}),
            ),
            {
                "learning_rate": lr,
                "validation_strict_pcp_arms": {f"{one:g}": value for one, value in validation.items()},
                "input_size": size,
                "feature_map": list(grid),
                "feature_map_resized": grid != (GRID, GRID),
                "train": train.counts(),
                "test": test.counts(),
                "test_limbs_scored": _scored(strict_pcp(pixels, test.truth)),
                "test_torsos_of_diameter_0": int((torso_diameter(test.joints) == 0).sum()),
                "other_diagonal": _other_diagonal(test, pixels, values),
            },
            {"pose": skeletons(test, pixels)},
        )


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
    encoder: FrozenEncoder, train: Frames, test: Frames, size: int, seed: int
) -> tuple[float, dict[float, float], Tensor]:
    """Choose the learning rate and predict the joints of test.

    Returns it, the validation score of each, and (N, 9, 2) in shares of the square.
    """
    maps, points = feature_maps(encoder, train, size), train.to_shares(train.truth)
    held_out = _held_out(train)
    fitting, validating = ((~held_out).nonzero()[:, 0], held_out.nonzero()[:, 0])
    reached = {}
    with progress.bar("pose", total=(len(LEARNING_RATES) + 1) * pose_head.STEPS) as bar:
        for lr in LEARNING_RATES:
            head = fit_head(maps[fitting], points[fitting], lr=lr, seed=seed, bar=bar)
            limbs = strict_pcp(predict(head, maps[validating]), points[validating])
            reached[lr] = float(limbs.nanmean())
        lr = max(reached, key=lambda one: (reached[one], -one))
        if reached[lr] != reached[lr]:
            msg = "no arm in the validating part of train can be scored: its joints are missing or outside of the image"
            raise DataError(msg)
        head = fit_head(maps, points, lr=lr, seed=seed, bar=bar)
    del maps  # test's take their place
    predicted = predict(head, feature_maps(encoder, test, size))
    if predicted.isnan().any():
        msg = f"the head's training at learning rate {lr:g} ended without numbers; look at the encoder's feature map"
        raise DivergedError(msg)
    return lr, reached, predicted


def _held_out(train: Frames) -> Tensor:
    """(N,) bool: the frames of the videos that validate, a fifth of the groups.

    Raises:
        DataError: when train has frames of one group only.
    """
    groups = [video.group for video in train.split.videos]
    held_out = (group_folds(_labels(train), groups, FOLDS) == 0)[train.videos]
    if held_out.all() or not held_out.any():
        msg = f"train has one group only ({groups[0]!r}); choosing the learning rate needs at least two"
        raise DataError(msg)
    return held_out


def _labels(frames: Frames) -> Tensor:
    """(videos,) int64 classes by the split's first kind of label; 0 without labels."""
    kind = next(iter(frames.split.classes), None)
    return torch.tensor([0 if kind is None else video.labels[kind] for video in frames.split.videos])


def _values(frames: Frames, predicted: Tensor) -> dict[str, Tensor]:
    """Values of each video, (videos,) float64, for each metric that has any.

    NaN leaves a video out.
    """
    limbs = strict_pcp(predicted, frames.truth)
    values = {name: _per_video(frames, limbs[:, columns]) for name, columns in LIMBS.items()}
    values |= {pdj_id(*key): rows for key, rows in _pdj(frames, predicted, DIAGONAL).items()}
    return {name: rows for name, rows in values.items() if not rows.isnan().all()}


def _pdj(frames: Frames, predicted: Tensor, diagonal: tuple[int, int]) -> dict[tuple[str, float], Tensor]:
    diameter = torso_diameter(frames.joints, diagonal)
    return {
        (joint, threshold): _per_video(frames, pdj(predicted, frames.truth, diameter, threshold)[:, columns])
        for joint, columns in PAIRS.items()
        for threshold in THRESHOLDS
    }


def _other_diagonal(frames: Frames, predicted: Tensor, values: dict[str, Tensor]) -> dict[str, float]:
    """PDJ by the torso's other diagonal, where more than half a point away."""
    others = {key: float(rows.nanmean()) for key, rows in _pdj(frames, predicted, OTHER_DIAGONAL).items()}
    return {
        pdj_id(*key, "rsho_lhip"): value
        for key, value in others.items()
        if pdj_id(*key) in values and abs(value - float(values[pdj_id(*key)].nanmean())) > 0.005
    }


def _per_video(frames: Frames, hits: Tensor) -> Tensor:
    """Average hits (N, K) of frames over each video: (videos,).

    NaN marks hits that are not scored, and videos without any.
    """
    added = torch.stack([hits.nansum(1), (~hits.isnan()).sum(1)], dim=1)
    sums, counts = added.new_zeros(len(frames.split), 2).index_add_(0, frames.videos, added).unbind(1)
    return torch.div(sums, counts)  # 0 / 0 is NaN


def _scored(limbs: Tensor) -> dict[str, int]:
    """Numbers of limbs scored and not: a joint is not, or the limb has no length."""
    return {"yes": int((~limbs.isnan()).sum()), "no": int(limbs.isnan().sum())}
