"""TV-L1 flow of frame pairs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.gpu.cases import Case, Peer, Place, expect
from harness.video.flow import flow

SHIFT = 2.5
"""Pixels that the texture moves to the right from frame to frame."""
BORDER = 8


def _moving(frames: int, height: int, width: int) -> Tensor:
    """Frames (T, H, W) uint8 of a smooth texture that moves to the right."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.arange(height)[:, None, None], torch.arange(width)[None, :, None]
    across, down = (torch.rand(60, generator=generator) * 0.3 - 0.15 for _ in range(2))
    phase = torch.rand(60, generator=generator) * 2 * torch.pi
    moved = [torch.sin(2 * torch.pi * ((x - SHIFT * t) * across + y * down) + phase).sum(2) for t in range(frames)]
    return (128 + 12 * torch.stack(moved)).clamp(0, 255).round().to(torch.uint8)


def _noise(frames: int, height: int, width: int) -> Tensor:
    """Frames (T, H, W) uint8 of blurred noise, each drawn anew: no flow explains them."""
    drawn = torch.rand(frames, 1, height, width, generator=torch.Generator().manual_seed(0)) * 255
    return F.avg_pool2d(drawn, 5, 1, 2)[:, 0].round().to(torch.uint8)


def tv_l1(place: Place) -> Case:
    """Pairs of frames of UCF101's size, beside the path of the CPU."""
    pairs, height, width = place.of((32, 240, 320), (3, 48, 64))
    frames, noise = _moving(pairs + 1, height, width), _noise(3, height, width)
    there, few = frames.to(place.device), frames[: place.of(5, 3)]

    def check() -> Mapping[str, float]:
        found = flow(there, "tvl1").cpu()
        truth = torch.tensor([SHIFT, 0.0]).view(1, 2, 1, 1)
        error = float((found - truth).norm(dim=1)[:, BORDER:-BORDER, BORDER:-BORDER].mean())
        expect(holds=error < 0.1, what=f"mean end-point error {error:.3f} pixels")
        apart = (found[: len(few) - 1] - flow(few, "tvl1")).abs()
        expect(holds=float(apart.mean()) < 0.01, what=f"flow is {float(apart.mean()):.4f} pixels from the CPU's")
        on_noise = (flow(noise.to(place.device), "tvl1").cpu() - flow(noise, "tvl1")).abs()
        return {
            "mean end-point error in pixels": error,
            "largest difference from the CPU's in pixels": float(apart.max()),
            "largest on noise": float(on_noise.max()),
            "mean on noise": float(on_noise.mean()),
        }

    peer = Peer(lambda: flow(few, "tvl1"), 1, 1, (len(few) - 1) / pairs)
    counted = there if place.device.type == "cuda" else few[:3]  # the CPU's path goes on in batches as small as that
    return Case(
        run=lambda: flow(there, "tvl1"),
        check=check,
        amount=pairs,
        unit="ms",
        peers={"our path of the CPU": peer},
        counted=lambda: flow(counted, "tvl1"),
    )
