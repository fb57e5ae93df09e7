"""The methods as a suite would run them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from harness import Budget, DataError, FrozenEncoder
from harness.backbones.small_2d import Small2D
from harness.encoders import normalise
from harness.testing.moving_squares import MovingSquares
from harness.testing.networks import TinyBackbone
from harness_temporal_coherency.losses import contrastive, quadruplet
from harness_temporal_coherency.quadruplet import Quadruplet
from harness_temporal_coherency.sfa import SlowFeatureAnalysis
from harness_temporal_coherency.siamese import Siamese


def train():
    return MovingSquares().split("train").unlabelled()


def test_sfa_draws_frames_of_one_video_side_by_side():
    split = train()
    view = TinyBackbone.card.view
    batch = SlowFeatureAnalysis().draw(split, view, 10, torch.Generator().manual_seed(0))
    assert batch.clips.shape == (20, 3, 1, view.size, view.size)
    assert batch.targets.tolist() == [False, True, True, True, True] * 2
    background = batch.clips[:, :, 0, 0, 0].float().unflatten(0, (2, 10))
    assert (background[0] - background[1]).abs().max() < 20  # the group's colour, and noise


def test_a_quadruplets_last_frame_is_of_another_video():
    split = train()
    view = TinyBackbone.card.view
    clips = Quadruplet().draw(split, view, 200, torch.Generator().manual_seed(0)).clips
    assert clips.shape == (800, 3, 1, view.size, view.size)
    anchor, following, later, other = clips[:, :, 0, 0, 0].float().unflatten(0, (4, 200))
    assert (anchor - following).abs().max() < 20
    assert (anchor - later).abs().max() < 20
    assert ((anchor - other).abs().amax(1) > 20).float().mean() > 0.6  # most other videos are of another group


def test_the_objective_is_the_loss_of_unit_vectors():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4))
    clips = torch.randn(8, 3, 1, 2, 2)
    vectors = network(clips)
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    together = torch.tensor([True, False, True, True])
    torch.testing.assert_close(
        Siamese(network, 2, contrastive)(clips, together), contrastive(unit[:4], unit[4:], together)
    )
    torch.testing.assert_close(Siamese(network, 4, quadruplet)(clips), quadruplet(*unit.split(2)))


@pytest.mark.parametrize("method", [SlowFeatureAnalysis(batch_size=32), Quadruplet(batch_size=16)])
def test_learning_lowers_the_loss(method):
    split, backbone = train(), Small2D()  # no dropout, so that losses compare
    batch = method.draw(split, backbone.card.view, 200, torch.Generator().manual_seed(99))
    clips = normalise(batch.clips, backbone.card)

    def loss(module: torch.nn.Module) -> float:
        objective = method.objective(module, backbone.card, split).train()
        with torch.no_grad():
            return float(objective(clips) if batch.targets is None else objective(clips, batch.targets))

    learnt = method.fit(backbone, split, Budget(frames=9000, seed=0)).module
    assert loss(learnt) < 0.9 * loss(backbone.build(seed=0))


def test_the_encoder_is_the_backbones_network():
    encoder = Quadruplet().fit(TinyBackbone(), train(), Budget(frames=320, seed=1))
    features = FrozenEncoder(encoder, key="test").features(MovingSquares().split("test"))
    assert features.vectors.shape == (32, TinyBackbone.card.dim)
    assert features.vectors.std(0).max() > 0


def test_a_gap_that_is_no_gap():
    with pytest.raises(ValueError, match="larger than the window"):
        Quadruplet(gap=1)


def test_one_video_has_no_negatives():
    split = train()
    alone = dataclasses.replace(split, videos=split.videos[:1], frames=split.frames[:1])
    with pytest.raises(DataError, match="second video"):
        Quadruplet().fit(TinyBackbone(), alone, Budget(frames=320, seed=0))
