"""Accuracy of the task: what it is of a network that knows, and of one that guesses."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from harness.cards import View
from harness.encoders.frozen import CachedEncoder
from harness.errors import DataError, UsageError
from harness.testing import MovingSquares, TinyBackbone, UntrainedEncoder
from harness.testing.evaluating import ChangedSquares, baselines, values
from harness.values import Inputs
from harness_pose_from_action import pretext
from harness_pose_from_action.pairs import read_pairs
from harness_pose_from_action.pose_from_action import PoseFromAction, PoseFromActionEncoder
from harness_pose_from_action.pretext import GUESS, PretextAccuracy, _share_below, _video_terms
from harness_pose_from_action.pretext_network import PretextNetwork

METHOD = PoseFromAction(hidden=16)


def encoder(change=lambda network: None):
    network = METHOD.build_network(TinyBackbone(), 0)
    change(network)
    return CachedEncoder(PoseFromActionEncoder(network, TinyBackbone()), key="x")


def evaluate(evaluator=None, change=lambda network: None, data=None):
    return (evaluator or PretextAccuracy(pairs=2)).evaluate(encoder(change), data or MovingSquares(), seed=0)


def test_a_network_that_guesses_scores_what_the_baselines_say():
    def guessing(network):
        nn.init.zeros_(network.head[4].weight)
        network.head[4].bias.data = torch.tensor([math.log(2 / 3), math.log(1 / 3)])

    evaluation = evaluate(change=guessing)
    guess = {name: value for name, value in GUESS.items() if name != "same_video"}
    assert values(evaluation) == pytest.approx(guess, abs=1e-6)
    assert baselines(evaluation) == pytest.approx(guess)
    assert GUESS["cross_entropy"] == pytest.approx(math.log(3) - 2 / 3 * math.log(2))
    assert evaluation.notes == {"pairs": 64, "videos_too_short": 0, "apart": 12}


def test_terms_are_those_of_one_pair_at_a_time():
    """Slow twin of the four metrics."""
    torch.manual_seed(0)
    right, wrong, same = torch.randn(5, 3).double(), torch.randn(5, 3, 2).double(), torch.randn(5, 3, 2).double()
    wrong[0, 0, 0] = right[2, 1]  # a tie counts half
    same[4, 0, 1] = torch.nan
    terms = _video_terms(right, wrong, same)
    for video in range(5):
        hits, losses, areas, preferred = [], [], [], []
        for pair in range(3):
            odds = [(1, right[video, pair]), *((0, one) for one in wrong[video, pair])]
            for label, one in odds:
                share = float(one.sigmoid())
                hits.append(float((one > 0) == bool(label)))
                losses.append(-math.log(share if label else 1 - share))
            below = [(one < right[video, pair]) + 0.5 * (one == right[video, pair]) for one in wrong.flatten()]
            areas.append(float(sum(below)) / len(below))
            preferred += [float(right[video, pair] > one) for one in same[video, pair] if not one.isnan()]
        for name, numbers in (("accuracy", hits), ("cross_entropy", losses), ("auc", areas), ("same_video", preferred)):
            assert float(terms[name][video]) == pytest.approx(sum(numbers) / len(numbers)), name


class Numbered:
    """Split of videos that say their number and time: by colour, and by flow from a frame on."""

    name, labelled, classes, left_out = "test", True, {}, {}

    def __init__(self, count):
        self.videos = [replace(MovingSquares().split("test").videos[0], id=str(one), frames=40) for one in range(count)]

    def __len__(self):
        return len(self.videos)

    def read(self, index, frames, *, short_side):
        times = torch.tensor(frames).view(-1, 1, 1, 1)
        colour = torch.cat([torch.full_like(times, index), times, times], dim=3)
        return colour.byte().expand(-1, short_side, short_side, -1)

    def flow(self, index, frames, *, short_side, device="cpu"):
        times = torch.tensor(list(frames)).view(-1, 1, 1, 1)
        return torch.cat([torch.full_like(times, index), times], dim=1).float().expand(-1, -1, short_side, short_side)


class Knowing(PretextNetwork):
    """Network that reads numbers and times: how likely a block is depends on both."""

    def __init__(self, by_time):
        view = View(frames=1, size=8)
        images = Inputs(view=view, mean=(0.0,) * 3, std=(1.0,) * 3, scale=1.0)
        flow = Inputs(view=view, mean=(0.0, 0.0), std=(1.0, 1.0), scale=1.0, kind="flow")
        inputs = {"frames": images, "flow": flow}
        super().__init__(nn.Conv2d(3, 1, 1), nn.Identity(), 1, hidden=1, dropout=0.0, apart=12, inputs=inputs)
        self.by_time = by_time

    def encode_pairs(self, streams):
        one, other = streams["frames"].mean((2, 3, 4)).chunk(2)
        return one[:, :2], other[:, :2], streams["flow"][:, :, 0].mean((2, 3))  # of the first map

    def logits(self, one, other, motion):
        assert torch.equal(one[:, 1] + 12, other[:, 1])
        off = (one - motion).abs()
        return torch.stack([torch.zeros(len(one)), 0.5 - off[:, 0] - self.by_time * off[:, 1]], dim=1)


@pytest.mark.parametrize("by_time", [0.0, 1.0])
def test_a_network_that_knows_the_video_is_right_of_all_others(by_time):
    split = Numbered(7)
    encoder = SimpleNamespace(pretext=lambda: Knowing(by_time), device="cpu")
    data = SimpleNamespace(split=lambda name: split, card=SimpleNamespace(name="numbered"))
    scores = values(PretextAccuracy(pairs=6).evaluate(encoder, data, seed=0))
    assert scores["accuracy"] == scores["auc"] == 1.0
    assert scores["same_video"] == (1.0 if by_time else 0.5)
    short = Numbered(2)
    with pytest.raises(DataError, match=r"2 of 2 videos .* expected at least 3"):
        PretextAccuracy().evaluate(encoder, replace_split(data, short), seed=0)


def replace_split(data, split):
    return SimpleNamespace(split=lambda name: split, card=data.card)


def test_times_that_share_maps_are_no_other_times():
    """In videos of 24 frames, two blocks of 12 always share one."""
    assert "same_video" not in values(evaluate())


def test_the_area_is_sklearns():
    metrics = pytest.importorskip("sklearn.metrics")
    torch.manual_seed(1)
    right, wrong = torch.randn(40).double() + 0.5, torch.randn(80).double()
    labels = [1] * 40 + [0] * 80
    expected = metrics.roc_auc_score(labels, [*right.tolist(), *wrong.tolist()])
    assert float(_share_below(right[None], wrong).mean()) == pytest.approx(expected)


def test_pairs_are_read_ahead(monkeypatch):
    threads = set()

    def noted(*asked):
        threads.add(threading.current_thread().name.split("_")[0])
        return read_pairs(*asked)

    monkeypatch.setattr(pretext, "read_pairs", noted)
    evaluate()
    assert threads == {"batches"}


def test_the_network_is_left_as_it_was():
    frozen = encoder()
    before = {name: tensor.clone() for name, tensor in frozen._encoder.pretext.state_dict().items()}
    PretextAccuracy(pairs=2).evaluate(frozen, MovingSquares(), seed=0)
    after = frozen._encoder.pretext.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_videos_that_are_too_short_are_left_out():
    def shorten(split):
        return replace(
            split,
            videos=tuple(replace(one, frames=12) if place < 3 else one for place, one in enumerate(split.videos)),
        )

    evaluation = evaluate(data=ChangedSquares(test=shorten))
    assert evaluation.notes["videos_too_short"] == 3
    assert [row is None for row in evaluation.predictions.values["accuracy"][0][:4]] == [True, True, True, False]
    with pytest.raises(
        DataError, match=r"0 of 32 videos in split 'test' .* are longer than 12 frames; expected at least 3"
    ):
        evaluate(
            data=ChangedSquares(
                test=lambda split: replace(split, videos=tuple(replace(one, frames=12) for one in split.videos))
            )
        )


def test_another_task_is_refused():
    class Other(UntrainedEncoder):
        def __init__(self):
            super().__init__()
            self.pretext = nn.Linear(1, 1)
            self.promise = replace(self.promise, offers=self.promise.offers | {"pretext"})

    with pytest.raises(UsageError, match="measures encoders of pose_from_action, got Linear"):
        PretextAccuracy().evaluate(CachedEncoder(Other(), key="x"), MovingSquares(), seed=0)
    with pytest.raises(UsageError, match="pairs must be at least 2, got 1"):
        PretextAccuracy(pairs=1)
