"""A check for NaN and infinity in one pass."""

from __future__ import annotations

import torch
from torch import Tensor


def all_finite(x: Tensor) -> bool:
    """Check that all entries of `x` are finite.

    What `torch.isfinite(x).all()` says, without masks as large as `x`: the least and the largest entry are NaN where
    any is.

    >>> all_finite(torch.tensor([1.0, 2.0])), all_finite(torch.tensor([1.0, -torch.inf]))
    (True, False)
    """
    return not x.numel() or bool(torch.isfinite(torch.stack(torch.aminmax(x))).all())
