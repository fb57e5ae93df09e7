"""Errors, each with the exit code that a user's script sees."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator


class HarnessError(Exception):
    """An expected failure; the message names the thing, the fault and the remedy."""

    exit_code = 1


class UsageError(HarnessError):
    """A wrong command, name, option or suite file."""

    exit_code = 2


class PluginError(HarnessError):
    """A plugin that does not load, clashes with another or breaks its contract."""

    exit_code = 3


class DataError(HarnessError):
    """A missing or corrupt data set, video, checkpoint or result file.

    Args:
        message: one line.
        reason: for a video file, the key of `harness.video.probe.REASONS` that says what is wrong with it.
    """

    exit_code = 4

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(DataError):
    """A store that cannot be read or written: a full disk, a missing permission.

    It is nobody's failure: nothing is recorded, and the same command goes on once it is mended.
    """


class UndecidedError(HarnessError):
    """A gate that cannot decide, by no fault of what it judges."""

    exit_code = 5


class DivergedError(HarnessError):
    """A training whose loss became NaN or infinite."""


@contextlib.contextmanager
def contract_of(fault: str) -> Iterator[None]:
    """Name the plugin's class where its code breaks in the block.

    Args:
        fault: class and what cannot be done, such as "method 'x' cannot be planned".

    Raises:
        PluginError: for any exception but the harness's own and those of the machine: `OSError`, and want of memory.
    """
    try:
        yield
    except (HarnessError, OSError):
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        msg = f"{fault}: {type(error).__name__}: {' '.join(str(error).split())}; see harness.testing"
        raise PluginError(msg) from error


_SHORTAGE = re.compile(
    "CUDA error: out of memory"  # of a context, a graph or pinned memory
    "|STATUS_ALLOC_FAILED|CUFFT_ALLOC_FAILED|_ALLOCATION_FAILED"  # of cuBLAS, cuDNN, cuSOLVER, cuSPARSE and cuFFT
    "|DefaultCPUAllocator: "
)


def out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, of the machine or of a GPU.

    >>> out_of_memory(MemoryError()), out_of_memory(RuntimeError("CUDA error: out of memory"))
    (True, True)
    >>> out_of_memory(RuntimeError("CUDA error: invalid argument"))
    False
    """
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, RuntimeError):
        return False
    import torch

    return isinstance(error, torch.OutOfMemoryError) or bool(_SHORTAGE.search(str(error)))


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Build the error for an unregistered name, with the nearest registered ones.

    >>> print(unknown("method", "supervisd", ["random_init", "supervised"]))
    unknown method 'supervisd'; did you mean 'supervised'?
    >>> print(unknown("evaluator", "zzz", ["knn", "linear_probe"]))
    unknown evaluator 'zzz'; known: knn, linear_probe
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
    if near:
        return UsageError(f"unknown {kind} {name!r}; did you mean {' or '.join(map(repr, near))}?")
    return UsageError(f"unknown {kind} {name!r}; known: {', '.join(names) or 'none'}")
