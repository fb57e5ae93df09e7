"""Floating-point operations of PyTorch's operators, by formulas of their shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch._ops import OpOverload
from torch.utils.flop_counter import flop_registry

Shape = tuple[int, ...]


def flops(operator: OpOverload, arguments: tuple[Any, ...], options: dict[str, Any], result: Any) -> int:
    """FLOPs of a call: two for each multiplication with its addition.

    Products, convolutions and attention by PyTorch's formulas, and products and factorisations that these lack by
    `FORMULAS`. Anything else is 0, as there.
    """
    formula = flop_registry.get(operator._overloadpacket)
    if formula is not None:
        return int(formula(*arguments, **options, out_val=result))
    own = FORMULAS.get(operator._schema.name)
    return 0 if own is None else int(own(*(tuple(one.shape) for one in arguments if hasattr(one, "shape"))))


def _batch(shape: Shape) -> int:
    count = 1
    for size in shape[:-2]:
        count *= size
    return count


def _linear(x: Shape, weight: Shape, *_: Shape) -> int:
    """Operations for (N, D) and (K, D)."""
    count = weight[0]
    for size in x:
        count *= size
    return 2 * count


def _qr(a: Shape) -> int:
    rows, columns = max(a[-2:]), min(a[-2:])
    return _batch(a) * (4 * rows * columns**2 - 4 * columns**3 // 3)


FORMULAS: dict[str, Callable[..., int]] = {
    "aten::mv": lambda a, b: 2 * a[0] * a[1],
    "aten::addmv": lambda c, a, b: 2 * a[0] * a[1],
    "aten::addmv_": lambda c, a, b: 2 * a[0] * a[1],
    "aten::dot": lambda a, b: 2 * a[0],
    "mkldnn::_linear_pointwise": _linear,
    "aten::linalg_qr": _qr,
    "aten::linalg_cholesky_ex": lambda a: _batch(a) * a[-1] ** 3 // 3,
    "aten::linalg_lu_factor_ex": lambda a: _batch(a) * 2 * a[-1] ** 3 // 3,
    "aten::_linalg_solve_ex": lambda a, b: _batch(a) * (2 * a[-1] ** 3 // 3 + 2 * a[-1] ** 2 * b[-1]),
    "aten::linalg_solve_triangular": lambda a, b: _batch(b) * a[-1] ** 2 * b[-1],
    "aten::_linalg_eigh": lambda a: _batch(a) * 9 * a[-1] ** 3,
}
"""FLOPs by the shapes of the tensors among the arguments.

Factorisations by their leading terms: Golub and Van Loan, "Matrix computations", 4th edition: Cholesky 4.2, LU 3.2,
Householder QR with Q 5.2, symmetric QR with vectors 8.3.
"""
