"""Device and precision in which a batch of small problems is solved."""

from __future__ import annotations

import torch
from torch import Tensor

_WORTH = 10**8
"""Floating-point operations of a step that pay for its launches on a GPU.

Some 100 of 5 microseconds each, against a CPU that does 2e11 a second.
"""


def faster_device(device: torch.device, *, flops: float) -> torch.device:
    """Choose the CPU for an iterative solver whose steps are too small for `device`.

    Args:
        device: where the problem is.
        flops: floating-point operations of one step of the solver.

    >>> faster_device(torch.device("cuda"), flops=1e6)
    device(type='cpu')
    """
    return torch.device("cpu") if flops < _WORTH else device


def has_fast_bfloat16(x: Tensor) -> bool:
    """Check that x is float32 and its device multiplies bfloat16 faster.

    Elsewhere torch multiplies bfloat16 slowly.
    """
    if x.dtype != torch.float32:
        return False
    if x.is_cuda:
        return torch.cuda.get_device_capability(x.device) >= (8, 0)
    return x.device.type == "cpu" and _cpu_has_bfloat16()


def _cpu_has_bfloat16() -> bool:
    if "AVX512" not in torch.backends.cpu.get_cpu_capability():
        return False
    # Known under this name since torch 2.4, and public nowhere; without it float32 is right, if slower.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return supported is not None and bool(supported())
