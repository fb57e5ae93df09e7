"""Head from frozen feature maps to heat maps, and its training."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from harness.errors import DivergedError
from harness.functional.heatmaps import balanced_loss, brightest_pixels, heatmap_points, heatmap_targets
from harness.functional.pose import JOINTS
from harness.system import progress
from harness.system.seeding import derive_seed, seeded

STRIDE = 4
KERNEL = 8
HIDDEN = 16
STEPS = 150
BATCH = 32


class Head(nn.Module):
    """Standardisation, deconvolution by 4, ReLU, 1x1 convolution, bias per pixel.

    The bias says where a joint usually lies. In the paper the convolutions below are trained too, and learn that from
    the zeros at their borders; frozen ones need not show it, and it is no merit of theirs.

    Args:
        maps: (N, c, h, w) of training, whose channels get zero mean and unit variance; one that does not vary
            becomes 0.
    """

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        channels, height, width = maps.shape[1:]
        variance, mean = torch.var_mean(maps, (0, 2, 3), correction=0, keepdim=True)
        rounding = (4 * torch.finfo(maps.dtype).eps * maps.abs().amax((0, 2, 3), keepdim=True)).square()
        self.mean: Tensor
        self.factor: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("factor", torch.where(variance > rounding, variance.rsqrt(), 0.0))
        self.deconvolution = nn.ConvTranspose2d(channels, HIDDEN, KERNEL, STRIDE, (KERNEL - STRIDE) // 2)
        self.joints = nn.Conv2d(HIDDEN, len(JOINTS), 1, bias=False)
        self.usual = nn.Parameter(torch.zeros(len(JOINTS), STRIDE * height, STRIDE * width))

    def forward(self, maps: Tensor) -> Tensor:
        """(B, c, h, w) -> (B, 9, 4 h, 4 w)."""
        standard = (maps - self.mean) * self.factor
        hidden = self.deconvolution(standard.contiguous(memory_format=torch.channels_last)).relu()
        heat: Tensor = self.joints(hidden) + self.usual
        return heat


def fit_head(maps: Tensor, points: Tensor, *, lr: float, seed: int, bar: progress.Bar) -> Head:
    """Train a head: Adam, cosine from `lr` to 0, 150 batches of 32 random frames.

    Args:
        maps: (N, c, h, w) float32.
        points: (N, 9, 2) in shares of the maps' sides; NaN, or outside of [0, 1), for a joint that is not learnt.
        lr: learning rate at the first step.
        seed: of the weights and of the order.
        bar: advanced by 1 for each step.

    Raises:
        DivergedError: when a weight is NaN or infinite after the last step.
    """
    with seeded(derive_seed(seed, 0)):
        head = Head(maps).to(maps.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    order = torch.Generator().manual_seed(derive_seed(seed, 1))
    optimizer = torch.optim.Adam(head.parameters(), lr)
    known = points.to(maps)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * step / STEPS)) / 2
        batch = torch.randint(len(maps), (min(BATCH, len(maps)),), generator=order).to(maps.device)
        heat = head(maps[batch])
        loss = balanced_loss(heat, heatmap_targets(known[batch], heat.shape[-1]))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        optimizer.step()
        bar.advance()
    if not all(bool(tensor.isfinite().all()) for tensor in head.state_dict().values()):
        msg = f"training a head for pose diverged: weights of learning rate {lr:g} are NaN or infinite"
        raise DivergedError(msg)
    trained: Head = head.eval()
    return trained


@torch.no_grad()
def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    """Predict joints: (N, 9, 2) float64 on the CPU, in shares of the sides.

    NaN where a heat map is not finite.

    Args:
        model: (B, ...) float32 on its own device -> heat maps (B, 9, H, H); in evaluation mode.
        inputs: (N, ...) floating point, on any device.
    """
    device = next(model.parameters()).device
    points = []
    for batch in torch.split(inputs, 2 * BATCH):
        heat = model(batch.to(device, torch.float32))
        finite = heat.isfinite().flatten(2).all(2)
        joints = heatmap_points(heat, brightest_pixels(heat.shape[-1]))
        points.append(joints.where(finite[..., None], torch.nan))
    return torch.cat(points).double().cpu()
