"""Work of child processes: a fit, or the evaluations of one row.

Each sets what results depend on, so that nothing which a plugin changed reaches another's result.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import PluginError, StoreError
from harness.execution import along, codes, units
from harness.execution.failures import Failure, failure_of
from harness.execution.file_tasks import shared_with
from harness.plugins.manager import Plugins
from harness.store.faults import store_fault
from harness.system import global_state
from harness.system.seeding import derive_seed
from harness.video import frame_cache

if TYPE_CHECKING:
    from harness.execution.units import Workplace
    from harness.store.specs import EvalSpec, FitSpec
    from harness.system.child_process import Link


@dataclass(frozen=True, slots=True)
class Begun:
    """A cell whose evaluation begins, by its place among those that were handed over."""

    cell: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A cell, by its place among those that were handed over, with its outcome."""

    cell: int
    outcome: Measured | Failure


@dataclass(frozen=True, slots=True)
class Measured:
    """A cell that is done; its run as JSON, free of a plugin's own classes."""

    run: str
    pictures: Mapping[str, bytes]
    class_scores: bytes | None


def fit(link: Link, spec: FitSpec, shares: Sequence[FitSpec], plugins: frozenset[str], workplace: Workplace) -> None:
    """Fit an encoder with the plugins that it needs; tells a `Failure`, or None.

    Raises:
        StoreError: when the store cannot be written.
    """
    state = _state(workplace)
    try:
        with _files_shared(workplace):
            workshop = _workshop(workplace, plugins)
            codes.expect_fit(spec, workshop.plugins, workshop.sources)
            _settle(state, spec.seed, workplace.device)
            along.fit(spec, shares, workshop)
            _expect_working(workplace.device)
    except BaseException as error:
        link.send(_failure(error, workplace))
    else:
        link.send(None)


def evaluate(link: Link, cells: Sequence[EvalSpec], plugins: frozenset[str], workplace: Workplace) -> None:
    """Evaluate cells of one row; tells of each that it begins, and its outcome.

    Cells after one that broke the GPU for this process are left to another.

    Raises:
        StoreError: when the store cannot be written.
    """
    state = _state(workplace)
    workshop = None
    known: set[str] = set()
    with _files_shared(workplace):
        for place, cell in enumerate(cells):
            link.send(Begun(place))
            outcome: Measured | Failure
            try:
                workshop = workshop or _workshop(workplace, plugins)
                codes.expect_cell(cell, workshop.plugins, workshop.sources, known)
                _settle(state, cell.identity.seed, workplace.device)
                done = units.measure(cell, workshop)
                _expect_working(workplace.device)
                pictures = {name: bytes(png) for name, png in done.pictures.items()}
                outcome = Measured(done.run.model_dump_json(), pictures, done.class_scores)
            except BaseException as error:
                outcome = _failure(error, workplace)
            link.send(Ended(place, outcome))
            if isinstance(outcome, Failure) and _is_broken(workplace.device):
                return


def describe(link: Link, plugins: frozenset[str], workplace: Workplace) -> None:
    """Tell the provenance of what is done here with some plugins."""
    link.send(_workshop(workplace, plugins).provenance)


def _workshop(workplace: Workplace, plugins: frozenset[str]) -> units.Workshop:
    """A workshop with the plugins that are needed and no other.

    Raises:
        PluginError: when one of them does not load, which did where the work was planned.
    """
    loaded = Plugins(only=plugins)
    for status in loaded.failed:
        raise PluginError(status.complaints[0])
    if workplace.frames is not None:
        frame_cache.shared.share(workplace.frames)
    return units.Workshop(workplace, loaded)


def _state(workplace: Workplace) -> global_state.State:
    """The state of this process before a plugin is loaded."""
    os.environ.update(workplace.variables)
    if workplace.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # for models that take a GPU where they see one
    return global_state.current()


def _files_shared(workplace: Workplace) -> contextlib.AbstractContextManager[None]:
    return shared_with(workplace.scheduler) if workplace.scheduler else contextlib.nullcontext()


def _settle(state: global_state.State, seed: int, device: str) -> None:
    """Set what results depend on, whatever ran in this process before.

    A device `cuda` without a number is the one of the workplace.
    """
    global_state.restore(state)
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)
    global_state.seed(derive_seed(seed))


def _expect_working(device: str) -> None:
    """Raise what went wrong on a GPU, whose kernels may fail after their calls."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def _is_broken(device: str) -> bool:
    """True when a kernel failed, so that this process can use the GPU no more."""
    try:
        _expect_working(device)
    except RuntimeError:
        return True
    return False


def _longest_file() -> Any:
    """Limit of this process on the length of a file, which a plugin may have set."""
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    return resource.getrlimit(resource.RLIMIT_FSIZE)


_LONGEST_FILE = _longest_file()


def _failure(error: BaseException, workplace: Workplace) -> Failure:
    """The failure of a cell; never for a fault of the store.

    Raises:
        StoreError: for that.
    """
    fault = store_fault(error, workplace.store)
    if fault and _longest_file() == _LONGEST_FILE:
        raise StoreError(fault) from error
    return failure_of(error)
