"""The methods as a suite would run them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from harness import Budget, UsageError
from harness.backbones.small_2d import Small2D
from harness.datasets.concatenated_split import ConcatenatedSplit
from harness.encoders.frozen import CachedEncoder
from harness.system.seeding import derive_seed
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.training.session import TrainingSession
from harness.video.transforms import normalise
from harness_temporal_coherency.methods import Quadruplet, Siamese, SlowFeatureAnalysis, Triplet


def train():
    return MovingSquares().split("train").unlabelled()


def test_sfa_draws_frames_of_one_video_side_by_side():
    split = train()
    view = TinyBackbone.inputs.view
    batch = SlowFeatureAnalysis().draw(split, view, 10, torch.Generator().manual_seed(0))
    assert batch.inputs.shape == (20, 3, 1, view.size, view.size)
    assert batch.targets.tolist() == [False, True, True, True, True] * 2
    background = batch.inputs[:, :, 0, 0, 0].float().unflatten(0, (2, 10))
    assert (background[0] - background[1]).abs().max() < 20  # the group's colour, and noise


def test_a_quadruplets_last_frame_is_of_another_video():
    split = train()
    view = TinyBackbone.inputs.view
    clips = Quadruplet().draw(split, view, 200, torch.Generator().manual_seed(0)).inputs
    assert clips.shape == (800, 3, 1, view.size, view.size)
    anchor, following, later, other = clips[:, :, 0, 0, 0].float().unflatten(0, (4, 200))
    assert (anchor - following).abs().max() < 20
    assert (anchor - later).abs().max() < 20
    assert ((anchor - other).abs().amax(1) > 20).float().mean() > 0.6  # most other videos are of another group


def test_the_window_of_a_method_is_exact_or_the_most():
    """A window of 5 frames: all pairs are that far apart, or some nearer."""
    n_frames = torch.full((4,), 60)
    for method in (Siamese, Quadruplet):
        for contiguous, nearest in (("exactly", 5), ("within", 1)):
            examples = method(window=5, contiguous=contiguous).sample(n_frames, 400, torch.Generator().manual_seed(0))
            chosen = slice(None) if examples.together is None else examples.together
            apart = (examples.frames[:, 1] - examples.frames[:, 0])[chosen]
            assert (int(apart.min()), int(apart.max())) == (nearest, 5)


def test_half_of_siamese_pairs_are_of_two_videos():
    view = TinyBackbone.inputs.view
    batch = Siamese().draw(train(), view, 200, torch.Generator().manual_seed(0))
    first, second = batch.inputs[:, :, 0, 0, 0].float().unflatten(0, (2, 200))
    apart = (first - second).abs().amax(1)
    assert batch.targets.tolist() == [False, True] * 100
    assert apart[batch.targets].max() < 20
    assert (apart[~batch.targets] > 20).float().mean() > 0.6  # most other videos are of another group


@pytest.mark.parametrize(("method", "share"), [(SlowFeatureAnalysis, 0.8), (Siamese, 0.5)])
@pytest.mark.parametrize(("world", "size"), [(1, 1), (4, 2), (3, 7)])
def test_pairs_have_their_shares_on_any_number_of_processes(method, share, world, size):
    split, view, steps = train(), TinyBackbone.inputs.view, 10
    kinds = []
    for step in range(steps):
        for rank in range(world):
            session = SimpleNamespace(budget=Budget(frames=1, seed=0), rank=rank, world=world)
            kinds.append(method().batch(split, view, size, step, session).targets)
    assert torch.cat(kinds).sum() == share * steps * world * size


def test_one_process_draws_as_always():
    """Batches of whole tens begin with the same kind of pair."""
    split, view = train(), TinyBackbone.inputs.view
    session = SimpleNamespace(budget=Budget(frames=1, seed=3), rank=0, world=1)
    for method in (SlowFeatureAnalysis(), Siamese()):
        batch = method.batch(split, view, 10, 7, session)
        expected = method.draw(split, view, 10, torch.Generator().manual_seed(derive_seed(3, 7, 0)))
        assert torch.equal(batch.inputs, expected.inputs)
        assert torch.equal(batch.targets, expected.targets)


def test_a_triplets_last_frame_is_of_another_video():
    view = TinyBackbone.inputs.view
    clips = Triplet().draw(train(), view, 200, torch.Generator().manual_seed(0)).inputs
    anchor, positive, negative = clips[:, :, 0, 0, 0].float().unflatten(0, (3, 200))
    assert (anchor - positive).abs().max() < 20
    assert ((anchor - negative).abs().amax(1) > 20).float().mean() > 0.6


@pytest.mark.parametrize(
    ("method", "backbone"),
    [
        (SlowFeatureAnalysis(batch_size=32, lr=5e-3), Small2D()),  # a smaller network does not learn it
        *((Siamese(batch_size=32, lr=1e-2, released=released), TinyBackbone()) for released in (False, True)),
        *((Quadruplet(batch_size=16, lr=1e-2, released=released), TinyBackbone()) for released in (False, True)),
        *((Triplet(batch_size=20, lr=1e-2, distance=one), TinyBackbone()) for one in ("cosine", "euclidean")),
    ],
    ids=[
        "sfa",
        "siamese",
        "siamese released",
        "quadruplet",
        "quadruplet released",
        "triplet cosine",
        "triplet euclidean",
    ],
)
def test_learning_lowers_the_loss(method, backbone):
    split = train()
    batch = method.draw(split, backbone.inputs.view, 100, torch.Generator().manual_seed(99))
    clips = normalise(batch.inputs, backbone.inputs)

    def loss(module: torch.nn.Module) -> float:
        loss_of = method.build_loss(module, backbone.card.dim, split)
        loss_of.train(isinstance(backbone, Small2D))  # which normalises by the batch; the other has dropout
        with torch.no_grad():
            return float(loss_of(clips) if batch.targets is None else loss_of(clips, batch.targets))

    learnt = method.fit(backbone, split, TrainingSession(Budget(frames=1500, seed=0))).module
    assert loss(learnt) < 0.95 * loss(backbone.build(seed=0))


def test_the_encoder_is_the_backbones_network():
    encoder = Quadruplet().fit(TinyBackbone(), train(), TrainingSession(Budget(frames=320, seed=1)))
    features = CachedEncoder(encoder, key="test").features(MovingSquares().split("test"))
    assert features.vectors.shape == (32, TinyBackbone.card.dim)
    assert features.vectors.std(0).max() > 0


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (Quadruplet, {"gap": 1}, "'quadruplet': the gap must be larger than the window"),
        (Siamese, {"window": 0}, "'siamese': window must be at least 1"),
        (Triplet, {"gap": 0}, "'triplet': gap must be at least 1"),
        *(
            (method, {"colour": colour}, f"'{method.card.name}': colour must be from 0 to 0.5, got {colour}")
            for method in (SlowFeatureAnalysis, Siamese, Triplet, Quadruplet)
            for colour in (0.6, -0.1)
        ),
    ],
)
def test_impossible_options(method, options, message):
    with pytest.raises(UsageError, match=message):
        method(**options)


@pytest.mark.parametrize("method", [Siamese, Quadruplet, Triplet])
def test_all_videos_as_one_can_be_learnt_from(method):
    joined = ConcatenatedSplit(MovingSquares().split("train")).unlabelled()
    encoder = method().fit(TinyBackbone(), joined, TrainingSession(Budget(frames=320, seed=0)))
    assert encoder.dim == TinyBackbone.card.dim


@pytest.mark.parametrize("method", [SlowFeatureAnalysis, Siamese, Quadruplet, Triplet])
def test_cards_say_what_becomes_of_short_videos(method):
    assert sum("at most the last frame of a video shorter than" in one for one in method.card.deviations) == 1
