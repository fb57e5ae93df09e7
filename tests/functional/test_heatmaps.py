"""Heat maps by hand, by plain loops and by finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.functional.heatmaps import BRIGHTEST, balanced_loss, brightest_pixels, heatmap_points, heatmap_targets

NAN = math.nan


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_targets(points, size):
    maps = np.full((len(points), size, size), -1.0)
    for n, (x, y) in enumerate(points):
        if not (0 <= x < 1 and 0 <= y < 1):
            maps[n] = NAN
            continue
        column, row = math.floor(x * size), math.floor(y * size)
        for v in range(size):
            for u in range(size):
                if max(abs(u - column), abs(v - row)) <= 1:
                    maps[n, v, u] = 1.0
    return torch.from_numpy(maps)


def slow_loss(maps, targets):
    costs = []
    for one, target in zip(maps.numpy(), targets.numpy(), strict=True):
        if np.isnan(target).any():
            continue
        sides = [((one - target) ** 2)[target == sign].mean() for sign in (1, -1)]
        costs.append(sum(sides) / 2)
    return sum(costs) / len(costs)


def slow_point(one, count=BRIGHTEST):
    order = np.argsort(-one.numpy().ravel(), kind="stable")[:count]
    rows, columns = np.divmod(order, one.shape[1])
    return [(columns + 0.5).mean() / one.shape[1], (rows + 0.5).mean() / one.shape[0]]


@pytest.mark.parametrize("size", [7, 60])
def test_targets_are_those_of_plain_loops(size):
    points = torch.rand(12, 2, generator=torch.Generator().manual_seed(size), dtype=torch.float64)
    special = [[0, 0], [0.999, 0.999], [0, 0.5], [1.0, 0.5], [-0.001, 0.5], [NAN, 0.5], [0.5, NAN], [math.inf, 0.5]]
    points = torch.cat([points, torch.tensor(special, dtype=torch.float64)])
    torch.testing.assert_close(heatmap_targets(points, size), slow_targets(points, size), equal_nan=True)


def test_positive_pixels_inside_on_an_edge_and_in_a_corner():
    maps = heatmap_targets(torch.tensor([[0.5, 0.5], [0.5, 0.0], [0.0, 0.999]]), 60)
    assert (maps > 0).sum((1, 2)).tolist() == [9, 6, 4]
    assert maps.dtype == torch.float32


def test_loss_is_that_of_plain_loops():
    points = torch.tensor([[0.5, 0.5], [0.0, 0.3], [NAN, 0.5], [0.9, 0.99], [1.5, 0.5]], dtype=torch.float64)
    targets, maps = heatmap_targets(points, 12), drawn(5, 12, 12)
    assert balanced_loss(maps, targets).item() == pytest.approx(slow_loss(maps, targets), rel=1e-12)
    assert balanced_loss(maps[:, None].float(), targets[:, None].float()).item() == pytest.approx(
        slow_loss(maps, targets), rel=1e-5
    )


@pytest.mark.parametrize("level", [-1.0, 0.0, 0.3, 1.0, 5.0])
def test_a_constant_map_costs_its_square_and_one(level):
    """((c - 1)^2 + (c + 1)^2) / 2, wherever the joint is."""
    targets = heatmap_targets(torch.tensor([[0.5, 0.5], [0.0, 0.0]], dtype=torch.float64), 60)
    assert balanced_loss(torch.full_like(targets, level), targets).item() == pytest.approx(level**2 + 1, rel=1e-12)


def test_a_perfect_map_costs_nothing():
    targets = heatmap_targets(torch.tensor([[0.5, 0.5], [0.0, 0.0]]), 60)
    assert balanced_loss(targets, targets).item() == 0.0


def test_positives_pull_as_hard_as_negatives_for_an_equal_error():
    targets = heatmap_targets(torch.tensor([[0.5, 0.5], [0.0, 0.0]], dtype=torch.float64), 60)
    maps = torch.zeros_like(targets, requires_grad=True)
    balanced_loss(maps, targets).backward()
    up, down = maps.grad[targets > 0].sum(), maps.grad[targets < 0].sum()
    assert up.item() == pytest.approx(-1.0)
    assert down.item() == pytest.approx(1.0)


def test_gradient_of_the_loss():
    targets = heatmap_targets(torch.tensor([[0.5, 0.5], [NAN, 0.5], [0.0, 0.9]], dtype=torch.float64), 5)
    assert torch.autograd.gradcheck(lambda maps: balanced_loss(maps, targets), drawn(3, 5, 5).requires_grad_())


def test_a_map_that_cannot_be_learnt_is_left_alone():
    targets = heatmap_targets(torch.tensor([[0.5, 0.5], [NAN, 0.5]]), 12)
    maps = torch.zeros(2, 12, 12, requires_grad=True)
    balanced_loss(maps, targets).backward()
    assert (maps.grad[0] != 0).all()
    assert (maps.grad[1] == 0).all()


def test_nothing_to_learn_costs_nothing():
    targets = heatmap_targets(torch.full((2, 2), NAN), 12)
    maps = torch.ones(2, 12, 12, requires_grad=True)
    loss = balanced_loss(maps, targets)
    loss.backward()
    assert loss.item() == 0.0
    assert (maps.grad == 0).all()


def test_loss_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(9, 60, 60\) and \(1, 9, 60, 60\)"):
        balanced_loss(torch.zeros(9, 60, 60), torch.zeros(1, 9, 60, 60))


@pytest.mark.parametrize("shape", [(60, 60), (4, 5), (7, 13)])
def test_points_are_those_of_a_stable_sort(shape):
    many = [drawn(6, *shape), drawn(6, *shape, seed=1).round(), torch.zeros(1, *shape, dtype=torch.float64)]
    maps = torch.cat(many)  # the rounded ones have many equal pixels
    expected = torch.tensor([slow_point(one) for one in maps], dtype=torch.float64)
    torch.testing.assert_close(heatmap_points(maps), expected)
    torch.testing.assert_close(heatmap_points(maps[:, None].float()), expected[:, None].float())


def test_a_joint_comes_back_within_a_pixel():
    """A map that falls off around a joint, as one that was learnt does, anywhere at least 3 pixels inside."""
    points = 0.05 + 0.9 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centres = (torch.arange(60) + 0.5) / 60
    across, down = (points[:, axis, None] - centres for axis in (0, 1))  # (200, 60) each
    found = heatmap_points(-(across[:, None, :] ** 2 + down[:, :, None] ** 2))
    assert (60 * (found - points).abs()).max() < 1


def test_the_positive_pixels_are_among_those_taken():
    """Of +1 and -1 alone, 9 pixels are right and 11 are the map's first: the centroid is known."""
    found = heatmap_points(heatmap_targets(torch.tensor([0.5, 0.5], dtype=torch.float64), 60))
    x = (9 * 30.5 + sum(u + 0.5 for u in range(11))) / 20 / 60
    y = (9 * 30.5 + 11 * 0.5) / 20 / 60
    assert found.tolist() == pytest.approx([x, y])


@pytest.mark.parametrize("count", [1, 4, 17, 35])
def test_points_of_another_number_of_pixels(count):
    maps = torch.cat([drawn(6, 5, 7), drawn(6, 5, 7, seed=1).round()])
    expected = torch.tensor([slow_point(one, count) for one in maps], dtype=torch.float64)
    torch.testing.assert_close(heatmap_points(maps, count), expected)


@pytest.mark.parametrize(("side", "count"), [(60, 20), (52, 15), (28, 4), (120, 80), (4, 1)])
def test_the_number_of_pixels_is_the_same_share_of_every_map(side, count):
    assert brightest_pixels(side) == count
    assert count == 1 or count / side**2 == pytest.approx(20 / 60**2, rel=0.1)


@pytest.mark.parametrize("count", [20, 0])
def test_points_refuse_a_map_that_is_too_small(count):
    with pytest.raises(ValueError, match=f"of at least {count} pixels, got 4 x 4"):
        heatmap_points(torch.zeros(4, 4), count)
