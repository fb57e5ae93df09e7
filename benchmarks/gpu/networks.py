"""Fits and encodings of R3D-18."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchmarks.gpu.cases import Case, Peer, Place, expect
from harness.backbones.r3d_18 import R3D18
from harness.backbones.small_2d import Small2D
from harness.cards import MethodCard
from harness.datasets.mocap_actions.dataset import MocapActions
from harness.encoders.network import NetworkEncoder
from harness.functional.autocast import autocast
from harness.interfaces import Backbone, Split
from harness.methods.supervised import Supervised
from harness.profiling import timing
from harness.system.seeding import derive_seed, seeded
from harness.testing.fixtures import MovingSquares
from harness.training.session import TrainingSession
from harness.values import Budget, ComputePrecision, VideoBatch
from harness.video.transforms import normalise

CHECKED = 3
"""Steps after which a fit's weights are compared with those of a bare loop."""


@dataclass(kw_only=True)
class Timed(Supervised):
    """Supervised fit that takes the time from an epoch on."""

    card: ClassVar[MethodCard] = MethodCard(name="timed", summary="Supervised, for the benchmark.", supervised=True)
    warm_up: int = 0
    """Epochs that are not timed."""

    def start_epoch(self, loss: nn.Module, train: Split, epoch: int) -> Mapping[str, float] | None:
        """Take the time."""
        if epoch == self.warm_up:
            device = next(loss.parameters()).device
            timing.wait(device)
            self.started = time.perf_counter()
        return super().start_epoch(loss, train, epoch)


def _backbone(place: Place) -> Backbone:
    return place.of(R3D18(), Small2D())


def _train(place: Place) -> Split:
    data: Any = MovingSquares() if place.tiny else MocapActions(size="mini")
    split: Split = data.split("train")
    return split


def fit(place: Place, *, compiled: bool) -> Case:
    """Fit through the harness in bfloat16, beside the same steps in a bare loop on a batch that is there."""
    backbone, train = _backbone(place), _train(place)
    size = 64 if place.device.type == "cuda" else 4
    method = Timed(batch_size=size, optimizer="sgd", lr=0.01)
    epoch = max(1, -(-len(train) // size))
    method.warm_up = -(-place.of(20, 1) // epoch)
    steps = place.of(60, 2)

    def ours(steps: int, precision: ComputePrecision = "bf16") -> nn.Module:
        frames = steps * size * method.frames_per_example(backbone.inputs.view)
        session = TrainingSession(
            Budget(frames=frames, seed=0), device=str(place.device), precision=precision, compiled=compiled
        )
        with contextlib.redirect_stderr(io.StringIO()):
            encoder = method.fit(backbone, train, session)
        timing.wait(place.device)
        return encoder.module

    def seconds() -> list[float]:
        ours(method.warm_up * epoch + steps)
        return [(time.perf_counter() - method.started) / steps]

    def check() -> Mapping[str, float]:
        start = backbone.build(seed=0).state_dict()
        # In float32: what bfloat16 rounds away differs with the order of sums, and a few steps make it grow.
        fitted, bare = ours(CHECKED, "fp32"), _bare(method, backbone, train, place)(CHECKED)
        difference = _distance(fitted.state_dict(), bare.state_dict()) / _distance(start, bare.state_dict())
        expect(holds=difference < 0.1, what=f"weights moved {difference:.3f} of the way apart from a bare loop's")
        return {"weights apart from a bare loop's": difference}

    peers = {"a bare loop": Peer(_bare_step(method, backbone, train, place, compiled=compiled), 5, 3, 1, place.device)}
    return Case(
        run=partial(ours, steps),
        check=check,
        amount=size,
        unit="clips/s",
        peers=peers,
        seconds=seconds,
        counted=partial(ours, 1),
    )


def _distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Distance of the weights, without statistics of batches."""
    names = [name for name in one if "running" not in name and one[name].is_floating_point()]
    return float(sum((one[name].cpu() - other[name].cpu()).double().square().sum() for name in names) ** 0.5)


def _bare(method: Supervised, backbone: Backbone, train: Split, place: Place) -> Callable[[int], nn.Module]:
    """Train as the harness does, in plain PyTorch."""

    def run(steps: int) -> nn.Module:
        network = backbone.build(seed=0)
        with seeded(derive_seed(0)):
            loss = method.build_loss(network, backbone.card.dim, train).to(place.device).train()
        optimizer = _sgd(loss, method)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for step in range(steps):
            generator = torch.Generator().manual_seed(derive_seed(0, step, 0))
            batch = method.draw(train, backbone.inputs.view, method.batch_size, generator)
            clips = normalise(batch.inputs.to(place.device), backbone.inputs)
            value = loss(clips, batch.targets.to(place.device))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
        return network

    return run


def _bare_step(
    method: Supervised, backbone: Backbone, train: Split, place: Place, *, compiled: bool
) -> Callable[[], None]:
    """One step of a loop as fast as plain PyTorch makes it: channels last, fused optimiser, a batch that is there."""
    generator = torch.Generator().manual_seed(0)
    batch = method.draw(train, backbone.inputs.view, method.batch_size, generator)
    clips = normalise(batch.inputs.to(place.device), backbone.inputs).contiguous(memory_format=torch.channels_last_3d)
    targets = batch.targets.to(place.device)
    loss = method.build_loss(backbone.build(seed=0), backbone.card.dim, train).to(place.device).train()
    called = torch.compile(loss, dynamic=False) if compiled else loss
    optimizer = _sgd(loss, method)

    def run() -> None:
        with autocast(place.device, "bf16"):
            value = called(clips, targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    return run


def _sgd(loss: nn.Module, method: Supervised) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [
        {"params": [one for one in loss.parameters() if one.ndim > 1]},
        {"params": [one for one in loss.parameters() if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=method.lr, momentum=method.momentum, weight_decay=method.weight_decay, fused=True)


def encode(place: Place, precision: ComputePrecision) -> Case:
    """Encode clips that are on the device, beside the network alone on normalised ones."""
    backbone = _backbone(place)
    view, size = backbone.inputs.view, 64 if place.device.type == "cuda" else 4
    shape = (size, 3, view.frames, view.size, view.size)
    clips = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0)).to(place.device)
    encoder = NetworkEncoder(backbone.build(seed=0).to(place.device), backbone.inputs, precision=precision)
    network = backbone.build(seed=0).to(place.device).eval()
    inputs = normalise(clips, backbone.inputs).contiguous(memory_format=torch.channels_last_3d)

    @torch.inference_mode()
    def bare(precision: ComputePrecision = precision) -> Tensor:
        with autocast(place.device, precision):
            features: Tensor = network(inputs)
        return features.float()

    def check() -> Mapping[str, float]:
        found, exact = encoder.encode(VideoBatch(clips)), bare("fp32")
        error = float((found - exact).norm() / exact.norm())
        limit = 0.02 if precision == "bf16" else 0.002
        expect(holds=error < limit, what=f"features are {error:.4f} of their length from float32's, not {limit}")
        return {"relative error": error}

    run = partial(encoder.encode, VideoBatch(clips))
    peers = {"the network alone": Peer(bare, 5, 2, 1, place.device)}
    return Case(run=run, check=check, amount=size, unit="clips/s", peers=peers)
