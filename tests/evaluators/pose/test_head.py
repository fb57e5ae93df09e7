"""The head on feature maps that say where joints are, and on maps that say nothing."""

from __future__ import annotations

import pytest
import torch

from harness.errors import DivergedError
from harness.evaluators.pose import head as pose_head
from harness.evaluators.pose.head import Head, fit_head, predict


class Bar:
    """Counts."""

    def __init__(self):
        self.steps = 0.0

    def advance(self, n=1, *, note=""):
        self.steps += n


def told(n, seed=0, dtype=torch.float32):
    """Maps (n, 9, 15, 15) with a bright spot at each joint, and the joints (n, 9, 2) in shares."""
    points = 0.1 + 0.8 * torch.rand(n, 9, 2, generator=torch.Generator().manual_seed(seed))
    centres = (torch.arange(15) + 0.5) / 15
    across, down = (points[..., axis, None] - centres for axis in (0, 1))
    far = across[..., None, :] ** 2 + down[..., :, None] ** 2
    return torch.exp(-far / 2 / 0.05**2).to(dtype), points


def noise(n, channels=3):
    return torch.randn(n, channels, 15, 15, generator=torch.Generator().manual_seed(1))


def test_maps_are_four_times_as_large_and_channels_standardised():
    maps = 5 * noise(20) + 100
    maps[:, 1] = 7.25  # this one never varies
    head = Head(maps)
    assert head(maps[:2]).shape == (2, 9, 60, 60)
    standard = (maps - head.mean) * head.factor
    torch.testing.assert_close(standard.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-4)
    assert standard.std((0, 2, 3), correction=0).tolist() == pytest.approx([1, 0, 1], abs=1e-4)
    assert standard[:, 1].abs().max() == 0


def test_a_cell_lies_over_its_16_pixels():
    """With all weights positive, one bright cell lights the 8 x 8 pixels about its own 4 x 4, in the middle."""
    head = Head(noise(20, 1))
    with torch.no_grad():
        head.deconvolution.weight.fill_(1.0)
        head.deconvolution.bias.zero_()
        head.joints.weight.fill_(1.0)
        head.mean.zero_()
        head.factor.fill_(1.0)
        maps = torch.zeros(1, 1, 15, 15)
        maps[0, 0, 5, 9] = 1.0
        lit = head(maps)[0, 0] > 0
    assert lit.nonzero()[:, 0].unique().tolist() == list(range(4 * 5 - 2, 4 * 5 + 6))
    assert lit.nonzero()[:, 1].unique().tolist() == list(range(4 * 9 - 2, 4 * 9 + 6))


def test_it_learns_where_joints_are_and_finds_them_in_new_frames(monkeypatch):
    monkeypatch.setattr(pose_head, "STEPS", 60)
    maps, points = told(96)
    bar = Bar()
    head = fit_head(maps, points, lr=3e-2, seed=0, bar=bar)
    assert bar.steps == 60
    queries, expected = told(20, seed=1)
    error = (predict(head, queries) - expected).norm(dim=-1)
    usual = (points.mean(0) - expected).norm(dim=-1)
    assert error.mean() < 0.05 < 0.2 < usual.mean()


def test_without_knowledge_it_learns_where_joints_usually_lie(monkeypatch):
    monkeypatch.setattr(pose_head, "STEPS", 40)
    usual = torch.linspace(0.2, 0.8, 9)[:, None].expand(9, 2).double()
    near = usual + 0.03 * torch.randn(64, 9, 2, generator=torch.Generator().manual_seed(0)).double()
    head = fit_head(torch.zeros(64, 3, 15, 15), near, lr=3e-2, seed=0, bar=Bar())
    assert (predict(head, torch.zeros(1, 3, 15, 15))[0] - usual).norm(dim=-1).max() < 0.05


def test_joints_that_are_not_known_change_nothing(monkeypatch):
    monkeypatch.setattr(pose_head, "STEPS", 3)
    maps, points = told(8)
    hidden = points.clone()
    hidden[:, 4] = torch.nan
    head = fit_head(maps, hidden, lr=1e-2, seed=0, bar=Bar())
    assert (head.usual[4] == 0).all()
    assert all((head.usual[joint] != 0).any() for joint in range(9) if joint != 4)
    assert all(parameter.isfinite().all() for parameter in head.parameters())


def test_equal_seeds_give_equal_heads_and_random_states_stay(monkeypatch):
    monkeypatch.setattr(pose_head, "STEPS", 3)
    maps, points = told(8)
    state = torch.get_rng_state()
    one, same, other = (fit_head(maps, points, lr=1e-2, seed=seed, bar=Bar()).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["joints.weight"], other["joints.weight"])


def test_weights_without_numbers_are_no_head():
    with pytest.raises(DivergedError, match=r"training a head for pose diverged: weights of learning rate 1e\+30"):
        fit_head(*told(8), lr=1e30, seed=0, bar=Bar())


def test_the_rate_ends_near_zero(monkeypatch):
    """A cosine: with one step the whole rate, with two the second is half of it."""
    maps, points = told(8)
    rates = []

    class Watched(torch.optim.Adam):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Watched)
    monkeypatch.setattr(pose_head, "STEPS", 4)
    fit_head(maps, points, lr=1.0, seed=0, bar=Bar())
    assert rates == pytest.approx([1, 0.5 + 0.5 * 0.5**0.5, 0.5, 0.5 - 0.5 * 0.5**0.5])


def test_a_head_without_numbers_says_so():
    maps, _ = told(3)
    head = Head(maps)
    with torch.no_grad():
        head.usual[2, 7, 7] = torch.nan
    found = predict(head, maps)
    assert found.dtype == torch.float64
    assert found[:, 2].isnan().all()
    assert found[:, [0, 1, 3, 4, 5, 6, 7, 8]].isfinite().all()
