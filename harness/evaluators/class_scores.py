"""Class scores of test videos, kept in the precision that they need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.values import ClassScores, ScoreKind

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

LARGEST = 65504.0
"""Largest number of half precision."""


def keep(kind: ScoreKind, repeats: Iterable[Tensor]) -> ClassScores:
    """Convert scores of videos to half precision, so that none overflows.

    Of logits each row has its maximum subtracted, which changes no softmax and leaves the classes that compete next to
    0, where half precision is finest. What then lies beyond its largest number, 65504, is clipped to that. Margins
    keep their zero, because a class ranks videos by them. Log-odds stay in single precision: those of a rare class are
    far from 0, and differ between videos by less than half precision can tell; those of a class that all training
    videos have, or none, are infinite, and become its largest number, or least.

    Args:
        kind: of the scores.
        repeats: (N, C) floating point of each repeat; a tensor (R, N, C) is that too.

    >>> import torch
    >>> keep("logits", torch.tensor([[[2.0, 1e6], [3.0, 1.0]]])).values.tolist()
    [[[-65504.0, 0.0], [0.0, -2.0]]]
    """
    return ClassScores(kind, np.stack([_rounded(kind, scores) for scores in repeats]))


def _rounded(kind: ScoreKind, scores: Tensor) -> NDArray[np.floating]:
    if kind == "log-odds":
        span = torch.finfo(torch.float32)
        single: NDArray[np.float32] = scores.float().clamp(span.min, span.max).cpu().numpy()
        return single
    relative = scores - scores.amax(1, keepdim=True) if kind == "logits" else scores
    half: NDArray[np.float16] = relative.clamp(-LARGEST, LARGEST).half().cpu().numpy()
    return half
