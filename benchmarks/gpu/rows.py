"""Rows of the table, with their goals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.gpu import flow, networks, solvers
from benchmarks.gpu.cases import Case, Place


@dataclass(frozen=True)
class Row:
    """A path, and what it is to reach on an H100."""

    name: str
    """Of its record."""
    path: str
    goal: str
    case: Callable[[Place], Case]
    counted: bool = True
    """False where counting operators would keep `torch.compile` from compiling."""


ROWS = (
    Row(
        "fit",
        "fit R3D-18, 16 x 112, batch 64, bf16, mocap-actions mini",
        "1,200 clips/s and 0.95 of the loop",
        partial(networks.fit, compiled=False),
    ),
    Row("encode_fp32", "encode R3D-18, fp32", "", partial(networks.encode, precision="fp32")),
    Row("encode_bf16", "encode R3D-18, bf16", "4,000 clips/s", partial(networks.encode, precision="bf16")),
    Row(
        "few_shot",
        "few-shot grid: 20 draws x 1, 5, 10, 20 x 101 classes x 512-D",
        "50 x scikit-learn",
        solvers.few_shot,
    ),
    Row("strengths", "strengths: 9 x 9,494 x 512 x 101", "0.065 s", solvers.strengths),
    Row("k_means", "k-means 50,000 x 128, k = 1,000, 25 iterations", "0.08 s", solvers.many_clusters),
    Row("k_means_seeds", "k-means, 10 seeds, 10,000 x 512, k = 101", "0.08 s", solvers.many_seeds),
    Row("spectral", "spectral clustering 10,000 x 1,024, k = 101", "0.076 s", solvers.graph),
    Row("tv_l1", "TV-L1 240 x 320, 32 pairs, a pair", "1.5 ms", flow.tv_l1),
    Row("quickstart_probe", "linear probe of 210 videos, 9 strengths", "as fast as the CPU", solvers.quickstart),
    Row(
        "fit_compiled",
        "fit R3D-18 as above, with `--compile`",
        "1,200 clips/s and 0.95 of the loop",
        partial(networks.fit, compiled=True),
        counted=False,
    ),
)
