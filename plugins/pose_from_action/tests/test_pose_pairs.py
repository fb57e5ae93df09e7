"""Nearest frames of other groups: an encoder that sees arms finds arms that are alike."""

from __future__ import annotations

import atexit
import functools
import io
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from harness.cards import DatasetCard, View, WholeVideo
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError, UsageError
from harness.evaluators.pose.feature_maps import squares
from harness.evaluators.pose.frames import frames_with_people
from harness.testing import MemorySplit, MovingSquares, UninformedEncoder, conformance
from harness.testing.evaluating import baselines, evaluate, values
from harness.values import Inputs, Promise, VideoBatch, joined_promise
from harness_pose_from_action.pictures import filter_sheet
from harness_pose_from_action.pose_pairs import PosePairs, _aligned, _pose_distances

TORSO = {1: (32.0, 20.0), 2: (40.0, 20.0), 7: (33.0, 34.0), 8: (39.0, 34.0)}
"""Shoulders and hips."""


class Arms:
    """One white square where the arms end, beside a torso that stays; joints are known."""

    card = DatasetCard(name="arms", summary="arms that point somewhere", joints=True)

    @functools.cached_property
    def folder(self):
        folder = Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def split(self, name):
        split = MovingSquares().split(name)
        random = np.random.default_rng(0)
        videos, frames = [], []
        for index, video in enumerate(split.videos):
            end = np.array([36.0, 27.0]) + random.uniform(-16, 16, 2)
            joints = np.zeros((video.frames, 9, 2), np.float32)
            for joint, place in TORSO.items():
                joints[:, joint] = place
            joints[:, 0], joints[:, 3:7] = (36.0, 12.0), end
            path = self.folder / f"{name}-{index}.npz"
            np.savez(path, joints=joints, visible=np.ones((video.frames, 9), bool))
            images = torch.zeros(video.frames, 48, 64, 3, dtype=torch.uint8)
            x, y = (round(float(one)) for one in end)
            images[:, max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = 255
            videos.append(replace(video, joints=path))
            frames.append(images)
        return MemorySplit(name, tuple(videos), tuple(frames), split.classes)


@pytest.fixture(scope="module")
def data():
    return Arms()


def pixels():
    """Encoder that sees a coarse picture, smooth enough to tell near from far."""
    module = nn.Sequential(nn.AvgPool3d((1, 9, 9), stride=(1, 4, 4)), nn.Flatten())
    return NetworkEncoder(module, Inputs(view=View(frames=1, size=48)))


def test_an_encoder_that_sees_arms_finds_arms_that_are_alike(data):
    evaluation = evaluate(PosePairs(), pixels(), data)
    for metric in ("arm_distance", "joint_distance"):
        assert values(evaluation)[metric] < 0.5 * baselines(evaluation)[metric]
    assert evaluation.pictures["pose-pairs"].startswith(b"\x89PNG")
    assert evaluation.notes["frames"] == 64


def test_an_encoder_of_noise_finds_random_pairs(data):
    evaluation = evaluate(PosePairs(), UninformedEncoder(), data)
    assert values(evaluation)["arm_distance"] == pytest.approx(baselines(evaluation)["arm_distance"], rel=0.2)


def test_scores_are_those_of_one_frame_at_a_time(data):
    """Slow twin: for each frame, look at all frames of other groups."""
    split = data.split("test")
    ends, groups, vectors = [], [], []
    encoder = pixels()
    frames = frames_with_people(data, "test")
    for index in range(len(frames)):
        image = squares(frames, torch.tensor([index]), 48, torch.Tensor.float).round().byte()
        vectors.append(encoder.encode(VideoBatch(image[:, :, None]))[0].double())
        joints = frames.joints[index]
        torso = joints[[1, 2, 7, 8]].mean(0)
        box = joints[[1, 2, 7, 8]]
        ends.append((joints[3] - torso) / float((box.amax(0) - box.amin(0)).amax()))
        groups.append(split.videos[int(frames.videos[index])].group)
    distances, usual = [], []
    for index in range(len(frames)):
        others = [one for one in range(len(frames)) if groups[one] != groups[index]]
        nearest = min(others, key=lambda one: float((vectors[one] - vectors[index]).norm()))
        distances.append(float((ends[nearest] - ends[index]).norm()))
        usual.append(sum(float((ends[one] - ends[index]).norm()) for one in others) / len(others))
    evaluation = evaluate(PosePairs(), pixels(), data)
    assert values(evaluation)["arm_distance"] == pytest.approx(sum(distances) / len(distances), rel=1e-5)
    assert baselines(evaluation)["arm_distance"] == pytest.approx(sum(usual) / len(usual), rel=1e-5)


def test_what_has_no_group_is_one_of_its_own(data):
    """Pictures of Leeds Sports have none; each is compared with all others."""
    split = data.split("test")
    grouped = [tuple(replace(video, group=name(video)) for video in split.videos) for name in (_nothing, _own)]
    alone, own = (
        evaluate(
            PosePairs(),
            pixels(),
            SimpleNamespace(card=Arms.card, split=lambda name, videos=videos: replace(split, videos=videos)),
        )
        for videos in grouped
    )
    assert values(alone) == values(own)
    assert baselines(alone) == baselines(own)


def _nothing(video):
    return ""


def _own(video):
    return video.id


class TestDistances:
    def test_joints_that_one_of_them_lacks_are_left_out(self):
        poses = torch.tensor([[[0.0, 0.0], [0.0, 0.0]], [[3.0, 4.0], [torch.nan, torch.nan]], [[torch.nan] * 2] * 2])
        distances = _pose_distances(poses.double())
        assert distances[0, 1] == 5.0
        assert distances[0, 2].isnan()
        assert distances[2, 2].isnan()

    def test_place_and_size_of_a_person_do_not_count(self, data):
        frames = frames_with_people(data, "test")
        moved = 3 * frames.joints + torch.tensor([100.0, -7.0], dtype=torch.float64)
        other = replace(frames, joints=moved, sides=3 * frames.sides)
        assert torch.allclose(_aligned(frames), _aligned(other))


class TestRefusal:
    def test_of_data_without_joints(self):
        with pytest.raises(DataError, match="has no joints"):
            evaluate(PosePairs(), pixels())

    def test_of_one_group(self, data):
        split = data.split("test")
        alone = replace(split, videos=tuple(replace(video, group="one") for video in split.videos))
        one = SimpleNamespace(card=Arms.card, split=lambda name: alone)
        with pytest.raises(DataError, match="frames of data set 'arms' are of one group; pairs are of two"):
            evaluate(PosePairs(), pixels(), one)

    def test_of_one_group_whose_people_can_be_placed(self, data, tmp_path):
        """All of the other group lack a hip, so that none of their frames is left."""
        split = data.split("test")
        videos = list(split.videos)
        for index, video in enumerate(videos):
            videos[index] = replace(video, group="placed")
            if index % 2:
                joints = np.load(video.joints)["joints"]
                joints[:, 7] = np.nan
                np.savez(path := tmp_path / f"{index}.npz", joints=joints, visible=~np.isnan(joints).any(-1))
                videos[index] = replace(video, group="lost", joints=path)
        half = replace(split, videos=tuple(videos))
        with pytest.raises(DataError, match="frames of data set 'arms' are of one group; pairs are of two"):
            evaluate(PosePairs(), pixels(), SimpleNamespace(card=Arms.card, split=lambda name: half))

    def test_of_networks_of_optical_flow(self, data):
        flow = Inputs(view=View(frames=1, size=48), mean=(0.0, 0.0), std=(1.0, 1.0), scale=1.0, kind="flow")
        encoder = NetworkEncoder(nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten()), flow)
        with pytest.raises(UsageError, match=r"evaluator 'pose_pairs' shows a network frames, .* optical flow"):
            evaluate(PosePairs(), encoder, data)

    def test_of_composites_when_a_suite_is_planned(self):
        """They have no clips of their own: their cells are not applicable."""
        one = pixels().promise
        assert PosePairs.card.needs <= one.offers
        assert not PosePairs.card.needs <= joined_promise((one, one), "concat").offers

    def test_of_encoders_of_whole_videos(self, data):
        promise = Promise(views=(WholeVideo(),), shape=(3,))
        with pytest.raises(UsageError, match="expected an encoder of clips, got one of videos"):
            PosePairs().encodings(promise, data, seed=0)


@pytest.mark.parametrize("network", [nn.Conv2d(3, 10, 5), nn.Sequential(nn.Conv3d(3, 10, 5))], ids=["images", "clips"])
def test_filters_are_drawn_in_their_colours(network):
    weights = next(network.parameters())
    with torch.no_grad():
        weights.zero_()
        weights[3, 0] = 1.0  # the first channel
    for order, colour in (("rgb", (255, 128, 128)), ("bgr", (128, 128, 255))):
        picture = Image.open(io.BytesIO(filter_sheet(network, order)))
        assert picture.size == (4 * 32 + 2, 3 * 32 + 2)  # four in a row
        assert picture.getpixel((3 * 32 + 10, 10)) == colour
        assert picture.getpixel((10, 10)) == (128, 128, 128)


@conformance(PosePairs(), data=Arms())
def test_conformance(check):
    check()
