"""bfloat16: what is rounded, what is not, and that a fit in it can be resumed to the bit."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from harness.cards import View
from harness.functional.autocast import autocast
from harness.testing.brightness import PredictBrightness, fit_brightness
from harness.training.session import TrainingSession
from harness.values import Batch, Budget, Inputs

INPUTS = Inputs(view=View(frames=1, size=2), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), scale=1.0)


class Products(nn.Module):
    """A linear layer over pixels, whose vectors are kept."""

    def __init__(self, weights):
        super().__init__()
        self.layer = nn.Linear(*weights.T.shape, bias=False)
        self.layer.weight.data.copy_(weights)
        self.seen = []

    def forward(self, clips):
        products = self.layer(clips.flatten(1))
        self.seen.append(products.detach())
        return products.float().square().mean()


def train(weights, pixels, precision, *, steps=1):
    loss = Products(weights)
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.1)
    session = TrainingSession(Budget(frames=0, seed=0), precision=precision)
    session.train(loss, INPUTS, lambda _: Batch(pixels), steps=steps, optimizer=optimizer)
    return loss


def test_products_are_those_of_rounded_operands():
    """1 + 2^-9 is no bfloat16, whose next number after 1 is 1 + 2^-7; neither is 257, whose neighbours differ by 2."""
    weights = torch.full((1, 12), 1 + 2**-9)
    pixels = torch.zeros(1, 3, 1, 2, 2)
    pixels[0, 0, 0, 0, 0] = 257.0
    assert train(weights, pixels, "bf16").seen[0].item() == 256.0
    assert train(weights, pixels, "fp32").seen[0].item() == 257.0 * (1 + 2**-9)


def test_weights_and_their_steps_stay_float32():
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(5, 12, generator=generator)
    pixels = torch.randn(4, 3, 1, 2, 2, generator=generator)
    loss = train(weights, pixels, "bf16")
    x, w = pixels.flatten(1).bfloat16().float(), weights.bfloat16().float()
    products = (x @ w.T).bfloat16().float()
    rounded = (2 * products / products.numel()).bfloat16().float()  # the gradient that reaches the product
    expected = weights - 0.1 * (rounded.T @ x).bfloat16().float()
    assert loss.layer.weight.dtype == torch.float32
    torch.testing.assert_close(loss.layer.weight.detach(), expected, rtol=0, atol=1e-3)
    away = (loss.layer.weight.detach() - weights).abs()
    assert float(away.max()) > 0.01  # far above the tolerance


def test_a_fit_in_bfloat16_ends_near_one_in_float32():
    one, other = (fit_brightness(PredictBrightness(), precision=precision) for precision in ("fp32", "bf16"))
    assert not torch.equal(one, other)
    assert float(torch.nn.functional.cosine_similarity(one, other, dim=0)) > 0.999
    assert torch.equal(other, fit_brightness(PredictBrightness(), precision="bf16"))


class StopError(Exception):
    pass


@dataclass(kw_only=True)
class Interrupted(PredictBrightness):
    def draw(self, *arguments):
        if len(self.drawn) == 35:
            raise StopError
        return super().draw(*arguments)


@pytest.mark.usefixtures("often", "one_thread")
def test_it_goes_on_to_the_bit_and_never_from_a_fit_in_another_precision(tmp_path):
    with pytest.raises(StopError):
        fit_brightness(Interrupted(), tmp_path, identity="one", precision="bf16")
    other, same = PredictBrightness(), PredictBrightness()
    fit_brightness(other, tmp_path, identity="one")
    resumed = fit_brightness(same, tmp_path, identity="one", precision="bf16")
    assert (len(other.drawn), len(same.drawn)) == (50, 20)
    assert torch.equal(resumed, fit_brightness(PredictBrightness(), precision="bf16"))


def test_float32_is_float32_inside_another_precision():
    a = torch.ones(2, 2)
    with autocast("cpu", "bf16"), autocast("cpu", "fp32"):
        assert (a @ a).dtype == torch.float32
