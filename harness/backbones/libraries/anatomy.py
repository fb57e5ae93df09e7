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

    shape: tuple[int, ...]
    """Shape of a clip's output: (dim,), or (T, dim) for a sequence."""
    layers: tuple[str, ...]
    """Layers that give tensors, or several of which the first is one."""
    spatial: str
    """The last of them where it gives maps (B, c, h, w) or (B, c, t, h, w)."""
    tokens: str
    """The last layer that gives tokens (B, N, D) of their length; empty for none."""
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
        network: clips (B, 3, T, H, W) -> (B, dim), or (B, T, dim).
        view: of its clips.
        layers: names of submodules that may be layers, in order.

    Raises:
        ValueError: when it gives something else for a clip.
    """
    network = network.train()
    shapes = _shapes(network, view)
    unused = _unused(network)
    if unused:
        remove(network, unused)
        shapes = _shapes(network, view)
    output = shapes.pop("")[1:]
    known = tuple(name for name in layers if name in shapes and name not in unused)
    several = [name for name in known if len(shapes[name]) > 2 and max(shapes[name][2:]) > 1]
    last = shapes[several[-1]] if several else ()
    is_map = len(last) in (4, 5) and last[-1] == last[-2]  # the view is square; others have their channels last
    inner = tuple(f"{name}." for name in (*unused, *layers))
    outer = {name: shape for name, shape in shapes.items() if name not in unused and not name.startswith(inner)}
    tokens = [name for name, shape in outer.items() if len(shape) == 3 and shape[1] > 1 and shape[2] == output[-1]]
    return Anatomy(output, known, several[-1] if is_map else "", tokens[-1] if tokens else "", unused)


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


def without_classifier(network: nn.Module) -> str:
    """Replace the last linear or convolutional layer by an identity; give its name."""
    kinds = (nn.Linear, nn.Conv2d, nn.Conv3d)
    name: str = [name for name, module in network.named_modules() if isinstance(module, kinds)][-1]
    network.set_submodule(name, nn.Identity())
    return name


def remove(network: nn.Module, names: Iterable[str]) -> None:
    """Replace modules by identities, and parameters by None."""
    modules = dict(network.named_modules())
    for name in names:
        owner, _, attribute = name.rpartition(".")
        setattr(network.get_submodule(owner), attribute, nn.Identity() if name in modules else None)


def _shapes(network: nn.Module, view: View) -> dict[str, tuple[int, ...]]:
    """Shapes of the outputs of modules as they end, and of the network as ''.

    Afterwards each parameter that takes part has a gradient.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def keep(name: str, module: nn.Module, arguments: Any, output: Any) -> None:
        first = output[0] if isinstance(output, list | tuple) and output else output
        if isinstance(first, Tensor):
            shapes.pop(name, None)
            shapes[name] = tuple(first.shape)

    handles = [module.register_forward_hook(partial(keep, name)) for name, module in network.named_modules() if name]
    clips = torch.zeros(CLIPS, 3, view.frames, view.size, view.size, device="meta")
    try:
        output = network(clips)
    finally:
        for handle in handles:
            handle.remove()
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if not isinstance(output, Tensor) or shape[:-1] not in ((CLIPS,), (CLIPS, view.frames)):
        msg = f"expected vectors ({CLIPS}, dim) for clips {tuple(clips.shape)}, got {shape}"
        raise ValueError(msg)
    network.zero_grad()
    output.sum().backward()  # type: ignore[no-untyped-call]
    return {**shapes, "": tuple(output.shape)}


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
