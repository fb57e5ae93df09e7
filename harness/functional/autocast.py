"""Precision in which networks multiply."""

from __future__ import annotations

import torch

from harness.values import ComputePrecision


def autocast(device: torch.device | str, precision: ComputePrecision) -> torch.autocast:
    """Context in which products and convolutions take a precision's operands.

    `bf16` casts operands to bfloat16; parameters, sums over a batch and losses stay float32. `fp32` leaves everything
    as it is, also inside another autocast; on CUDA, convolutions then use TF32 where PyTorch's default allows it.

    >>> a = torch.ones(2, 2)
    >>> with autocast("cpu", "bf16"):
    ...     (a @ a).dtype
    torch.bfloat16

    Args:
        device: where the network computes.
        precision: `fp32` or `bf16`.
    """
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16")
