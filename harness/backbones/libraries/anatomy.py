"""Find out the vectors, layers and unused weights of a network without computing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from harness.cards import View
from harness.system.seeding import seeded

CLIPS = 2


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Parts of a network that its card names."""

    dim: int
    """Length of its vector."""
    layers: tuple[str, ...]
    """Layers that give tensors."""
    spatial: str
    """The last of them where it gives maps (B, c, h, w) or (B, c, t, h, w)."""
    unused: tuple[str, ...]
    """Modules and parameters that the vector does not depend on."""


def on_meta(create: Callable[[], nn.Module]) -> nn.Module:
    """Create a network on the device `meta`, where it has no weights."""
    try:
        with torch.device("meta"):
            return create()
    except RuntimeError:  # its constructor reads numbers out of tensors
        with seeded(0):
            return create().to("meta")


def examine(network: nn.Module, view: View, layers: Sequence[str]) -> Anatomy:
    """Examine a network on the device `meta`, which knows shapes only.

    What it does not use is removed from it, so that every parameter gets a gradient.

    Args:
        network: clips (B, 3, T, H, W) -> (B, dim).
        view: of its clips.
        layers: names of submodules that may be layers, in order.

    Raises:
        ValueError: when it does not give a vector for a clip.
    """
    network = network.train()
    outputs = _outputs(network, view, layers)
    unused = _unused(network)
    if unused:
        remove(network, unused)
        outputs = _outputs(network, view, layers)
    dim = outputs.pop("")[1]
    last, shape = list(outputs.items())[-1] if outputs else ("", ())
    is_map = len(shape) in (4, 5) and shape[-1] == shape[-2]  # the view is square; others have their channels last
    return Anatomy(dim, tuple(outputs), last if is_map else "", unused)


def blocks(network: nn.Module, least: int = 4) -> tuple[str, ...]:
    """Name the blocks of a network: children of its outermost module with several.

    Args:
        network: of any library.
        least: children with weights (parameters of two or more dimensions) that the module has to have.

    >>> stem, stages = nn.Conv2d(3, 8, 1), nn.Sequential(*(nn.Conv2d(8, 8, 1) for _ in range(4)))
    >>> blocks(nn.Sequential(stem, stages, nn.ReLU()))
    ('1.0', '1.1', '1.2', '1.3')
    """
    for name, module in sorted(network.named_modules(), key=lambda named: named[0].count(".") if named[0] else -1):
        weighty = [
            inner for inner, child in module.named_children() if any(weight.ndim > 1 for weight in child.parameters())
        ]
        if len(weighty) >= least:
            return tuple(f"{name}.{inner}".lstrip(".") for inner in weighty)
    return ()


def remove(network: nn.Module, names: Iterable[str]) -> None:
    """Remove modules and parameters, in whose place None stands."""
    for name in names:
        owner, _, attribute = name.rpartition(".")
        setattr(network.get_submodule(owner), attribute, None)


def _outputs(network: nn.Module, view: View, layers: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Shapes of the outputs of layers, and of the network under the name ''.

    Afterwards each parameter that takes part has a gradient.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def keep(name: str, module: nn.Module, arguments: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            shapes[name] = tuple(output.shape)

    modules = dict(network.named_modules())
    handles = [modules[name].register_forward_hook(partial(keep, name)) for name in layers if name in modules]
    clips = torch.zeros(CLIPS, 3, view.frames, view.size, view.size, device="meta")
    try:
        vectors = network(clips)
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(vectors, Tensor) or vectors.ndim != 2 or len(vectors) != CLIPS:
        shape = tuple(vectors.shape) if isinstance(vectors, Tensor) else type(vectors).__name__
        msg = f"expected vectors ({CLIPS}, dim) for clips {tuple(clips.shape)}, got {shape}"
        raise ValueError(msg)
    network.zero_grad()
    vectors.sum().backward()  # type: ignore[no-untyped-call]
    return {**{name: shapes[name] for name in layers if name in shapes}, "": tuple(vectors.shape)}


def _unused(network: nn.Module) -> tuple[str, ...]:
    """The largest modules, and the parameters, without a gradient."""
    idle = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    whole = [name for name, module in network.named_modules() if name and _all_idle(name, module, idle)]
    names = sorted([*whole, *idle], key=len)
    largest: dict[str, None] = {}
    for name in names:
        if not any(name.startswith(f"{other}.") for other in largest):
            largest[name] = None
    return tuple(largest)


def _all_idle(name: str, module: nn.Module, idle: set[str]) -> bool:
    parameters = [f"{name}.{inner}" for inner, _ in module.named_parameters()]
    return bool(parameters) and idle.issuperset(parameters)
