"""Directions against the usual recursion over pairs, pair by pair."""

import pytest
import torch

from harness.functional.lbfgs import InverseHessians

HISTORY = 4


def recursion(pairs, gradient):
    """Algorithm 7.4 of Nocedal and Wright, Numerical Optimization, 2006."""
    direction, factors = gradient.clone(), []
    for step, change in reversed(pairs):
        factors.append((step @ direction) / (step @ change))
        direction -= factors[-1] * change
    if pairs:
        step, change = pairs[-1]
        direction *= (step @ change) / (change @ change)
    for (step, change), factor in zip(pairs, reversed(factors), strict=True):
        direction += (factor - (change @ direction) / (step @ change)) * step
    return -direction


def quadratics(problems=3, numbers=9):
    generator = torch.Generator().manual_seed(0)
    roots = torch.randn(problems, numbers, numbers, generator=generator, dtype=torch.float64)
    return roots @ roots.mT + torch.eye(numbers, dtype=torch.float64), generator


@pytest.mark.parametrize("steps", range(2 * HISTORY + 2))
def test_the_recursion_gives_the_same_directions(steps):
    matrices, generator = quadratics()
    point = torch.randn(3, 9, generator=generator, dtype=torch.float64)
    gradient = (matrices @ point[..., None])[..., 0]
    hessians = InverseHessians(gradient, HISTORY)
    pairs = [[], [], []]
    for _ in range(steps):
        step = torch.randn(3, 9, generator=generator, dtype=torch.float64)
        change = (matrices @ step[..., None])[..., 0]
        gradient = gradient + change
        hessians.update(step, gradient)
        for kept, *pair in zip(pairs, step, change, strict=True):
            kept.append(pair)
    expected = torch.stack([recursion(kept[-HISTORY:], row) for kept, row in zip(pairs, gradient, strict=True)])
    torch.testing.assert_close(hessians.directions(), expected)
    keep = torch.tensor([True, False, True])
    torch.testing.assert_close(hessians.select(keep).directions(), expected[keep])
    hessians.correct(2 * gradient)
    torch.testing.assert_close(hessians.directions(), 2 * expected)


def test_a_scale_is_the_same_as_numbers_of_that_scale():
    matrices, generator = quadratics()
    scale = torch.rand(3, 9, generator=generator, dtype=torch.float64) + 0.1
    gradient = torch.randn(3, 9, generator=generator, dtype=torch.float64)
    scaled, plain = InverseHessians(gradient, HISTORY, scale), InverseHessians(gradient * scale, HISTORY)
    torch.testing.assert_close(scaled.directions(), -gradient * scale.square())
    for _ in range(HISTORY + 2):
        step = torch.randn(3, 9, generator=generator, dtype=torch.float64)
        gradient = gradient + (matrices @ step[..., None])[..., 0]
        scaled.update(step, gradient)
        plain.update(step / scale, gradient * scale)
        torch.testing.assert_close(scaled.directions(), plain.directions() * scale)
    scaled.correct(gradient / 2)
    keep = torch.tensor([False, True, True])
    torch.testing.assert_close(scaled.select(keep).directions(), plain.directions()[keep] * scale[keep] / 2)


def test_the_newest_pair_is_met_exactly():
    matrices, generator = quadratics()
    step = torch.randn(3, 9, generator=generator, dtype=torch.float64)
    change = (matrices @ step[..., None])[..., 0]
    hessians = InverseHessians(torch.zeros_like(step), HISTORY)
    hessians.update(step, change)  # from a gradient of 0 to the change itself
    torch.testing.assert_close(hessians.directions(), -step)


def test_a_pair_without_positive_curvature_is_ignored_by_its_function_alone():
    matrices, generator = quadratics(2)
    gradient = torch.randn(2, 9, generator=generator, dtype=torch.float64)
    hessians, pairs = InverseHessians(gradient, HISTORY), [[], []]
    for number in range(3):
        step = torch.randn(2, 9, generator=generator, dtype=torch.float64)
        change = (matrices @ step[..., None])[..., 0]
        if number == 1:
            change[0] = -change[0]
        gradient = gradient + change
        hessians.update(step, gradient)
        for problem in range(2):
            if number != 1 or problem == 1:
                pairs[problem].append((step[problem], change[problem]))
    expected = torch.stack([recursion(kept, row) for kept, row in zip(pairs, gradient, strict=True)])
    torch.testing.assert_close(hessians.directions(), expected)
