"""What a backbone has to keep."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from harness.interfaces import Backbone
from harness.system.seeding import seeded
from harness.testing.cards import check_card
from harness.testing.checking import TOLERANCE, Subject, distance, expect
from harness.testing.traces import Traces, expect_no_traces, reseeded, traces

CLIPS = 2


@dataclass(eq=False)
class BackboneSubject(Subject[Backbone]):
    """A backbone under test."""

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
        """What building left behind."""
        return self._built[2]

    def network(self) -> nn.Module:
        """A copy of the first network, on the device."""
        return copy.deepcopy(self.networks[0]).to(self.device)

    @cached_property
    def clips(self) -> Tensor:
        """(2, C, T, H, W) float32 of the card's view, as if normalised."""
        view = self.tested.card.view
        random = torch.Generator().manual_seed(0)
        shape = (CLIPS, 3, view.frames, view.size, view.size)
        return torch.randn(shape, generator=random).to(self.device)

    @cached_property
    def vectors(self) -> Tensor:
        """What the network makes of the clips."""
        with torch.no_grad():
            output: Tensor = self.network().eval()(self.clips)
        return output


def check_output(subject: BackboneSubject) -> None:
    """Clips (B, C, T, H, W) of the card's view become vectors (B, dim), float32 and finite."""
    card, output = subject.tested.card, subject.vectors
    expect(
        isinstance(output, Tensor) and output.shape == (CLIPS, card.dim) and output.dtype == torch.float32,
        expected=f"({CLIPS}, {card.dim}) float32 for clips {tuple(subject.clips.shape)}",
        got=f"{tuple(output.shape)} {output.dtype}" if isinstance(output, Tensor) else type(output).__name__,
        remedy="the card's dim and view have to fit the network",
    )
    broken = int((~torch.isfinite(output)).sum())
    expect(not broken, expected="finite vectors", got=f"{broken} NaN or infinite", remedy="look at its initial weights")


def check_layers(subject: BackboneSubject) -> None:
    """Each layer of the card gives vectors of its length by the network's weights; the last layer's are its own."""
    subject.requires(check_output)
    card, network = subject.tested.card, subject.network().eval()
    weights = {id(parameter) for parameter in network.parameters()}
    for name, length in card.layers.items():
        part: nn.Module = network.until(name)  # type: ignore[operator]
        with torch.no_grad():
            output = part.eval()(subject.clips)
        expect(
            isinstance(output, Tensor) and output.shape == (CLIPS, length),
            expected=f"({CLIPS}, {length}) of layer {name!r}",
            got=f"{tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__,
            remedy="the card's layers have to fit the network",
        )
        expect(
            all(id(parameter) in weights for parameter in part.parameters()),
            expected=f"layer {name!r} to share the network's weights",
            got="weights of its own",
            remedy="let until() give the same modules, not copies",
        )
        last = name == list(card.layers)[-1]
        expect(
            not last or (length == card.dim and distance(output, subject.vectors) <= TOLERANCE),
            expected=f"the last layer, {name!r}, to give the network's vectors",
            got="others",
            remedy="end the card's layers with the one that `dim` is of",
        )


def check_batch_invariance(subject: BackboneSubject) -> None:
    """In evaluation mode a clip's vector does not depend on the other clips of its batch."""
    subject.requires(check_output)
    with torch.no_grad():
        alone = subject.network().eval()(subject.clips[:1])
    difference = distance(alone, subject.vectors[:1])
    expect(
        difference <= TOLERANCE,
        expected="a clip to get the same vector alone and in a batch, in evaluation mode",
        got=f"a difference of {difference:.1%}",
        remedy="statistics over the batch belong into training mode only",
    )


def check_gradients(subject: BackboneSubject) -> None:
    """In training mode a loss on the vectors gives every parameter a gradient."""
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
    """Two networks share no parameter or buffer."""
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
    """Building prints nothing to stdout and changes no global state, such as random states."""
    expect_no_traces(subject.left, "building")


def checks(subject: BackboneSubject) -> list[Callable[[Any], None]]:
    """The checks of a backbone with this card."""
    layered = [check_layers] if subject.tested.card.layers else []
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
