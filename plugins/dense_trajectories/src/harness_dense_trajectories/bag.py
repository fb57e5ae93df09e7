"""Bags of words: how often each of the centres is the nearest, the simplest encoding of a set of points."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.functional.product import product
from harness_dense_trajectories.blocks import blocks
from harness_dense_trajectories.segments import check_segments


def nearest(x: Tensor, centres: Tensor) -> Tensor:
    """(N,) int64 nearest of the `centres` (K, D) to each point of `x` (N, D); of equally near ones the first.

    >>> nearest(torch.tensor([[0.2], [0.9]]), torch.tensor([[0.0], [1.0]]))
    tensor([0, 1])
    """
    centres = centres.to(x)
    shift = centres.mean(0)  # |c|^2 - 2xc loses least around 0
    centres = centres - shift
    norms = centres.square().sum(1)
    found = torch.empty(len(x), dtype=torch.int64, device=x.device)
    for part in blocks(len(x), max(centres.shape), x.device):
        found[part] = product(x[part] - shift, -2 * centres.mT, norms).argmin(1)
    return found


def bags(x: Tensor, segments: Tensor, centres: Tensor) -> Tensor:
    """(V, K) bags of words of V sets of points: square roots of the shares of points nearest to each centre.

    The roots of shares have length 1, and their inner products are Bhattacharyya coefficients. An empty set gives the
    zero vector.

    Args:
        x: (N, D) floating-point points of all sets, one set after another.
        segments: (V + 1,) int64 offsets: set v has the rows from `segments[v]` to before `segments[v + 1]`.
        centres: (K, D), for example those of `harness.functional.kmeans.kmeans`.

    Raises:
        ValueError: when `x` is not (N, D), floating point and finite, or `segments` are not its offsets.

    >>> bags(torch.tensor([[0.1], [0.2], [0.9], [0.0]]), torch.tensor([0, 4, 4]), torch.tensor([[0.0], [1.0]]))
    tensor([[0.8660, 0.5000],
            [0.0000, 0.0000]])
    """
    clusters, dim = centres.shape
    if x.ndim != 2 or x.shape[1] != dim or not x.is_floating_point() or not bool(x.isfinite().all()):
        msg = f"x must be floating-point and finite points (N, {dim}), got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)
    segments = segments.to(x.device)
    check_segments(segments, len(x))
    lengths = segments.diff()
    owner = torch.repeat_interleave(lengths, output_size=len(x))
    words = owner * clusters + nearest(x, centres)
    counts = words.bincount(minlength=len(lengths) * clusters).view(-1, clusters)
    return (counts.to(x) / lengths.clamp(min=1).to(x)[:, None]).sqrt()
