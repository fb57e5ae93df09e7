"""Temporal coherency: methods that learn from which frames belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MethodCard, Paper, hookimpl

if TYPE_CHECKING:
    from harness.interfaces import Method
    from harness.registry import Registry

PAPER = Paper(
    title="Unsupervised learning from videos using temporal coherency deep networks",
    authors="Carolina Redondo-Cabrera, Roberto J. López-Sastre",
    year=2019,
    venue="Computer Vision and Image Understanding",
    url="https://arxiv.org/abs/1801.08100",
)

SFA = MethodCard(
    name="sfa",
    summary="slow feature analysis: contiguous frames near, other frames of the same video a margin apart",
    paper=PAPER,
    deviations=(
        "the optimiser's defaults are for small networks and budgets, not the paper's 30,000 steps of SGD",
        "a negative reaches at most the first or last frame of a video shorter than its gap",
    ),
)

QUADRUPLET = MethodCard(
    name="quadruplet",
    summary="Lq: contiguous frames near, and frames of one video nearer than frames of two by a margin",
    paper=PAPER,
    deviations=(
        "vectors are scaled to length 1 before distances, as in the released code; the paper does not say",
        "negatives are uniform over all other videos; the released sampler takes them from the first three",
        "the optimiser's defaults are for small networks and budgets, not the paper's 30,000 steps of SGD",
    ),
)


@hookimpl
def harness_methods(registry: Registry[Method]) -> None:
    """The baseline and the paper's best method."""
    registry.register(SFA, "harness_temporal_coherency.sfa:SlowFeatureAnalysis")
    registry.register(QUADRUPLET, "harness_temporal_coherency.quadruplet:Quadruplet")
