"""PCP and PDJ of frames: means over videos, and what a mirror and another size leave alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from harness.evaluators.pose.frames import Frames
from harness.evaluators.pose.metrics import limb_counts, metric_values, other_diagonal
from harness.functional.heatmaps import heatmap_points
from harness.testing import MemorySplit
from harness.values import Video

WIDTH = 64
SWAPPED = [0, 2, 1, 4, 3, 6, 5, 8, 7]
"""Joints of a mirrored person."""


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def frames():
    """Two frames of each of 8 videos; some joints are not scored."""
    videos = tuple(Video(f"v{n}", Path("x.avi"), 3, 12.0, WIDTH, WIDTH) for n in range(8))
    joints = 10 + 40 * drawn(16, 9, 2)
    joints[3, 5] = torch.nan
    scored = joints.isfinite().all(-1)
    scored[6, 4] = False
    return Frames(
        split=MemorySplit("test", videos, (torch.zeros(3, 2, 2, 3, dtype=torch.uint8),) * 8, {}),
        videos=torch.arange(8).repeat_interleave(2),
        numbers=torch.tensor([0, 2]).repeat(8),
        joints=joints,
        scored=scored,
        corners=8 * drawn(16, 2, seed=1) - 4,
        sides=50 + 10 * drawn(16, seed=2),
        skipped=0,
    )


def near(frames, seed=3):
    """Predictions (16, 9, 2) that are right about half of the time."""
    noise = torch.randn(16, 9, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return frames.joints.nan_to_num(20.0) + 6 * noise


def mirrored(frames):
    """The frames of mirrored images, in which left joints are right ones."""
    joints = frames.joints[:, SWAPPED].clone()
    joints[..., 0] = WIDTH - 1 - joints[..., 0]
    corners = frames.corners.clone()
    corners[:, 0] = WIDTH - 1 - (frames.corners[:, 0] + frames.sides)
    return dataclasses.replace(frames, joints=joints, scored=frames.scored[:, SWAPPED], corners=corners)


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, rows in one.items():
        torch.testing.assert_close(rows, other[name], equal_nan=True)


def test_values_are_means_over_the_scored_limbs_and_joints_of_a_video(frames):
    predicted = near(frames)
    values = metric_values(frames, predicted)
    assert 0.1 < values["strict_pcp_arms"].nanmean() < 0.9
    truth = frames.truth
    for video in range(8):
        hits = []
        for frame in (2 * video, 2 * video + 1):
            for a, b in ((3, 5), (4, 6)):
                length = (truth[frame, a] - truth[frame, b]).norm()
                if length == length:
                    errors = [(predicted[frame, end] - truth[frame, end]).norm() for end in (a, b)]
                    hits.append(float(max(errors) <= length / 2))
        assert values["strict_pcp_lower_arm"][video] == pytest.approx(sum(hits) / len(hits))


def test_a_mirrored_answer_scores_on_mirrored_images_as_before(frames):
    """Heat maps mirrored, with the maps of left and right joints swapped."""
    heat = torch.randn(16, 9, 28, 28, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    truth = (frames.to_shares(frames.joints).nan_to_num(0.5) * 28).long().clamp(0, 27)
    for frame, joint in torch.cartesian_prod(torch.arange(16), torch.arange(9))[::2].tolist():
        x, y = truth[frame, joint].tolist()
        heat[frame, joint, max(y - 1, 0) : y + 1, max(x - 1, 0) : x + 1] += 9  # half of the joints are found
    other = mirrored(frames)
    ours, theirs = (
        metric_values(one, one.to_pixels(heatmap_points(maps, 4)))
        for one, maps in ((frames, heat), (other, heat[:, SWAPPED].flip(-1)))
    )
    assert 0 < ours["strict_pcp_arms"].nanmean() < 1
    pcp = [name for name in ours if name.startswith("strict_pcp")]
    assert_equal({name: ours[name] for name in pcp}, {name: theirs[name] for name in pcp})
    unswapped = metric_values(other, other.to_pixels(heatmap_points(heat.flip(-1), 4)))
    assert not torch.equal(unswapped["strict_pcp_arms"], ours["strict_pcp_arms"])


def test_the_size_of_images_does_not_matter(frames):
    """PCP and PDJ of images, joints and answers enlarged alike."""
    larger = dataclasses.replace(
        frames, joints=2.5 * frames.joints, corners=2.5 * frames.corners, sides=2.5 * frames.sides
    )
    predicted = near(frames)
    values, enlarged = metric_values(frames, predicted), metric_values(larger, 2.5 * predicted)
    assert len(values) == 11
    assert_equal(values, enlarged)
    assert other_diagonal(frames, predicted, values) == other_diagonal(larger, 2.5 * predicted, enlarged)


def test_the_other_diagonal_is_told_where_it_differs(frames):
    predicted = near(frames)
    values = metric_values(frames, predicted)
    longer = frames.joints.clone()
    longer[:, 2] = longer[:, 7] + 1000  # nobody is further away than that torso's diameter
    told = other_diagonal(dataclasses.replace(frames, joints=longer), predicted, values)
    assert told["pdj_elbow_0.1_rsho_lhip"] == 1.0
    same = frames.joints.clone()
    same[:, 2], same[:, 7] = same[:, 1], same[:, 8]
    assert other_diagonal(dataclasses.replace(frames, joints=same), predicted, values) == {}


def test_metrics_without_any_value_are_left_out(frames):
    hidden = frames.scored.clone()
    hidden[:, 5:7] = False
    unseen = dataclasses.replace(frames, scored=hidden)
    values = metric_values(unseen, near(frames))
    assert {name.split("_0")[0] for name in values} == {"strict_pcp_arms", "strict_pcp_upper_arm", "pdj_elbow"}


def test_limbs_are_counted(frames):
    """Frame 3 has no left wrist, frame 6 no right elbow: one and two limbs of 64."""
    assert limb_counts(frames, near(frames)) == {"yes": 61, "no": 3}
