"""The pose protocol on people whose joints are coloured squares, with encoders that see colours or nothing."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from harness.backbones.per_frame import PerFrame
from harness.cards import DatasetCard, View
from harness.encoders.frozen import CachedEncoder, fingerprint
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError, DivergedError, UsageError
from harness.evaluators.pose import feature_maps, protocol
from harness.evaluators.pose import head as pose_head
from harness.evaluators.pose.feature_maps import squares
from harness.evaluators.pose.finetuning import WEIGHT_DECAY, fit_network
from harness.evaluators.pose.frames import EXPANSION, PER_VIDEO, frames_with_people
from harness.evaluators.pose.protocol import Pose
from harness.functional.pose import ARMS
from harness.functional.statistics import of_predictions
from harness.plugins.manager import Plugins
from harness.system.seeding import seeded
from harness.testing import MemorySplit, MovingSquares, failures
from harness.values import Inputs, Video

SIZE, FRAMES = 64, 4
GROUPS = {"train": 6, "test": 4}
TAKES = 6
GREY = 0.5
COLOURS = torch.tensor([[0.5, 1, 0], *([float(n >> bit & 1) for bit in range(3)] for n in range(8))])
"""(9, 3) of the joints."""


class StickPeople:
    """A joint is a square of 3 pixels in its own colour on grey; arms point anywhere."""

    card: ClassVar[DatasetCard] = DatasetCard(name="stick-people", summary="joints as coloured squares", joints=True)

    def __init__(self, folder, **changes):
        self.folder = folder
        self.changes = changes

    def split(self, name):
        if name not in GROUPS:
            raise UsageError(name)
        generator = torch.Generator().manual_seed(list(GROUPS).index(name))
        videos, frames = [], []
        for index in range(GROUPS[name] * TAKES):
            joints = posed(generator)
            frames.append(painted(joints))
            path = self.folder / f"{name}-{index:02d}.npz"
            if not path.exists():
                np.savez(path, joints=joints.numpy(), visible=np.ones((FRAMES, 9), bool))
            video = Video(
                id=path.stem,
                path=path.with_suffix(".avi"),
                frames=FRAMES,
                fps=12.0,
                width=SIZE,
                height=SIZE,
                group=f"{name}-{index // TAKES}",
                labels={"action": index % 2},
                joints=path,
            )
            videos.append(self.changes.get(name, lambda video: video)(video))
        return MemorySplit(name, tuple(videos), tuple(frames), {"action": ("this", "that")})


def posed(generator):
    """(T, 9, 2) float32: a person whose elbows and wrists point anywhere."""
    middle = SIZE / 2 + 4 * torch.rand(FRAMES, 2, generator=generator) - 2
    angles = 2 * torch.pi * torch.rand(FRAMES, 4, generator=generator)
    turned = torch.stack([angles.cos(), angles.sin()], dim=-1)  # (T, 4, 2)
    offsets = torch.tensor([[0.0, -14], [5, -10], [-5, -10], *([[0, 0]] * 4), [4, 10], [-4, 10]])
    joints = middle[:, None] + offsets
    for limb, (start, end) in enumerate(ARMS):
        joints[:, end] = joints[:, start] + 9 * turned[:, limb]
    return joints


def painted(joints):
    """(T, H, W, 3) uint8."""
    frames = torch.full((FRAMES, SIZE, SIZE, 3), GREY)
    pixels = torch.arange(SIZE)
    for time, points in enumerate(joints.round()):
        for colour, (x, y) in zip(COLOURS, points, strict=True):
            near = ((pixels - y).abs() <= 1)[:, None] & ((pixels - x).abs() <= 1)
            frames[time][near] = colour
    return (255 * frames).round().to(torch.uint8)


class SeesColours(nn.Module):
    """(B, 3, H, W) normalised -> (B, 9, H / 8, W / 8): how much of each joint's colour there is."""

    def __init__(self):
        super().__init__()
        self.colours = nn.Parameter(((COLOURS - 0.5) / 0.25)[:, :, None, None])

    def forward(self, images):
        far = (images[:, None] - self.colours).abs().amax(2)
        return nn.functional.avg_pool2d((far < 1).float(), 8)


class Muted(nn.Module):
    """(B, 3, H, W) -> (B, 24, H / 8, W / 8): zeros, until the last scale is learnt."""

    def __init__(self, seed=0):
        super().__init__()
        with seeded(seed):
            self.colours = nn.Conv2d(3, 24, 1)
        self.norm = nn.BatchNorm2d(24)
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, images):
        return self.scale * nn.functional.max_pool2d(self.norm(self.colours(images)).relu(), 8)


class Blind(nn.Module):
    """(B, 3, H, W) -> (B, 4, H / 8, W / 8), always the same."""

    def forward(self, images):
        return images.new_ones(len(images), 4, images.shape[2] // 8, images.shape[3] // 8)


def encoder(maps, **options):
    network = PerFrame(maps, {"pool": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())})
    return NetworkEncoder(network, Inputs(view=View(frames=1, size=64)), spatial="feature_map", **options)


def evaluate(data, feature_map=None, seed=0, **options):
    frozen = CachedEncoder(encoder(feature_map or SeesColours()), key="x")
    return Pose(**options).evaluate(frozen, data, seed=seed)


def scores(found):
    return {score.metric: score for score in found.scores}


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    data = StickPeople(tmp_path_factory.mktemp("people"))
    for name in GROUPS:
        data.split(name)
    return data


@pytest.fixture(scope="module")
def seen(people):
    """What an encoder gets that sees the joints, by a protocol that is half as long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pose_head, "STEPS", 80)
        return evaluate(people, lrs=(1e-2, 3e-2))


ALL = {"train": "all", "size": 64, "frames": 64, "batch_size": 16, "lrs": (1e-2, 3e-2)}
"""The paper's training, of 4 steps."""


@pytest.fixture
def short(monkeypatch):
    """A protocol of few steps, for what does not depend on how much is learnt."""
    monkeypatch.setattr(pose_head, "STEPS", 4)
    monkeypatch.setitem(protocol.LEARNING_RATES, "head", (1e-2, 3e-2))


def test_an_encoder_that_sees_the_joints_finds_them(seen):
    found = scores(seen)
    assert set(found) == {metric.id for metric in Pose.card.metrics}
    assert seen.scores[0].metric == Pose.card.primary.id == "strict_pcp_arms"
    assert found["strict_pcp_arms"].value > 0.8
    for joint in ("elbow", "wrist"):
        assert found[f"pdj_{joint}_0.2_lsho_rhip"].value > 0.8
    for score in seen.scores:
        assert score.value > score.baseline
    assert found["strict_pcp_arms"].baseline < 0.3


def test_an_encoder_that_sees_nothing_is_near_the_mean_pose(people, monkeypatch):
    monkeypatch.setattr(pose_head, "STEPS", 50)
    score = evaluate(people, Blind(), lrs=(3e-2,)).scores[0]
    assert score.value == pytest.approx(score.baseline, abs=0.1)


def test_the_baseline_is_the_mean_pose_in_the_square(people, seen):
    train, test = (frames_with_people(people, name) for name in ("train", "test"))
    usual = train.to_shares(train.joints).mean(0)
    places = usual * test.sides[:, None, None] + test.corners[:, None]
    limbs = torch.zeros(len(test), 4)
    for limb, (a, b) in enumerate(ARMS):
        length = (test.joints[:, a] - test.joints[:, b]).norm(dim=1)
        ends = torch.stack([(places[:, end] - test.joints[:, end]).norm(dim=1) for end in (a, b)])
        limbs[:, limb] = (ends <= length / 2).all(0)
    found = scores(seen)
    assert found["strict_pcp_arms"].baseline == pytest.approx(limbs.mean().item())
    assert found["strict_pcp_upper_arm"].baseline == pytest.approx(limbs[:, :2].mean().item())
    assert found["strict_pcp_lower_arm"].baseline == pytest.approx(limbs[:, 2:].mean().item())


def test_what_is_stored_gives_the_scores_again(people, seen):
    test = people.split("test")
    assert seen.predictions.videos == tuple(video.id for video in test.videos)
    assert seen.predictions.groups == tuple(video.group for video in test.videos)
    for metric in Pose.card.metrics:
        again = of_predictions(seen.predictions, metric)
        assert float(again) == pytest.approx(scores(seen)[metric.id].value)
    arms, upper, lower = (
        np.array(seen.predictions.values[f"strict_pcp_{part}"][0]) for part in ("arms", "upper_arm", "lower_arm")
    )
    np.testing.assert_allclose(arms, (upper + lower) / 2)
    for joint in ("elbow", "wrist"):
        curve = [scores(seen)[f"pdj_{joint}_{threshold}_lsho_rhip"].value for threshold in (0.1, 0.2, 0.3, 0.4)]
        assert curve == sorted(curve)


def test_the_card_says_where_each_pdj_lies_on_its_curve():
    points = {metric.id: metric.point for metric in Pose.card.metrics if metric.point}
    assert {(point.curve, point.at) for point in points.values()} == {
        (joint, threshold) for joint in ("elbow", "wrist") for threshold in (0.1, 0.2, 0.3, 0.4)
    }
    assert all(name == f"pdj_{point.curve}_{point.at}_lsho_rhip" for name, point in points.items())


def test_the_card_says_what_is_done():
    for said in (
        f"{pose_head.STEPS} steps of {pose_head.BATCH}",
        f"kernel {pose_head.KERNEL}, {pose_head.HIDDEN} channels",
        f"{PER_VIDEO} frames a video",
        f"square of {EXPANSION:g} torso boxes",
        "learning rate 3e-3, 1e-2 or 3e-2",
        f"AdamW, weight decay {WEIGHT_DECAY:g}, batches of {protocol.BATCH_SIZE}",
        f"{protocol.FRAMES:,} images",
        "learning rate 3e-4, 1e-3 or 3e-3",
    ):
        assert said in Pose.card.protocol
    assert protocol.LEARNING_RATES == {"head": (3e-3, 1e-2, 3e-2), "all": (3e-4, 1e-3, 3e-3)}
    assert protocol.FOLDS == 5


def test_notes_tell_what_was_chosen_and_left_out(seen):
    validation = seen.notes["validation_strict_pcp_arms"]
    assert set(validation) == {"0.01", "0.03"}
    assert validation[f"{seen.notes['learning_rate']:g}"] == max(validation.values())
    assert seen.notes["input_size"] == 120
    assert not seen.notes["feature_map_resized"]
    assert seen.notes["train"] == {
        "frames": 72,
        "frames_without_torso": 0,
        "joints_missing": 0,
        "joints_outside_the_image": 0,
        "joints_scored_outside_the_crop": 0,
    }
    assert seen.notes["test_limbs_scored"] == {"yes": 192, "no": 0}


def test_the_kit_finds_nothing(people, short):
    assert failures(Pose(), data=people) == {}


def test_another_seed_gives_other_numbers(people, short):
    one, other = (evaluate(people, seed=seed).predictions for seed in (0, 1))
    assert one.videos == other.videos
    assert one.values != other.values


def test_the_encoder_is_not_changed(people, short):
    network = encoder(SeesColours())
    before = fingerprint(network)
    Pose().evaluate(CachedEncoder(network, key="x"), people, seed=0)
    assert fingerprint(network) == before != ""
    assert not network.module.training


def test_an_encoder_that_would_change_changes_a_copy(people, short):
    class Counts(SeesColours):
        def forward(self, images):
            self.colours += 0.001
            return super().forward(images)

    network = encoder(Counts())
    before = fingerprint(network)
    Pose().evaluate(CachedEncoder(network, key="x"), people, seed=0)
    assert fingerprint(network) == before


def test_what_validates_is_of_other_groups(people):
    train = frames_with_people(people, "train")
    held_out = protocol._held_out(train)
    groups = np.array([video.group for video in train.split.videos])[train.videos]
    assert not set(groups[held_out]) & set(groups[~held_out])
    assert 0 < held_out.sum() < len(train) / 2


def test_heads_that_are_compared_do_not_see_what_validates(people, short, monkeypatch):
    seen = []

    def watched(maps, points, **options):
        seen.append(points)
        assert len(maps) == len(points)
        return pose_head.fit_head(maps, points, **options)

    monkeypatch.setattr(protocol, "fit_head", watched)
    evaluate(people)
    train = frames_with_people(people, "train")
    points, held_out = train.to_shares(train.truth), protocol._held_out(train)
    *compared, chosen = seen
    assert [torch.equal(given, points[~held_out]) for given in compared] == [True, True]
    assert torch.equal(chosen, points)


def test_nothing_is_chosen_by_the_test_split(people, short, tmp_path):
    def elsewhere(video):
        with np.load(video.joints) as arrays:
            joints, visible = arrays["joints"].copy(), arrays["visible"]
        joints[:, 3:7] = joints[::-1, 3:7]  # arms of another frame; the torso and so the square stay
        path = tmp_path / video.joints.name
        np.savez(path, joints=joints, visible=visible)
        return dataclasses.replace(video, joints=path)

    one, other = evaluate(people), evaluate(StickPeople(people.folder, test=elsewhere))
    assert one.notes["learning_rate"] == other.notes["learning_rate"]
    assert one.notes["validation_strict_pcp_arms"] == other.notes["validation_strict_pcp_arms"]
    assert one.scores[0].value != other.scores[0].value


def rewritten(folder, change):
    """A change of videos: their joints, given as arrays to `change`, are written anew."""

    def written(video):
        with np.load(video.joints) as arrays:
            changed = {name: arrays[name].copy() for name in arrays.files}
        change(changed, video)
        path = folder / video.joints.name
        np.savez(path, **changed)
        return dataclasses.replace(video, joints=path)

    return written


def test_joints_that_are_not_seen_are_not_scored(people, short, tmp_path):
    def hide(arrays, video):
        if video.id == "test-00":  # all of the arms but the left elbow
            arrays["visible"][:, [1, 2, 4, 5, 6]] = False
        if video.id == "test-01":
            arrays["joints"][:, 5] = np.nan
        if video.id == "test-02":
            arrays["joints"][:, 1] = np.nan

    found = evaluate(StickPeople(people.folder, test=rewritten(tmp_path, hide)))
    values = {name: rows[0] for name, rows in found.predictions.values.items()}
    assert values["strict_pcp_arms"][0] is None
    assert values["pdj_elbow_0.1_lsho_rhip"][0] is not None
    assert values["pdj_wrist_0.1_lsho_rhip"][0] is None
    assert None not in (values["strict_pcp_lower_arm"][1], values["pdj_wrist_0.1_lsho_rhip"][1])
    assert {rows[2] for rows in values.values()} == {None}
    assert found.notes["test"]["frames_without_torso"] == 2
    assert found.notes["test"]["joints_missing"] == 2
    assert found.notes["test"]["joints_outside_the_image"] == 10
    assert found.notes["test_limbs_scored"] == {"yes": 46 * 4 - 2 * 4 - 2, "no": 2 * 4 + 2}
    for metric in Pose.card.metrics:
        assert float(of_predictions(found.predictions, metric)) == pytest.approx(scores(found)[metric.id].value)


def test_data_without_joints():
    with pytest.raises(DataError, match="data set 'moving-squares' has no joints"):
        evaluate(MovingSquares())


def test_a_video_without_joints(people, short):
    def without(video):
        return dataclasses.replace(video, joints=None) if video.id == "test-03" else video

    with pytest.raises(DataError, match="video 'test-03' has no joints"):
        evaluate(StickPeople(people.folder, test=without))


@pytest.mark.parametrize(
    ("name", "joint", "message"),
    [
        ("train", 4, "'right_elbow' is missing or outside of the image in all of train of data set 'stick-people'"),
        ("test", slice(3, 7), "no arm in split 'test' of data set 'stick-people' can be scored"),
    ],
)
def test_arms_that_are_nowhere(people, short, tmp_path, name, joint, message):
    def hide(arrays, _):
        arrays["visible"][:, joint] = False

    with pytest.raises(DataError, match=message):
        evaluate(StickPeople(people.folder, **{name: rewritten(tmp_path, hide)}))


def test_arms_that_are_nowhere_in_the_validating_part(people, short, tmp_path):
    train = frames_with_people(people, "train")
    held_out = {train.split.videos[int(video)].id for video in train.videos[protocol._held_out(train)]}

    def hide(arrays, video):
        if video.id in held_out:
            arrays["visible"][:, 3:7] = False

    with pytest.raises(DataError, match="no arm in the validating part of train"):
        evaluate(StickPeople(people.folder, train=rewritten(tmp_path, hide)))


def test_one_group_cannot_choose(people, short):
    one = StickPeople(people.folder, train=lambda video: dataclasses.replace(video, group="alone"))
    with pytest.raises(DataError, match="train has one group only \\('alone'\\)"):
        evaluate(one)


def test_a_head_diverges_at_every_learning_rate(people, short):
    with pytest.raises(DivergedError, match="diverged at every learning rate; give the option lrs lower ones"):
        evaluate(people, lrs=(1e30,))


def test_a_head_that_diverged_is_no_choice(people, short):
    notes = evaluate(people, lrs=(1e-2, 1e30)).notes
    assert notes["learning_rate"] == 1e-2
    assert notes["validation_strict_pcp_arms"]["1e+30"] is None


def test_training_that_ends_without_numbers(people, short, monkeypatch):
    def broken(*arguments, **options):
        head = pose_head.fit_head(*arguments, **options)
        torch.nn.init.constant_(head.usual, torch.nan)
        return head

    monkeypatch.setattr(protocol, "fit_head", broken)
    with pytest.raises(DivergedError, match=r"learning rate 0\.01 ended without numbers"):
        evaluate(people, lrs=(1e-2,))


def test_all_layers_learn_where_a_frozen_map_shows_nothing(people, monkeypatch):
    monkeypatch.setattr(pose_head, "STEPS", 50)
    options = {**ALL, "frames": 960, "lrs": (2e-2,)}
    frozen, learnt = (evaluate(people, Muted(), **one) for one in ({"lrs": (3e-2,)}, options))
    score = learnt.scores[0]
    assert score.metric == "strict_pcp_arms"
    assert score.value > 0.5 > 0.1 > max(frozen.scores[0].value, score.baseline)
    assert {score.metric for score in learnt.scores} == {metric.id for metric in Pose.card.metrics}


def test_notes_of_all_layers(people):
    found = evaluate(people, Muted(), **{**ALL, "lrs": (1e-2, 1e30)})
    assert found.notes["learning_rate"] == 1e-2
    assert found.notes["validation_strict_pcp_arms"]["1e+30"] is None
    assert 0 <= found.notes["validation_strict_pcp_arms"]["0.01"] <= 1
    assert (found.notes["input_size"], found.notes["feature_map"]) == (64, [8, 8])
    assert not found.notes["feature_map_resized"]
    assert set(found.pictures) == {"pose"}


def test_one_learning_rate_is_not_validated(people, short):
    one = StickPeople(people.folder, train=lambda video: dataclasses.replace(video, group="alone"))
    for options in ({"lrs": (1e-2,)}, {**ALL, "lrs": (1e-2,)}):
        found = evaluate(one, **options)
        assert found.notes["learning_rate"] == 1e-2
        assert found.notes["validation_strict_pcp_arms"] == {}


def test_every_learning_rate_of_all_layers_diverges(people):
    with pytest.raises(DivergedError, match="diverged at every learning rate; give the option lrs lower ones"):
        evaluate(people, Muted(), **{**ALL, "lrs": (1e30, 1e31)})


def test_the_next_best_learning_rate_is_taken_when_the_best_diverges_on_all_of_train(people, monkeypatch):
    best = evaluate(people, Muted(), **ALL).notes
    whole = GROUPS["train"] * TAKES * PER_VIDEO

    def broken(module, layer, crops, points, *, lr, **options):
        if lr == best["learning_rate"] and len(crops) == whole:
            raise DivergedError("")
        return fit_network(module, layer, crops, points, lr=lr, **options)

    monkeypatch.setattr(protocol, "fit_network", broken)
    found = evaluate(people, Muted(), **ALL).notes
    assert {found["learning_rate"], best["learning_rate"]} == set(ALL["lrs"])
    assert found["validation_strict_pcp_arms"] == best["validation_strict_pcp_arms"]


def test_all_layers_are_trained_in_the_encoders_precision(people, monkeypatch):
    precisions = []

    def watched(*arguments, precision, **options):
        precisions.append(precision)
        return fit_network(*arguments, precision=precision, **options)

    monkeypatch.setattr(protocol, "fit_network", watched)
    reduced = CachedEncoder(encoder(Muted(), precision="bf16"), key="x")
    Pose(**{**ALL, "lrs": (1e-2,)}).evaluate(reduced, people, seed=0)
    assert precisions == ["bf16"]


def test_all_layers_are_trained_on_a_copy(people):
    network = encoder(Muted())
    before = fingerprint(network)
    Pose(**ALL).evaluate(CachedEncoder(network, key="x"), people, seed=0)
    assert fingerprint(network) == before != ""
    assert not any(module.training for module in network.module.modules())


def test_equal_seeds_of_all_layers_give_equal_scores(people):
    one, same, other = (evaluate(people, Muted(), seed=seed, **ALL) for seed in (0, 0, 1))
    assert (one.scores, one.predictions, one.notes) == (same.scores, same.predictions, same.notes)
    assert one.predictions.values != other.predictions.values


def test_all_layers_are_trained_without_the_frames_that_validate(people, monkeypatch):
    shown = []

    def watched(module, layer, crops, points, **options):
        shown.append((options["lr"], len(crops), points))
        return fit_network(module, layer, crops, points, **options)

    monkeypatch.setattr(protocol, "fit_network", watched)
    chosen = evaluate(people, Muted(), **ALL).notes["learning_rate"]
    train = frames_with_people(people, "train")
    points, held_out = train.to_shares(train.truth), protocol._held_out(train)
    assert [lr for lr, _, _ in shown] == [*ALL["lrs"], chosen]
    for given, expected in zip(shown, (points[~held_out], points[~held_out], points), strict=True):
        assert given[1] == len(expected)
        assert torch.equal(given[2], expected)


def test_frames_are_read_once_for_all_learning_rates(people, monkeypatch):
    read = []

    def counted(frames, chosen, *arguments):
        read.extend((frames.split.name, index) for index in chosen.tolist())
        return squares(frames, chosen, *arguments)

    monkeypatch.setattr(feature_maps, "squares", counted)
    evaluate(people, Muted(), **ALL)
    assert len(read) == len(set(read)) == 2 * (GROUPS["train"] + GROUPS["test"]) * TAKES


def test_the_kit_finds_nothing_in_the_training_of_all_layers(people):
    assert failures(Pose(**{**ALL, "size": 32, "lrs": (1e-2,)}), data=people) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 100}, "frames and batch_size are of train 'all', got 100 and None; leave them out of 'head'"),
        ({"batch_size": 8}, "frames and batch_size are of train 'all', got None and 8; leave them out of 'head'"),
        ({"train": "all", "frames": 8}, "frames at least a batch, got 16, 8 and None"),
        ({"train": "all", "batch_size": 0}, "batch_size and size must be at least 1, .* got 0, 16000 and None"),
        ({"size": 0}, "batch_size and size must be at least 1"),
        ({"lrs": []}, "lrs must be different positive numbers, at least one"),
        ({"lrs": [0.1, 0.1]}, "lrs must be different positive numbers, at least one"),
        ({"lrs": [-0.1]}, "lrs must be different positive numbers, at least one"),
        ({"train": "last"}, "option train='last': Input should be 'head' or 'all'"),
        ({"frames": "many"}, "option frames='many': "),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(UsageError, match=message) as error:
        Plugins(points=[]).evaluators.build("pose", options)
    assert "\n" not in str(error.value)


def test_a_size_that_the_network_does_not_take(people):
    with pytest.raises(UsageError, match="expected a size that the encoder's network takes, got 4"):
        evaluate(people, Muted(), **{**ALL, "size": 4})
