"""Whether an encoder hands clips to its network in the layout of the interfaces: (B, C, T, H, W), RGB, normalised."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.cards import BackboneCard, View
from harness.encoders import normalise
from harness.testing.checking import expect

RGB = (200, 100, 50)
"""A colour whose channels cannot be confused."""

NEAR = 0.02
"""Network inputs this near, as a share of the largest, are taken for the same."""


def coloured(view: View) -> Tensor:
    """(1, C, T, H, W) uint8: `RGB` everywhere."""
    colour = torch.tensor(RGB, dtype=torch.uint8).view(1, 3, 1, 1, 1)
    return colour.expand(1, 3, view.frames, view.size, view.size).contiguous()


def brightening(view: View) -> Tensor:
    """(1, C, T, H, W) uint8 grey: every frame plain, each brighter than the one before."""
    return _ramp(view.frames, view).view(1, 1, -1, 1, 1).expand(1, 3, -1, view.size, view.size).contiguous()


def shaded(view: View) -> Tensor:
    """(1, C, T, H, W) uint8 grey: every row plain, each brighter than the one above."""
    return _ramp(view.size, view).view(1, 1, 1, -1, 1).expand(1, 3, view.frames, -1, view.size).contiguous()


def _ramp(steps: int, view: View) -> Tensor:
    return torch.linspace(0, 255, steps).round().to(torch.uint8)


def expect_colour(inputs: Tensor, card: BackboneCard) -> None:
    """End the check that calls this when `inputs`, made of `coloured`, shows a known mistake.

    Inputs that are neither right nor known to be wrong are the encoder's own affair (differences of frames, say).

    Args:
        inputs: (N, 3, T, H, W) float, what the network got.
        card: of its backbone.
    """
    channels = inputs.detach().cpu().float().transpose(0, 1).flatten(1)  # (C, N * T * H * W)
    middle = channels.median(1).values
    same = (channels - middle[:, None]).abs() <= NEAR * float(channels.abs().max().clamp(min=1e-6))
    expect(
        bool((same.float().mean(1) > 0.5).all()),
        expected="each channel of a one-coloured clip to reach the network as one value",
        got="a mixture of the channels",
        remedy="clips are (B, C, T, H, W): permute before you reshape",
    )
    raw = torch.tensor(RGB).view(1, 3, 1, 1, 1)
    right = normalise(raw, card).flatten()
    mistakes = {
        "its channels in the order B, G, R": (normalise(raw.flip(1), card).flatten(), right.flip(0)),
        "values from 0 to 255": (raw.flatten().float(),),
        "values from 0 to 1 without the mean and std of the backbone's card": (raw.flatten() / 255,),
    }
    for mistake, values in mistakes.items():
        expect(
            _near(middle, right) or not any(_near(middle, wrong) for wrong in values),
            expected="an RGB clip to reach the network as RGB, normalised with the mean and std of the backbone's card",
            got=mistake,
            remedy="use harness.encoders.normalise on the batch's clips",
        )


def _near(found: Tensor, wanted: Tensor) -> bool:
    return bool((found - wanted).abs().max() <= NEAR * wanted.abs().max())


def expect_axis(inputs: Tensor, axis: int, varies: str) -> None:
    """End the check that calls this when `inputs` vary more along another axis than along `axis`.

    Args:
        inputs: (N, 3, T, H, W) float, what the network got for a clip that varies along one axis only.
        axis: which.
        varies: its name.
    """
    names = {2: "time", 3: "height", 4: "width"}
    variation = {name: _variation(inputs.detach().cpu().float(), other) for other, name in names.items()}
    most = max(variation, key=lambda name: variation[name])
    expect(
        variation[most] <= variation[varies] * 1.01 + 1e-6,
        expected=f"a clip that varies along its {varies} only to reach the network varying along axis {axis}",
        got=f"more variation along axis {[*names.values()].index(most) + 2}, where the network sees {most}",
        remedy="clips are (B, C, T, H, W), the layout that backbones take: do not transpose",
    )


def _variation(inputs: Tensor, axis: int) -> float:
    """How far values lie from their mean along `axis`, on average."""
    return float((inputs - inputs.mean(axis, keepdim=True)).abs().mean())
