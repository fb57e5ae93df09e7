"""The base of gradient methods: budget, seeds, epochs, announced frames, several streams."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from harness.cards import BackboneCard, MethodCard, View, WholeVideo
from harness.errors import PluginError, UsageError
from harness.testing.brightness import PredictBrightness, fit_brightness
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.training.gradient_method import GradientMethod
from harness.training.session import TrainingSession
from harness.values import Batch, Budget, Inputs


def test_it_keeps_its_budget():
    method = PredictBrightness()
    fit_brightness(method, frames=1615)
    assert sum(map(len, method.drawn)) * 4 == 1600  # 50 steps of 8 examples of 4 frames; another would be too much
    assert method.epochs == list(range(9))  # 48 videos: 6 steps an epoch


def test_a_budget_smaller_than_a_batch_makes_a_smaller_batch():
    method = PredictBrightness()
    fit_brightness(method, frames=20)
    assert [len(batch) for batch in method.drawn] == [5]


def test_equal_seeds_give_equal_weights_and_others_do_not():
    first, second = (fit_brightness(PredictBrightness()) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, fit_brightness(PredictBrightness(), seed=1))


@pytest.mark.parametrize("options", [{"schedule": "step"}, {"optimizer": "adamw"}, {"clip_gradients": 1e-3}])
def test_options_of_the_optimizer_count(options):
    changed = fit_brightness(PredictBrightness(**options))
    assert changed.isfinite().all()
    assert not torch.equal(changed, fit_brightness(PredictBrightness()))


def test_an_optimizer_that_is_none_is_refused():
    with pytest.raises(UsageError, match="expected sgd or adamw as optimizer, got 'adam'"):
        fit_brightness(PredictBrightness(optimizer="adam"))


def test_shares_of_a_fit_are_its_nearest_steps():
    assert PredictBrightness(schedule=(0.29, 0.58))._schedule(100) == (29, 58)
    assert PredictBrightness(schedule=(0.01, 0.9))._schedule(4) == (1, 3)  # within the fit, however short


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_fused_steps_are_those_of_the_optimiser_that_is_not(optimizer, monkeypatch):
    fused = fit_brightness(PredictBrightness(optimizer=optimizer))
    made = []

    def plain(kind):
        def build(groups, *, fused, **options):
            made.append(fused)
            return kind(groups, foreach=False, **options)

        return build

    for name in ("SGD", "AdamW"):
        monkeypatch.setattr(torch.optim, name, plain(getattr(torch.optim, name)))
    apart = fit_brightness(PredictBrightness(optimizer=optimizer)) - fused
    assert made == [True]
    assert float(apart.norm() / fused.norm()) < 1e-4


def test_impossible_budgets_and_batches_that_cheat():
    with pytest.raises(UsageError, match="one example shows 4 frames, and the budget is 3"):
        fit_brightness(PredictBrightness(), frames=3)
    with pytest.raises(PluginError, match="drew a batch of 32 frames, having announced 8"):
        fit_brightness(PredictBrightness(announced=1))


def test_whole_videos_are_no_clips():
    backbone = TinyBackbone()
    backbone.inputs = Inputs(view=WholeVideo())
    with pytest.raises(UsageError, match="expected a backbone with a view of clips, got WholeVideo"):
        fit_brightness(PredictBrightness(), backbone=backbone)


def test_mmengine_is_imported_by_who_trains():
    program = (
        "import sys, harness.training.gradient_method, harness.training.session; sys.exit('mmengine' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


VIEW = View(frames=4, size=32)


class TwoStreams:
    card = BackboneCard(name="two_streams", summary="means of frames and of flow", dim=5)
    inputs = {  # noqa: RUF012 - read only
        "frames": Inputs(view=VIEW, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
        "flow": Inputs(view=VIEW, kind="flow", mean=(1.0, 2.0), std=(2.0, 2.0), scale=1.0),
    }

    def build(self, *, seed):
        return Means()


class Means(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(5))

    def forward(self, streams):
        return self.gain * torch.cat([streams[name].mean((2, 3, 4)) for name in ("frames", "flow")], dim=1)


class Kept(nn.Module):
    """Keeps what the network gives, and never changes it."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.seen = []

    def forward(self, streams):
        vectors = self.network(streams)
        self.seen.append(vectors.detach())
        return 0 * vectors.sum()


class StreamsMethod(GradientMethod):
    card = MethodCard(name="streams", summary="shows a network of two streams what it wants")

    def frames_per_example(self, view):
        return view.frames

    def draw(self, train, view, size, generator):
        clips = torch.full((size, 3, view.frames, view.size, view.size), 255, dtype=torch.uint8)
        flow = torch.ones(size, 2, view.frames, view.size, view.size)
        return Batch({"flow": flow, "frames": clips})

    def build_loss(self, network, dim, train):
        self.loss = Kept(network)
        return self.loss


def fit_streams(method):
    session = TrainingSession(Budget(frames=64, seed=0), name="streams")
    return method.fit(TwoStreams(), MovingSquares().split("train").unlabelled(), session)


def test_each_stream_is_normalised_by_its_own_inputs():
    method = StreamsMethod()
    encoder = fit_streams(method)
    torch.testing.assert_close(method.loss.seen[0], torch.tensor([[1.0, 1.0, 1.0, 0.0, -0.5]]).expand(16, -1))
    assert encoder.promise.shape == (5,)


def test_a_batch_lacks_a_stream():
    class OneStream(StreamsMethod):
        def draw(self, *arguments):
            return Batch({"frames": super().draw(*arguments).inputs["frames"]})

    with pytest.raises(PluginError, match=r"streams \['flow', 'frames'\] .*, got streams \['frames'\]"):
        fit_streams(OneStream())


def test_a_batch_counts_the_frames_of_its_longest_stream():
    clips, flow = torch.zeros(2, 3, 4, 8, 8), torch.zeros(2, 2, 10, 8, 8)
    assert Batch(clips).shown == 8
    assert Batch({"frames": clips, "flow": flow}).shown == 20
    assert Batch(clips, frames=16).shown == 16
