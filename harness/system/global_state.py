"""Global state of a process that results may depend on: read, kept and put back."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

ENVIRONMENT = "the environment"


def _default_device() -> str:
    try:
        return str(torch.get_default_device())
    except AttributeError:  # of PyTorch 2.8, once the device was set to None
        return "cpu"


_SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "torch's random state": (
        lambda: torch.get_rng_state().tolist(),
        lambda state: torch.set_rng_state(torch.tensor(state, dtype=torch.uint8)),
    ),
    "NumPy's random state": (lambda: _plain(np.random.get_state()), np.random.set_state),  # noqa: NPY002
    "Python's random state": (random.getstate, random.setstate),
    "torch's gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's default device": (
        _default_device,
        lambda device: torch.set_default_device(None if device == "cpu" else device),  # "cpu" would slow every call
    ),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "torch's precision of float32 products": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "torch's deterministic mode": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "cuDNN's precision of float32": (
        lambda: torch.backends.cudnn.allow_tf32,
        lambda allow: setattr(torch.backends.cudnn, "allow_tf32", allow),
    ),
    "cuDNN's benchmark mode": (
        lambda: torch.backends.cudnn.benchmark,
        lambda mode: setattr(torch.backends.cudnn, "benchmark", mode),
    ),
    "cuDNN's deterministic mode": (
        lambda: torch.backends.cudnn.deterministic,
        lambda mode: setattr(torch.backends.cudnn, "deterministic", mode),
    ),
    "NumPy's handling of floating-point errors": (np.geterr, lambda handling: np.seterr(**handling)),
    "the working directory": (os.getcwd, os.chdir),
    ENVIRONMENT: (lambda: dict(os.environ), lambda variables: _put_environment(variables)),
}
"""By its name, how a setting is read, and how it is put back."""

State = Mapping[str, Any]


def current() -> State:
    """Read every setting."""
    return {name: _read(get) for name, (get, _) in _SETTINGS.items()}


def restore(state: State) -> list[str]:
    """Put settings back; the names of those that were others.

    >>> before = current()
    >>> torch.set_default_dtype(torch.float64)
    >>> restore(before), torch.get_default_dtype()
    (["torch's default dtype"], torch.float32)
    """
    changed = []
    for name, value in state.items():
        get, put = _SETTINGS[name]
        if _read(get) != value:
            changed.append(name)
            if value is not None:
                put(value)
    return changed


def seed(number: int) -> None:
    """Seed the global generators of torch, NumPy and Python."""
    torch.manual_seed(number)
    np.random.seed(number % 2**32)  # noqa: NPY002
    random.seed(number)


@contextlib.contextmanager
def kept() -> Iterator[list[str]]:
    """Put all settings back after the block; the names of those that it changed.

    >>> with kept() as changed:
    ...     _ = torch.manual_seed(0)
    >>> changed
    ["torch's random state"]
    """
    before, changed = current(), list[str]()
    try:
        yield changed
    finally:
        changed += restore(before)


def _read(get: Callable[[], Any]) -> Any:
    try:
        return get()
    except (OSError, RuntimeError):  # a working directory that is gone; precisions that differ between operations
        return None


def _put_environment(variables: Mapping[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


def _plain(state: Any) -> tuple[Any, ...]:
    return tuple(part.tolist() if isinstance(part, np.ndarray) else part for part in state)
