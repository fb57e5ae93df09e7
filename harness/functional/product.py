"""Matrix products in float32 that use the whole width of the processor."""

from __future__ import annotations

import torch
from torch import Tensor

_WORTH = 2**20
"""Number of multiplications that pays for the choice's 15 microseconds."""


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute `a @ b + bias`, faster on some CPUs.

    Shapes are (N, D), (D, K) and (K,), or (P, N, D), (P, D, K) and no bias.

    In float32 on the CPU PyTorch multiplies by MKL, which on AMD's processors uses half of their vector width. This
    asks oneDNN, where PyTorch has it: about twice as fast on Zen 5, and as exact. Small products, other types and
    devices, and what needs a gradient are `a @ b`. Fastest when the rows of `a` are contiguous; when `a` is a
    transposed matrix, the smaller of the two is copied.

    >>> product(torch.eye(2), torch.tensor([[1.0], [2.0]]), torch.tensor([10.0]))
    tensor([[11.],
            [12.]])
    """
    if not _through_onednn(a, b, bias):
        return a @ b if bias is None else torch.addmm(bias, a, b)
    if bias is None and a.stride(-1) != 1 and b.numel() < a.numel():
        return product(b.mT, a.mT).mT
    if a.ndim == 2:
        return _onednn(a, b, bias)
    return torch.stack([_onednn(*pair) for pair in zip(a, b, strict=True)])


def stacked_product(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply (G, N, D) by the transposed (P, C, D): (G, N, P / G, C).

    P / G problems share each set of points, in one matrix product. Multiplies in the type of x, and returns that of
    `weight`.
    """
    sets, n, dim = x.shape
    flat = weight.to(x.dtype).reshape(sets, -1, dim)
    return product(x, flat.mT).to(weight.dtype).view(sets, n, -1, weight.shape[1])


def stacked_transposed_product(residual: Tensor, x: Tensor) -> Tensor:
    """Multiply the transposed (G, N, P / G, C) by (G, N, D): (P, C, D).

    Types as in `stacked_product`.
    """
    flat = residual.flatten(2).to(x.dtype)
    return product(flat.mT, x).to(residual.dtype).view(-1, residual.shape[3], x.shape[2])


def _through_onednn(a: Tensor, b: Tensor, bias: Tensor | None) -> bool:
    return (
        a.device.type == "cpu"
        and a.dtype == b.dtype == torch.float32
        and a.shape[-2] * b.shape[-2] * b.shape[-1] >= _WORTH
        and not (torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in (a, b, bias)))
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and bool(torch.backends.mkldnn.enabled)
    )


def _onednn(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    if not (b.is_contiguous() or b.mT.is_contiguous()):
        b = b.contiguous()  # of rows that lie apart oneDNN makes thousands of times more work
    # What PyTorch's own compiler makes of a linear layer; it takes plain tensors, while `Tensor.to_mkldnn` copies them.
    result: Tensor = torch.ops.mkldnn._linear_pointwise.default(a, b.mT, bias, "none", [], "")
    return result
