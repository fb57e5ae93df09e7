"""Files of weights: read them, and match them to a network by names and shapes."""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from harness.errors import DataError, out_of_memory
from harness.system.hashing import file_hash
from harness.system.zips import expect_uncompressed

if TYPE_CHECKING:
    from harness.backbones.start import Start
    from harness.cards import BackboneCard
    from harness.interfaces import Backbone
    from harness.values import Inputs

ENTRIES = ("state_dict", "model_state_dict", "model_state", "model", "network", "net", "module")
"""Names under which checkpoints hold their weights, the likeliest first."""
INNER = ("feature_map", "network", "backbone", "encoder", "model")
"""Names that a network may have around the one that the weights are of."""
DEPTH = 3
"""Greatest number of names around the network in a file: `module.vit.encoder.`."""
COUNTER = "num_batches_tracked"
"""Counter of batch normalisation that old checkpoints lack; evaluation ignores it."""
SHOWN = 3
"""Number of names that a message lists."""

_scalar = np.float64(0).__reduce__()[0]
HARMLESS: list[Any] = [
    argparse.Namespace,
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64, np.bool_)),
    *((_scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]
"""Types beside tensors that old checkpoints hold: arguments, numbers of NumPy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Tensors of a file beside those of a network."""

    tensors: Mapping[str, Tensor]
    """Tensors that fit, by their names in the network."""
    missing: tuple[str, ...] = ()
    """Names that the network has and the file lacks."""
    unexpected: tuple[str, ...] = ()
    """Names that the file has and the network lacks."""
    reshaped: tuple[str, ...] = ()
    """Names with other shapes, both of which are named."""
    ignored: tuple[str, ...] = ()
    """Unexpected names that were to be ignored."""
    outside: tuple[str, ...] = ()
    """Shortest beginnings of the unexpected names that no fitting name has."""
    parameters: tuple[int, int] = (0, 0)
    """Numbers of the network's parameters: of those loaded, and of all."""

    @property
    def complete(self) -> bool:
        """True if every tensor of both has its counterpart, ignored ones aside."""
        return not (self.missing or self.unexpected or self.reshaped)

    @property
    def loaded(self) -> str:
        """Share of the network's parameters that were loaded, in words.

        >>> Match(tensors={}, parameters=(1500, 2000)).loaded
        '75.0 % of 2,000 parameters'
        """
        count, total = self.parameters
        percent = 100 * count / max(1, total)
        return f"{min(percent, 99.9) if count < total else percent:.1f} % of {total:,} parameters"

    @property
    def differences(self) -> dict[str, str]:
        """Names without counterpart in words, by kind; empty kinds are left out."""
        kinds = {
            "missing": self.missing,
            "unexpected": self.unexpected,
            "of another shape": self.reshaped,
            "ignored": self.ignored,
        }
        return {kind: f"{len(names)} ({_few(names)})" for kind, names in kinds.items() if names}


@runtime_checkable
class Converting(Protocol):
    """Extra of a backbone whose library gives the tensors of its files other names."""

    def converted(self, file: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Rename the tensors of a file to those of the network."""
        ...


class StartedBackbone:
    """Backbone whose networks start from the weights of a file.

    Args:
        backbone: builds the network.
        start: names the file.
    """

    def __init__(self, backbone: Backbone, start: Start) -> None:
        self._backbone = backbone
        self._start = start

    @property
    def card(self) -> BackboneCard:
        """Card of the backbone."""
        return self._backbone.card

    @property
    def inputs(self) -> Inputs | Mapping[str, Inputs]:
        """Inputs of the backbone."""
        return self._backbone.inputs

    def build(self, *, seed: int) -> nn.Module:
        """Build a network; what the weights leave out is random by the seed.

        Raises:
            DataError: when the file cannot be read, is not the expected one, or does not fit.
        """
        network = self._backbone.build(seed=seed)
        load_weights(network, self._start, self._backbone)
        return network


def load_weights(network: nn.Module, start: Start, backbone: Backbone) -> Match:
    """Load a file of weights into a network.

    Args:
        network: changed in place.
        start: names the file.
        backbone: which built the network, and may convert names.

    Raises:
        DataError: when the file cannot be read, is not the expected one, does not fit and is `strict`, or nothing of
            it fits.
    """
    path = Path(start.weights)
    if start.sha256 and path.is_file() and file_hash(path) != start.sha256:
        msg = f"weights {path}: the file is another than when the suite was planned; run the suite again"
        raise DataError(msg)
    state = network.state_dict()
    file, parameters = read_weights(path, start.entry), dict(network.named_parameters())
    match = match_weights(file, state, start.ignore, parameters)
    if isinstance(backbone, Converting) and not match.complete:
        other = match_weights(backbone.converted(file), state, start.ignore, parameters)
        match = max(match, other, key=lambda one: one.parameters[0])
    if not match.parameters[0] or (start.strict and not match.complete):
        differences = "; ".join(f"{kind}: {names}" for kind, names in match.differences.items())
        msg = f"weights {path} do not fit {backbone.card.name!r}: {match.loaded} fit; {differences}; {_remedy(match)}"
        raise DataError(msg)
    network.load_state_dict({**state, **match.tensors})
    return match


def match_weights(
    file: Mapping[str, Tensor],
    network: Mapping[str, Tensor],
    ignore: Sequence[str] = (),
    parameters: Iterable[str] | None = None,
) -> Match:
    """Match tensors by name and shape, whatever prefix the file has.

    A prefix is a chain of up to `DEPTH` names (`module.`, `module.encoder_q.`), or one of `INNER` of the network. Those
    with which most tensors fit are taken, of equals the shortest, and the first in the file.

    Args:
        file: tensors by name.
        network: the same.
        ignore: beginnings of names, with the prefix or without, that only the file has.
        parameters: names of the network's tensors that are counted; all when None.

    >>> ones = torch.ones(2)
    >>> match = match_weights({"module.encoder.a": ones, "module.fc.weight": ones}, {"a": ones}, ignore=["module.fc."])
    >>> list(match.tensors), match.ignored, match.complete
    (['a'], ('module.fc.weight',), True)
    """
    beginnings = tuple(ignore)
    wanted = {own: tensor for own, tensor in file.items() if not own.startswith(beginnings)}
    chains = dict.fromkeys(["", *(chain for own in wanted for chain in _chains(own)[:DEPTH])])
    inners = ["", *(f"{name}." for name in INNER if any(own.startswith(f"{name}.") for own in network))]
    pairs = sorted(itertools.product(chains, inners), key=lambda pair: "".join(pair).count("."))
    outer, inner = max(pairs, key=lambda pair: len(_fitting(_renamed(wanted, *pair), network)))
    renamed = _renamed(wanted, outer, inner)
    tensors = _fitting(renamed, network)
    shared = {name for name in renamed if name in network}
    taken = {own for own in wanted if own.startswith(outer) and inner + own.removeprefix(outer) in shared}
    left = [own for own in file if own not in taken]
    ignored = [own for own in left if own.startswith(beginnings) or own.removeprefix(outer).startswith(beginnings)]
    unexpected = [own for own in left if own not in ignored]
    inside = {chain for own in taken for chain in _chains(own)}
    outside = (next((chain for chain in _chains(own) if chain not in inside), own) for own in unexpected)
    counts = {name: network[name].numel() for name in (network if parameters is None else parameters)}
    return Match(
        tensors=tensors,
        missing=tuple(name for name in network if name not in shared and not name.endswith(COUNTER)),
        unexpected=tuple(unexpected),
        reshaped=tuple(
            f"{name}: expected {tuple(network[name].shape)}, got {tuple(renamed[name].shape)}"
            for name in network
            if name in shared and name not in tensors
        ),
        ignored=tuple(ignored),
        outside=tuple(dict.fromkeys(outside)),
        parameters=(sum(count for name, count in counts.items() if name in tensors), sum(counts.values())),
    )


def _renamed(file: Mapping[str, Tensor], outer: str, inner: str) -> dict[str, Tensor]:
    """Tensors whose names begin with one prefix, by names that begin with another."""
    return {inner + own.removeprefix(outer): tensor for own, tensor in file.items() if own.startswith(outer)}


def _fitting(file: Mapping[str, Tensor], network: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a file that the network has in the same shape."""
    return {name: tensor for name, tensor in file.items() if name in network and tensor.shape == network[name].shape}


def read_weights(path: Path, entry: str = "") -> dict[str, Tensor]:
    """Read the tensors of a file by name; no code of it is run.

    Args:
        path: `.safetensors`, or a file that `torch.save` wrote: a mapping of tensors, or one that has it within
            (`state_dict`, `model`, ...).
        entry: name of the mapping that holds the weights; empty where only one does, or has one of the usual names.

    Raises:
        DataError: when the file is missing, cannot be read, needs code to be run, or holds no tensors or several
            mappings of them.
    """
    if not path.is_file():
        msg = f"weights {path}: there is no such file; correct the path"
        raise DataError(msg)
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        expect_uncompressed(path)
        with torch.serialization.safe_globals(HARMLESS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if out_of_memory(error):
            raise
        msg = f"weights {path}: {_unreadable(error)}"
        raise DataError(msg) from error
    return _tensors(content, entry, path)


def _remedy(match: Match) -> str:
    if not match.parameters[0]:
        return "name the backbone that they are of"
    if match.missing or match.reshaped:
        return "`strict: false` loads what fits"
    return f"`ignore: [{', '.join(match.outside)}]` leaves them out"


def _unreadable(error: Exception) -> str:
    text = " ".join(str(error).split())
    if needed := re.search(r"GLOBAL ([\w.]+)", text):
        return (
            f"it needs {needed[1]} to be run, which could do anything; expected tensors alone, as "
            "torch.save(model.state_dict(), ...) writes them"
        )
    problem = f"{type(error).__name__}: {text[:160]}"
    return f"it cannot be read as weights ({problem}); expected .safetensors, or a file of torch.save"


def _tensors(content: Any, entry: str, path: Path) -> dict[str, Tensor]:
    """Tensors of a mapping, or of the one within it that holds the weights."""
    named = content if _is_named(content) else {}
    within = {name: inner for name, inner in named.items() if _holds_tensors(inner)}
    tensors = {name: tensor for name, tensor in named.items() if isinstance(tensor, Tensor)}
    usual = [name for name in ENTRIES if name in within] or ([] if tensors else list(within))
    if entry and entry not in within:
        msg = f"weights {path}: expected an entry {entry!r}, got {', '.join(within) or 'none that holds tensors'}"
        raise DataError(msg)
    if not entry and len(usual) > 1 and usual[0] not in ENTRIES:
        msg = f"weights {path}: several entries hold tensors: {', '.join(usual)}; choose one, as by `entry: {usual[0]}`"
        raise DataError(msg)
    if entry or usual:
        return _tensors(within[entry or usual[0]], "", path)
    if not tensors:
        msg = f"weights {path}: expected a mapping of names to tensors, got {type(content).__name__} without any"
        raise DataError(msg)
    return tensors


def _is_named(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


def _holds_tensors(value: Any) -> bool:
    """True for a mapping by name that holds tensors, unlike an optimizer's state."""
    return _is_named(value) and any(isinstance(inner, Tensor) or _holds_tensors(inner) for inner in value.values())


def _chains(name: str) -> list[str]:
    """Prefixes of a name, the shortest first.

    >>> _chains("module.conv1.weight")
    ['module.', 'module.conv1.']
    """
    parts = name.split(".")[:-1]
    return [".".join(parts[: count + 1]) + "." for count in range(len(parts))]


def _few(names: Sequence[str]) -> str:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
