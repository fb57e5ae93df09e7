"""Conformance checks of backbones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from harness.cards import View, WholeVideo
from harness.encoders.layers import output_of
from harness.interfaces import Backbone
from harness.system.seeding import seeded
from harness.testing.cards import check_card
from harness.testing.checking import TOLERANCE, Subject, distance, expect
from harness.testing.traces import Traces, expect_no_traces, reseeded, traces
from harness.values import Inputs

CLIPS = 2

Clips = Tensor | Mapping[str, Tensor]


@dataclass(eq=False)
class BackboneSubject(Subject[Backbone]):
    """Backbone under test."""

    device: str = "cpu"

    @cached_property
    def _built(self) -> tuple[nn.Module, nn.Module, Traces]:
        with traces() as left:
            first = self.tested.build(seed=0)
        with reseeded(12345):
            second = self.tested.build(seed=0)
        return first, second, left

    @property
    def networks(self) -> tuple[nn.Module, nn.Module]:
        """Two networks of one seed, built from different global random states."""
        return self._built[:2]

    @property
    def left(self) -> Traces:
        """Traces of building the first network."""
        return self._built[2]

    def network(self) -> nn.Module:
        """Copy the first network to the device."""
        return copy.deepcopy(self.networks[0]).to(self.device)

    @cached_property
    def clips(self) -> Clips:
        """Random clips (2, C, T, H, W) float32 of the view, as if normalised.

        By name for a network of several streams.
        """
        random, inputs = torch.Generator().manual_seed(0), self.tested.inputs

        def drawn(stream: Inputs) -> Tensor:
            view = View(frames=8, size=64) if isinstance(stream.view, WholeVideo) else stream.view
            shape = (CLIPS, 2 if stream.kind == "flow" else 3, view.frames, view.size, view.size)
            return torch.randn(shape, generator=random).to(self.device)

        return drawn(inputs) if isinstance(inputs, Inputs) else {name: drawn(one) for name, one in inputs.items()}

    @property
    def first_clip(self) -> Clips:
        """The first of the clips."""
        clips = self.clips
        return clips[:1] if isinstance(clips, Tensor) else {name: one[:1] for name, one in clips.items()}

    @property
    def shapes(self) -> str:
        """Shapes of the clips, for messages."""
        clips = self.clips
        if isinstance(clips, Tensor):
            return str(tuple(clips.shape))
        return str({name: tuple(one.shape) for name, one in clips.items()})

    @cached_property
    def vectors(self) -> Tensor:
        """Output of the network for the clips, in evaluation mode."""
        with torch.no_grad():
            output: Tensor = self.network().eval()(self.clips)
        return output


def check_output(subject: BackboneSubject) -> None:
    """Vectors are finite (B, dim) float32 for clips (B, C, T, H, W) of the view.

    A card with a length promises (B, length, dim).
    """
    wanted, output = (CLIPS, *subject.tested.card.shape), subject.vectors
    expect(
        isinstance(output, Tensor) and output.shape == wanted and output.dtype == torch.float32,
        expected=f"{wanted} float32 for clips {subject.shapes}",
        got=f"{tuple(output.shape)} {output.dtype}" if isinstance(output, Tensor) else type(output).__name__,
        remedy="the card's dim and view have to fit the network",
    )
    broken = int((~torch.isfinite(output)).sum())
    expect(not broken, expected="finite vectors", got=f"{broken} NaN or infinite", remedy="look at its initial weights")


def check_layers(subject: BackboneSubject) -> None:
    """Layers of the card are submodules whose output has rows for each clip.

    The spatial layer, where the card names one, gives maps: (B, c, h, w) or (B, c, t, h, w); the layer of tokens gives
    several for each clip: (B, N, c), or a map.
    """
    subject.requires(check_output)
    card, network = subject.tested.card, subject.network().eval()
    modules = dict(network.named_modules())
    for name in filter(None, (*card.layers, card.spatial, card.tokens)):
        expect(
            name in modules,
            expected=f"layer {name!r} of the card to be a submodule of the network",
            got=f"submodules {', '.join(list(modules)[1:6])}, ...",
            remedy="name the layer as network.get_submodule finds it",
        )
        with torch.no_grad():
            output = output_of(network, name, subject.clips)
        expect(
            output.ndim >= 2 and len(output) % CLIPS == 0 and (name != card.spatial or output.ndim in (4, 5)),
            expected=f"layer {name!r} to give rows for each of {CLIPS} clips, and a spatial one maps (B, c, h, w)",
            got=tuple(output.shape),
            remedy="choose another layer",
        )
        expect(
            name != card.tokens or output.ndim > 2 or len(output) > CLIPS,
            expected=f"layer {name!r} to give several tokens for each of {CLIPS} clips, (B, N, c) or a map",
            got=tuple(output.shape),
            remedy="choose another layer",
        )


def check_batch_invariance(subject: BackboneSubject) -> None:
    """The vector of a clip is the same alone and in a batch, in evaluation mode."""
    subject.requires(check_output)
    with torch.no_grad():
        alone = subject.network().eval()(subject.first_clip)
    difference = distance(alone, subject.vectors[:1])
    expect(
        difference <= TOLERANCE,
        expected="a clip to get the same vector alone and in a batch, in evaluation mode",
        got=f"a difference of {difference:.1%}",
        remedy="statistics over the batch belong into training mode only",
    )


def check_gradients(subject: BackboneSubject) -> None:
    """Every parameter gets a gradient from a loss on the vectors, in training mode."""
    subject.requires(check_output)
    network = subject.network().train()
    with seeded(0):
        output = network(subject.clips)
        (output * torch.randn(output.shape).to(output)).sum().backward()
    missing = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    expect(
        not missing,
        expected="a gradient for every parameter",
        got=f"none for {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}",
        remedy="leave out what the vector does not use (a classifier), freeze nothing, detach nothing",
    )


def check_seed(subject: BackboneSubject) -> None:
    """Equal seeds give equal weights, whatever the global random state."""
    first, second = subject.networks
    others = second.state_dict()
    unequal = [name for name, values in first.state_dict().items() if not torch.equal(values, others[name])]
    expect(
        not unequal,
        expected="equal seeds to give equal weights",
        got=f"other values of {', '.join(unequal[:3])}",
        remedy="initialise inside `with harness.system.seeding.seeded(seed):`",
    )


def check_fresh_weights(subject: BackboneSubject) -> None:
    """Networks of two builds share no parameter or buffer."""
    first, second = subject.networks
    tensors = {id(tensor) for tensor in (*first.parameters(), *first.buffers())}
    memory = {tensor.data_ptr() for tensor in first.state_dict().values() if tensor.numel()}
    shared = [
        name
        for name, tensor in (*second.named_parameters(), *second.named_buffers())
        if id(tensor) in tensors or (tensor.numel() and tensor.data_ptr() in memory)
    ]
    expect(
        first is not second and not shared,
        expected="every build to have weights of its own",
        got=f"{', '.join(shared[:3]) or 'the network'} in both of two builds",
        remedy="build new modules on every call",
    )


def check_traces(subject: BackboneSubject) -> None:
    """Building prints nothing to stdout and changes no global state.

    Global state: random states, gradient mode, default dtype, threads, working directory and the like.
    """
    expect_no_traces(subject.left, "building")


def checks(subject: BackboneSubject) -> list[Callable[[Any], None]]:
    """List the checks of a backbone with this card."""
    card = subject.tested.card
    layered = [check_layers] if card.layers or card.spatial or card.tokens else []
    return [
        check_card,
        check_output,
        *layered,
        check_batch_invariance,
        check_gradients,
        check_seed,
        check_fresh_weights,
        check_traces,
    ]
