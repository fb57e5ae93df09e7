"""Network from squares to heat maps, all of whose layers are trained."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from harness.errors import DivergedError
from harness.evaluators.pose.feature_maps import spatial_maps
from harness.evaluators.pose.head import HIDDEN, KERNEL, STRIDE
from harness.functional.heatmaps import balanced_loss, heatmap_targets
from harness.functional.pose import JOINTS
from harness.system import progress
from harness.system.prefetch import pinned_to_device
from harness.system.seeding import derive_seed, seeded
from harness.training.epochs import epoch_videos
from harness.values import ComputePrecision

WEIGHT_DECAY = 0.05
EVERY = 10
"""Steps between two looks at the losses, each of which waits for the device."""


class PoseNetwork(nn.Module):
    """Network up to its spatial layer, deconvolution by 4, ReLU, 1x1 convolution.

    Args:
        network: normalised clips (B, 3, 1, H, W); trained in place.
        layer: the spatial one; layers behind it are not computed.
        channels: of the layer's maps.
        precision: in which the network multiplies; the new layers do so in float32.

    Source: Purushwalkam and Gupta, "Pose from Action", 2016, Fig. 5.
    """

    def __init__(self, network: nn.Module, layer: str, channels: int, precision: ComputePrecision = "fp32") -> None:
        super().__init__()
        self.network = network
        self.layer = layer
        self.precision: ComputePrecision = precision
        self.deconvolution = nn.ConvTranspose2d(channels, HIDDEN, KERNEL, STRIDE, (KERNEL - STRIDE) // 2)
        self.joints = nn.Conv2d(HIDDEN, len(JOINTS), 1)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised (B, 3, H, W) -> (B, 9, 4 h, 4 w) for feature maps of h x w."""
        maps = spatial_maps(self.network, self.layer, images, self.precision)
        heat: Tensor = self.joints(self.deconvolution(maps).relu())
        return heat


def fit_network(
    start: nn.Module,
    layer: str,
    crops: Tensor,
    points: Tensor,
    *,
    lr: float,
    steps: int,
    batch_size: int,
    seed: int,
    device: str,
    bar: progress.Bar,
    precision: ComputePrecision = "fp32",
) -> PoseNetwork:
    """Train a copy of a network with new last layers: AdamW, cosine from `lr` to 0.

    BN takes each batch's statistics. An epoch shows every crop once.

    Args:
        start: copied.
        layer: the spatial one.
        crops: (N, 3, H, H) normalised, on any device.
        points: (N, 9, 2) in shares of the crops' sides; NaN, or outside of [0, 1), for a joint that is not learnt.
        lr: learning rate at the first step.
        steps: of training.
        batch_size: crops in a step.
        seed: of the last layers' weights, the order and whatever the network draws.
        device: where it computes.
        bar: advanced by 1 for each step.
        precision: in which the copied network multiplies.

    Raises:
        DivergedError: when the loss, or a weight after the last step, is NaN or infinite.
        PluginError: when the layer gives no maps.
    """
    network = copy.deepcopy(start).to(device).requires_grad_(True)
    with torch.no_grad():
        channels = spatial_maps(network.eval(), layer, crops[:1].to(device).float(), precision).shape[1]
    with _seeded(derive_seed(seed, 0), torch.device(device)):
        model = PoseNetwork(network, layer, channels, precision).to(device).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=WEIGHT_DECAY)
        losses: list[Tensor] = []
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * step / steps)) / 2
            batch = epoch_videos(len(crops), batch_size, step, seed=derive_seed(seed, 1))
            heat = model(pinned_to_device(crops[batch], device).float())
            loss = balanced_loss(
                heat, heatmap_targets(pinned_to_device(points[batch], device).to(heat), heat.shape[-1])
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            optimizer.step()
            bar.advance()
            losses.append(loss.detach())
            if len(losses) == EVERY or step == steps - 1:
                _expect_finite(torch.stack(losses).cpu(), step + 1 - len(losses), lr)
                losses.clear()
    if not all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values()):
        msg = f"fine-tuning for pose diverged: after the last step of learning rate {lr:g}, weights are NaN or infinite"
        raise DivergedError(msg)
    trained: PoseNetwork = model.eval()
    return trained


def _expect_finite(losses: Tensor, first: int, lr: float) -> None:
    broken = (~losses.isfinite()).nonzero().flatten().tolist()
    if broken:
        where = f"loss {losses[broken[0]].item():g} at step {first + broken[0]} of learning rate {lr:g}"
        msg = f"fine-tuning for pose diverged: {where}"
        raise DivergedError(msg)


@contextlib.contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the random numbers of the CPU and of the device that computes.

    Dropout on a GPU draws from the GPU's own.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), seeded(seed):
        for one in devices:
            with torch.cuda.device(one):
                torch.cuda.manual_seed(seed)
        yield
