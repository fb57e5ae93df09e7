"""Poses of frames that are near in the space of an encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from harness.cards import WholeVideo
from harness.errors import DataError, UsageError
from harness.evaluators.pose.feature_maps import squares
from harness.evaluators.pose.frames import EXPANSION, Frames, frames_with_people
from harness.evaluators.scoring import score_values
from harness.evaluators.shown_frames import expect_frames
from harness.functional.pose import TORSO
from harness.system import progress
from harness.values import Evaluation, VideoBatch
from harness_pose_from_action.cards import POSE_PAIRS
from harness_pose_from_action.pictures import pair_sheet

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise

ARMS = (3, 4, 5, 6)
"""Elbows and wrists, which say most of a pose."""
GREY = 127.5
BATCH = 32
"""Frames encoded at a time."""


class PosePairs:
    """Nearest frames of other groups, and the distance of the two people's joints.

    The square around each person is what the encoder sees; one that sees clips is shown the same frame again and again.
    What has no group is one of its own. A pair counts the joints that both frames show, after the centre of the torso
    is moved to the origin and its diameter made 1. The baseline is the mean over all frames of other groups: a random
    pair.

    Source: Purushwalkam and Gupta 2016, section 4.1 and Fig. 4, on Leeds Sports Pose, which shows pairs and no number.
    """

    card: ClassVar[EvaluatorCard] = POSE_PAIRS

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Nothing: squares around people are encoded.

        Raises:
            UsageError: when the encoder sees whole videos.
        """
        if isinstance(promise.view, WholeVideo):
            msg = f"evaluator {self.card.name!r} shows single frames; expected an encoder of clips, got one of videos"
            raise UsageError(msg)
        return ()

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Find the nearest frame of each test frame; the seed changes nothing.

        Raises:
            DataError: when joints are missing, or frames are of one group only.
            UsageError: as in `encodings`, or when the encoder's network sees optical flow.
        """
        self.encodings(encoder.promise, data, seed=seed)
        if network := encoder.network():
            expect_frames(network.inputs, self.card.name)
        test = frames_with_people(data, "test")
        groups = [video.group or f"\0{video.id}" for video in test.split.videos]
        numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
        group = torch.tensor([numbers[name] for name in groups])[test.videos]
        if len(set(group.tolist())) < 2:
            msg = f"frames of data set {data.card.name!r} are of one group; pairs are of two"
            raise DataError(msg)
        other = group[:, None] != group
        apart = torch.cdist(vectors := _encode(encoder, test), vectors).where(other, torch.inf)
        nearest = apart.argmin(1)
        poses = _aligned(test)
        values, usual = {}, {}
        for metric, joints in (("arm_distance", ARMS), ("joint_distance", tuple(range(poses.shape[1])))):
            distances = _pose_distances(poses[:, joints])  # NaN where no joint is shown by both
            values[metric] = test.per_video(distances[torch.arange(len(test)), nearest][:, None])
            usual[metric] = test.per_video(distances.where(other, torch.nan))
        scores, predictions = score_values(test.split, values, usual)
        return Evaluation(scores, predictions, test.counts(), {"pose-pairs": pair_sheet(test, nearest)})


@torch.no_grad()
def _encode(encoder: FrozenEncoder, frames: Frames) -> Tensor:
    """Vectors (N, D) float64 on the CPU of the squares around people."""
    view = encoder.promise.view
    assert not isinstance(view, WholeVideo)
    vectors = []
    with progress.bar("people", total=len(frames)) as bar:
        for chosen in torch.split(torch.arange(len(frames)), BATCH):
            images = torch.cat([squares(frames, one, view.size, _centred) for one in _by_video(frames, chosen)])
            clips = (images + GREY).round().clamp(0, 255).byte()[:, :, None].expand(-1, -1, view.frames, -1, -1)
            features = encoder.encode(VideoBatch(clips.contiguous().to(encoder.device)))
            vectors.append(features.flatten(1).double().cpu())
            bar.advance(len(chosen))
    return torch.cat(vectors)


def _centred(images: Tensor) -> Tensor:
    """Pixels less grey, so that what is outside of the image is grey."""
    return images.float() - GREY


def _by_video(frames: Frames, chosen: Tensor) -> tuple[Tensor, ...]:
    """Frames of one video at a time, which are read together."""
    counts = torch.unique_consecutive(frames.videos[chosen], return_counts=True)[1].tolist()
    return torch.split(chosen, counts)


def _aligned(frames: Frames) -> Tensor:
    """Joints (N, 9, 2) with the torso's centre at the origin, in sides of its box.

    NaN for a joint that is not scored. The diagonal, which PDJ divides by, nearly vanishes in some poses.
    """
    centre = frames.joints[:, TORSO].mean(1, keepdim=True)
    return (frames.truth - centre) * (EXPANSION / frames.sides)[:, None, None]


def _pose_distances(poses: Tensor) -> Tensor:
    """Mean distance (N, N) of the joints of two poses (N, J, 2).

    NaN where they share none.
    """
    each = torch.stack(
        [torch.cdist(joint, joint, compute_mode="donot_use_mm_for_euclid_dist") for joint in poses.unbind(1)]
    )
    return each.nanmean(0)
