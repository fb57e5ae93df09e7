"""Count sketches: random linear maps to few dimensions that keep inner products on average."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sketch:
    """A map from D to M dimensions: each coordinate is added to, or taken from, one bucket.

    Raises:
        ValueError: when a bucket is not in [0, M), a sign not 1 or -1, or the two are not of one length.
    """

    buckets: Tensor
    """(D,) int64 in [0, M)."""
    signs: Tensor
    """(D,) int8, 1 or -1."""
    dim: int
    """M."""

    def __post_init__(self) -> None:
        if self.buckets.ndim != 1 or self.buckets.dtype != torch.int64 or self.signs.shape != self.buckets.shape:
            msg = (
                f"buckets must be (D,) int64 and signs (D,), got {tuple(self.buckets.shape)} {self.buckets.dtype} and "
            )
            msg += f"{tuple(self.signs.shape)}"
            raise ValueError(msg)
        if not bool(((self.buckets >= 0) & (self.buckets < self.dim)).all()) or not bool((self.signs.abs() == 1).all()):
            msg = f"buckets must be in [0, {self.dim}) and signs 1 or -1"
            raise ValueError(msg)

    def project(self, x: Tensor) -> Tensor:
        """(N, M) sketches of the points `x` (N, D), of their type; linear in `x`.

        >>> Sketch(torch.tensor([1, 0, 1]), torch.tensor([1, 1, -1], dtype=torch.int8), 2).project(torch.ones(1, 3))
        tensor([[1., 0.]])
        """
        if x.ndim != 2 or x.shape[1] != len(self.buckets):
            msg = f"x must be (N, {len(self.buckets)}), got {tuple(x.shape)}"
            raise ValueError(msg)
        members, order = self.buckets.to(x.device).sort(stable=True)
        starts = torch.searchsorted(members, torch.arange(self.dim, device=x.device))
        # Bags of rows in a fixed order: as fast as a scatter, and the same sum of floats every time on every device.
        signs = self.signs.to(x)[order]
        return F.embedding_bag(order, x.mT.contiguous(), starts, mode="sum", per_sample_weights=signs).mT.contiguous()


def count_sketch(source: int, dim: int = 2000, *, seed: int = 0, balanced: bool = False) -> Sketch:
    """A random sketch from `source` = D to `dim` = M dimensions; the same for the same seed.

    Independent uniform buckets and signs keep inner products on average:
    E <Px, Py> = <x, y>, with variance (|x|^2 |y|^2 + <x, y>^2 - 2 sum x_i^2 y_i^2) / M.

    `balanced` is the form of the authors' code: buckets are random permutations of 0..M-1, one after another and cut
    off at D, so that no bucket has two more coordinates than another, and as many signs are 1 as -1 (of an odd number,
    one more is 1). As two signs are then a little more often unlike than like, E <Px, Py> falls short of <x, y> by
    the sum of x_i y_j over i, j of different permutations, divided by M (D - 1); a D that is odd has D in place of
    D - 1.

    Raises:
        ValueError: when a dimension is below 1.

    Source: Charikar, Chen and Farach-Colton, "Finding frequent items in data streams", 2002; Pham and Pagh, "Fast and
    scalable polynomial kernels via explicit feature maps", KDD 2013, lemma 3.

    >>> count_sketch(6, 2, balanced=True).buckets.bincount().tolist()
    [3, 3]
    """
    if source < 1 or dim < 1:
        msg = f"a sketch goes from at least 1 to at least 1 dimension, got {source} and {dim}"
        raise ValueError(msg)
    generator = torch.Generator().manual_seed(seed)
    if balanced:
        permutations = [torch.randperm(dim, generator=generator) for _ in range(-(-source // dim))]
        buckets = torch.cat(permutations)[:source]
        positive = torch.randperm(source, generator=generator) < (source + 1) // 2
    else:
        buckets = torch.randint(dim, (source,), generator=generator)
        positive = torch.randint(2, (source,), generator=generator) == 1
    return Sketch(buckets, 2 * positive.to(torch.int8) - 1, dim)
