"""Improved dense trajectories and the hand-crafted methods made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import MethodCard, Paper, hookimpl

if TYPE_CHECKING:
    from harness.interfaces import Method
    from harness.plugins.file_registry import SuiteRegistry
    from harness.plugins.registry import Registry

PAPER = Paper(
    title="Action recognition with improved trajectories",
    authors="Heng Wang, Cordelia Schmid",
    year=2013,
    venue="ICCV",
    url="https://hal.science/hal-00873267",
)

IDT_FV = MethodCard(
    name="idt_fv",
    summary="hand-crafted: improved dense trajectories, encoded as one Fisher vector a video",
    paper=PAPER,
    reads=frozenset({"pretraining", "budget", "seed"}),
    deviations=(
        "no network is trained: the backbone is ignored; the budget bounds the frames that the encoding is fitted on",
        "flow is DIS by default, Farneback (the paper's) by option, once at full size and scaled to the levels",
        "flow without the camera's is H^-1(x + u) - x; the paper warps the frame and computes flow again",
        "key points for the homography are ORB's or SIFT's, not SURF's",
        "all descriptors of a trajectory are encoded together, as in Tokmakov et al. 2020; one by one by option",
        "PCA keeps 90 % of the variance, as in Tokmakov et al. 2020; the paper halves the numbers of each descriptor",
    ),
)


IDT_BOW = MethodCard(
    name="idt_bow",
    summary="hand-crafted: improved dense trajectories, counted as visual words: the simple baseline of idt_fv",
    paper=PAPER,
    reads=frozenset({"pretraining", "budget", "seed"}),
    deviations=(
        *IDT_FV.deviations[:4],
        "square roots of the shares of words, for linear classifiers; the paper's kernel is chi-squared",
        "words are fitted on 500 trajectories each of up to 3,500 videos that the budget pays; the paper's on 100,000",
    ),
)


@hookimpl
def harness_methods(registry: Registry[Method]) -> None:
    """Register the paper's method with each of its encodings."""
    registry.register(IDT_FV, "harness_dense_trajectories.methods:IdtFv")
    registry.register(IDT_BOW, "harness_dense_trajectories.methods:IdtBow")


@hookimpl
def harness_suites(registry: SuiteRegistry) -> None:
    """Register the suite of hand-crafted beside learnt features."""
    registry.register("idt", "harness_dense_trajectories:idt.yaml")
