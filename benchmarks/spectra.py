"""Spectra of the points that linear classifiers are timed on."""

from __future__ import annotations

import torch
from torch import Tensor

SPECTRA = {"flat": 0.0, "steep": 1.0}
"""Exponents by which deviations fall along the principal axes.

No axis stands out of noise that is independent in each dimension. The variance of features falls steeply: that of the
quickstart's encoders as a power of the axis between 1.3 and 2.2, where it is 2 here.
"""


def with_spectrum(points: Tensor, spectrum: str) -> Tensor:
    """Make the deviation of points (N, D) fall along D axes drawn at random."""
    if not SPECTRA[spectrum]:
        return points
    dim = points.shape[1]
    axes = torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(0))).Q
    return points / torch.arange(1, dim + 1) ** SPECTRA[spectrum] @ axes
