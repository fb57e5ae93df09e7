"""Losses against closed forms, slow twins and numerical gradients."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch.nn.functional import cosine_embedding_loss, normalize

from harness_temporal_coherency.losses import SharedNetwork, contrastive, euclidean, quadruplet, siamese, triplet


def vectors(roles: int, count: int = 6, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [normalize(torch.randn(count, 5, generator=generator, dtype=torch.float64), dim=1) for _ in range(roles)]


def test_distance_has_a_gradient_where_rows_are_equal():
    first = torch.ones(2, 3, requires_grad=True)
    second = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 3.0]])
    apart = euclidean(first, second)
    apart.sum().backward()
    assert apart.tolist() == [0.0, 2.0]
    assert first.grad.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, -1.0]]


def test_contrastive_closed_forms():
    here = torch.zeros(1, 2)
    there = torch.tensor([[0.5, 0.0]])
    yes, no = torch.tensor([True]), torch.tensor([False])
    assert contrastive(here, here, yes) == 0
    assert contrastive(here, there, yes).item() == pytest.approx(0.125)
    assert contrastive(here, there, no).item() == pytest.approx(0.125)
    assert contrastive(here, 2 * there, no) == 0
    assert contrastive(here, 4 * there, no, margin=3.0).item() == pytest.approx(0.5)


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_contrastive_equals_its_definition(margin):
    first, second = vectors(2)
    together = torch.tensor([True, False, True, False, False, True])
    slow = 0.0
    for a, b, y in zip(first.tolist(), second.tolist(), together.tolist(), strict=True):
        d = math.dist(a, b)
        slow += d**2 if y else max(0.0, margin - d) ** 2
    assert contrastive(first, second, together, margin).item() == pytest.approx(slow / (2 * len(first)))


def test_quadruplet_closed_forms():
    a = torch.zeros(1, 2)
    for apart in (0.0, 0.2, 0.5, 0.9):
        value = quadruplet(a, a, a, torch.tensor([[apart, 0.0]]), margin=0.5).item()
        assert value == pytest.approx(max(0.0, 0.5 - apart))


def test_one_hinge_a_tuple_is_not_one_hinge_a_batch():
    """Hinges with arguments 1 and -3: their sum is 1, the hinge of the sum 0."""
    a = torch.zeros(2, 1)
    later, other = torch.tensor([[1.5], [0.5]]), torch.tensor([[1.0], [4.0]])
    assert quadruplet(a, a, later, other, margin=0.5).item() == pytest.approx(0.5)  # 1 / N
    assert quadruplet(a, a, later, other, margin=0.5, released=True) == 0


@pytest.mark.parametrize("margin", [0.1, 0.5, 1.5])
def test_quadruplet_equals_its_definition(margin):
    roles = vectors(4)
    slow, near, hinge = 0.0, 0.0, margin
    for a, b, c, n in zip(*(role.tolist() for role in roles), strict=True):
        slow += math.dist(a, b) + max(0.0, math.dist(a, c) - math.dist(a, n) + margin)
        near += math.dist(a, b) ** 2
        hinge += math.dist(a, c) ** 2 - math.dist(a, n) ** 2
    assert quadruplet(*roles, margin).item() == pytest.approx(slow / 6)
    assert quadruplet(*roles, margin, released=True).item() == pytest.approx((near + max(0.0, hinge)) / 6)


@pytest.mark.parametrize("released", [False, True])
def test_quadruplet_gradient(released):
    """Away from the kinks: no hinge has an argument near 0."""
    roles = [role.requires_grad_() for role in vectors(4, seed=3)]
    arguments = euclidean(roles[0], roles[2]) - euclidean(roles[0], roles[3]) + 0.5
    assert arguments.abs().min() > 1e-2
    assert torch.autograd.gradcheck(lambda *r: quadruplet(*r, released=released), roles)


def test_contrastive_gradient():
    first, second = (role.requires_grad_() for role in vectors(2, seed=1))
    together = torch.tensor([True, False, True, False, False, True])
    assert (euclidean(first, second) - 1.0).abs().min() > 1e-2
    assert torch.autograd.gradcheck(lambda a, b: contrastive(a, b, together, 1.0), (first, second))


def test_siamese_closed_forms():
    here, there = torch.zeros(1, 2), torch.tensor([[0.25, 0.0]])
    yes, no = torch.tensor([True]), torch.tensor([False])
    assert siamese(here, here, yes) == 0
    assert siamese(here, there, yes).item() == 0.25
    assert siamese(here, there, no).item() == 0.75
    assert siamese(here, 8 * there, no) == 0
    assert siamese(here, 2 * there, yes, released=True).item() == 0.125


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
def test_siamese_equals_its_definition(margin):
    first, second = vectors(2)
    together = torch.tensor([True, False, True, False, False, True])
    apart = [math.dist(a, b) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    slow = sum(d if y else max(0.0, margin - d) for d, y in zip(apart, together.tolist(), strict=True))
    assert siamese(first, second, together, margin).item() == pytest.approx(slow / 6)
    assert torch.equal(
        siamese(first, second, together, margin, released=True), contrastive(first, second, together, margin)
    )


def test_triplet_closed_forms():
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    assert triplet(a, a, b).item() == 0
    assert triplet(a, a, a).item() == 0.5
    assert triplet(a, b, a).item() == 1.5
    assert triplet(a, -a, a, margin=1.0).item() == 3.0


def test_euclidean_triplet_closed_forms():
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 3.0]])
    assert triplet(a, a, b, distance="euclidean").item() == 0
    assert triplet(a, a, a, distance="euclidean").item() == 0.5
    assert triplet(a, b, a, distance="euclidean").item() == 3.5
    assert triplet(a, b, -a, margin=1.5, distance="euclidean").item() == 2.5


@pytest.mark.parametrize("margin", [0.1, 0.5, 1.5])
def test_euclidean_triplet_equals_its_definition(margin):
    roles = [3 * role for role in vectors(3, seed=4)]
    slow = 0.0
    for a, p, n in zip(*(role.tolist() for role in roles), strict=True):
        slow += max(0.0, math.dist(a, p) - math.dist(a, n) + margin)
    assert triplet(*roles, margin, distance="euclidean").item() == pytest.approx(slow / 6)


def test_one_margin_is_two_in_the_two_distances():
    """On unit vectors 1 - cos is half the squared distance, so that both are 2 for opposite ones, else not equal."""
    a, n = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert triplet(a, a, n, margin=2.0).item() == 1.0
    assert triplet(a, a, n, margin=2.0, distance="euclidean").item() == pytest.approx(2 - math.sqrt(2))


@pytest.mark.parametrize("margin", [0.1, 0.5, 1.5])
def test_triplet_equals_torchs_own(margin):
    """Cosine distances are those of torch's loss for pairs that belong together."""
    anchor, positive, negative = (3 * role for role in vectors(3, seed=4))
    ones = torch.ones(6, dtype=torch.float64)
    near, far = (cosine_embedding_loss(anchor, other, ones, reduction="none") for other in (positive, negative))
    assert triplet(anchor, positive, negative, margin).item() == pytest.approx(
        (near - far + margin).clamp(min=0).mean().item()
    )


def test_siamese_and_triplet_gradients():
    """Away from the kinks: no hinge has an argument near 0."""
    first, second, third = (role.requires_grad_() for role in vectors(3, seed=2))
    together = torch.tensor([True, False, True, False, False, True])
    assert (euclidean(first, second) - 1.0).abs().min() > 1e-2
    assert torch.autograd.gradcheck(lambda a, b: siamese(a, b, together, 1.0), (first, second))
    assert ((first * third).sum(1) - (first * second).sum(1) + 0.5).abs().min() > 1e-2
    assert torch.autograd.gradcheck(triplet, (first, second, third))
    assert (euclidean(first, second) - euclidean(first, third) + 0.5).abs().min() > 1e-2
    assert torch.autograd.gradcheck(lambda *roles: triplet(*roles, distance="euclidean"), (first, second, third))


def gradient(loss, margin, *, unit):
    """Gradient of a layer under a loss with this margin; without `unit`, distances are around 22."""
    layer = torch.nn.Linear(12, 4, bias=False).double()
    torch.nn.init.eye_(layer.weight)
    clips = 8 * torch.randn(480, 3, 1, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    roles, targets = (2, torch.arange(240) % 2 == 1) if loss is siamese else (4, None)
    network = torch.nn.Sequential(torch.nn.Flatten(), layer)
    SharedNetwork(network, roles, partial(loss, margin=margin), unit=unit)(clips, targets).backward()
    return layer.weight.grad


@pytest.mark.parametrize("loss", [siamese, quadruplet])
def test_margins_above_2_are_one_for_unit_vectors(loss):
    """Distances of unit vectors end at 2: every hinge is open, and its slope knows no margin."""
    assert torch.equal(gradient(loss, 10.0, unit=True), gradient(loss, 20.0, unit=True))
    assert not torch.allclose(gradient(loss, 0.5, unit=True), gradient(loss, 10.0, unit=True))


@pytest.mark.parametrize("loss", [siamese, quadruplet])
def test_margins_above_2_act_on_vectors_as_they_are(loss):
    """Distances below a margin only open its hinge, so that each of the margins has its own gradient."""
    gradients = [gradient(loss, margin, unit=False) for margin in (1.0, 10.0, 20.0)]
    assert not torch.allclose(gradients[0], gradients[1])
    assert not torch.allclose(gradients[1], gradients[2])


def test_a_shared_network_gives_the_loss_of_unit_vectors():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4))
    clips = torch.randn(8, 3, 1, 2, 2)
    vectors = network(clips)
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    together = torch.tensor([True, False, True, True])
    torch.testing.assert_close(
        SharedNetwork(network, 2, contrastive)(clips, together), contrastive(unit[:4], unit[4:], together)
    )
    torch.testing.assert_close(SharedNetwork(network, 4, quadruplet)(clips), quadruplet(*unit.split(2)))
    torch.testing.assert_close(SharedNetwork(network, 4, quadruplet, unit=False)(clips), quadruplet(*vectors.split(2)))
