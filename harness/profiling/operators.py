"""Count the operators of PyTorch that a function calls."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from harness.profiling.flops import flops

NO_KERNEL = frozenset(
    {
        "_efficientzerotensor",
        "_has_same_storage_numel",
        "_indices",
        "_linalg_check_errors",
        "_local_scalar_dense",
        "_nnz",
        "_sparse_compressed_tensor_unsafe",
        "_sparse_coo_tensor_unsafe",
        "_sparse_coo_tensor_with_dims_and_tensors",
        "_sparse_csr_tensor_unsafe",
        "_unsafe_view",
        "_values",
        "_version",
        "empty",
        "empty_like",
        "empty_permuted",
        "empty_strided",
        "is_coalesced",
        "is_pinned",
        "is_same_size",
        "lift",
        "new_empty",
        "new_empty_strided",
        "record_stream",
        "sparse_dim",
        "dense_dim",
    }
)
"""Operators that allocate or look at metadata; views are known by their schemas."""
COPIES = frozenset({"_to_copy", "clone", "copy", "copy_", "_foreach_copy_"})
"""Operators that copy; `contiguous` is a `clone` where it copies."""
SYNCHRONISING = {
    "_local_scalar_dense": "a number for Python: item, bool, int and float of a tensor, `if` and `while` on one",
    "nonzero": "the size of the result is a count made on the device",
    "nonzero_numpy": "as nonzero",
    "argwhere": "as nonzero",
    "masked_select": "the size of the result is a count made on the device",
    "_unique": "as nonzero",
    "_unique2": "as nonzero",
    "unique_dim": "as nonzero",
    "unique_consecutive": "as nonzero",
    "unique_dim_consecutive": "as nonzero",
    "repeat_interleave.Tensor": "without output_size the size of the result is a sum made on the device",
    "bincount": "the size of the result is a maximum made on the device",
    "equal": "a bool for Python",
    "allclose": "a bool for Python",
    "histc": "without bounds they are a minimum and a maximum made on the device",
    "_linalg_check_errors": "an error raised in Python for a factorisation that failed on the device",
    "_linalg_eigh": "as _linalg_check_errors",
    "_linalg_svd": "cuSOLVER's Jacobi iteration is checked for convergence",
    "linalg_eig": "computed on the host",
    "linalg_lstsq": "its solvers check the factorisation",
    "_coalesce": "the number of different indices is counted on the device",
    "_to_sparse": "the number of nonzero entries is counted on the device",
    "_to_sparse_csr": "as _to_sparse",
}
"""Operators that would wait for a CUDA device, and why.

Beside these, indexing by a mask does (`_reads_mask`), and what Python asks a tensor for without an operator where it
already lies on the CPU (`TO_HOST`). Copies from the host are left out: from pinned memory they need no wait.
"""
TO_HOST = frozenset({"tolist", "numpy", "cpu", "__array__"})
"""Methods of a tensor that would copy from a CUDA device, which is to wait for it."""


class Operators:
    """Counts of the operators that were called, from any thread."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.kernels = 0
        self.synchronisations = 0
        self.copies = 0
        self.bytes_moved = 0
        self.flops = 0
        self.threaded = False
        """Work was given to other threads."""
        self._lock = threading.Lock()
        self._open = True

    def add(self, operator: OpOverload, arguments: tuple[Any, ...], options: dict[str, Any], result: Any) -> None:
        """Count a call that returned `result`."""
        name = operator._schema.name.removeprefix("aten::")
        names, written = _parameters(operator)
        given = {**dict(zip(names, arguments, strict=False)), **options}
        runs = _runs_kernel(operator)
        moved = _bytes([value for key, value in given.items() if key not in written], result) if runs else 0
        work = flops(operator, arguments, options, result) if runs else 0
        waits = {name, f"{name}.{operator._overloadname}"} & SYNCHRONISING.keys() or _reads_mask(name, given)
        with self._lock:
            if not self._open:
                return  # a thread that outlives the function
            self.calls[name] += 1
            self.kernels += runs
            self.synchronisations += bool(waits)
            self.copies += name in COPIES
            self.bytes_moved += moved
            self.flops += work

    def add_copy_to_host(self) -> None:
        """Count what would be a copy from a CUDA device."""
        with self._lock:
            self.synchronisations += self._open

    def close(self) -> None:
        """Count no more."""
        with self._lock:
            self._open = False


@contextlib.contextmanager
def counting_operators(*, on_host: bool) -> Iterator[Operators]:
    """Count the operators called inside the block.

    Those of this thread and of the threads that it works with.

    Modes of PyTorch's dispatcher hold for one thread. A thread that is started inside the block, and work that is
    handed to a pool of threads there, count as well, until the block ends; PyTorch's own threads of a backward pass
    inherit the mode. A thread that was started before and gets its work by another way, and a child process, do not.

    Args:
        on_host: the tensors stand for those of a device, though they lie on the CPU: count what Python asks them for.
    """
    operators = Operators()
    there = threading.local()

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        operators.threaded = True

        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> Any:
            if getattr(there, "counting", False) or not operators._open:
                return function(*arguments, **options)
            there.counting = True
            try:
                with _Dispatch(operators), _Functions(operators) if on_host else contextlib.nullcontext():
                    return function(*arguments, **options)
            finally:
                there.counting = False

        return run

    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def start_counted(thread: threading.Thread) -> None:
        thread.run = counted(thread.run)  # type: ignore[method-assign]
        start(thread)

    def submit_counted(pool: ThreadPoolExecutor, function: Any, /, *arguments: Any, **options: Any) -> Any:
        return submit(pool, counted(function), *arguments, **options)

    there.counting = True
    try:
        with (
            mock.patch.object(threading.Thread, "start", start_counted),
            mock.patch.object(ThreadPoolExecutor, "submit", submit_counted),
            _Dispatch(operators),
            _Functions(operators) if on_host else contextlib.nullcontext(),
        ):
            yield operators
    finally:
        operators.close()


class _Dispatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operators that the dispatcher is asked for in this thread."""

    def __init__(self, operators: Operators) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._operators = operators

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # PyTorch would import its compiler, which takes 2 s

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        if not isinstance(func, OpOverload) or func.namespace == "prim":
            return func(*args, **options)
        # In inference mode the dispatcher is asked for a composite operator, else for its parts.
        with self:
            parts = func.decompose(*args, **options)
        if parts is not NotImplemented:
            return parts
        result = func(*args, **options)
        self._operators.add(func, args, options, result)
        return result


class _Functions(TorchFunctionMode):
    """Counts reads of tensors on the CPU that would be copies from a device."""

    def __init__(self, operators: Operators) -> None:
        super().__init__()
        self._operators = operators

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in TO_HOST or (name == "to" and _is_cpu(*args[1:2], **(kwargs or {}))):
            self._operators.add_copy_to_host()
        return func(*args, **(kwargs or {}))


def _is_cpu(first: Any = None, *, device: Any = None, **_: Any) -> bool:
    wanted = first if device is None else device
    return isinstance(wanted, str | torch.device) and torch.device(wanted).type == "cpu"


@functools.cache
def _runs_kernel(operator: OpOverload) -> bool:
    """Tell if an operator computes or copies, and is not a view or an allocation."""
    metadata = operator.is_view or torch.Tag.inplace_view in operator.tags
    return not metadata and operator._schema.name.removeprefix("aten::") not in NO_KERNEL


def _reads_mask(name: str, given: dict[str, Any]) -> bool:
    """Tell if an operator looks up where a mask is true.

    A single value is filled in without.
    """
    if name not in ("index", "_unsafe_index", "index_put", "index_put_", "_index_put_impl_"):
        return False
    if "values" in given and given["values"].numel() == 1:
        return False
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in given["indices"])


@functools.cache
def _parameters(operator: OpOverload) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names of the arguments in order, and of those that only take the result."""
    arguments = operator._schema.arguments
    return tuple(one.name for one in arguments), frozenset(one.name for one in arguments if one.is_out)


def _bytes(read: list[Any], result: Any) -> int:
    return sum(_size(leaf) for leaf in tree_leaves((read, result)) if isinstance(leaf, Tensor))


def _size(tensor: Tensor) -> int:
    if tensor.layout == torch.strided:
        return tensor.numel() * tensor.element_size()
    return int(tensor._nnz()) * tensor.element_size()
