"""Temporal coherency: methods that learn from which frames belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import BackboneCard, MethodCard, Paper, hookimpl

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Method
    from harness.plugins.file_registry import ReferenceRegistry, SuiteRegistry
    from harness.plugins.registry import Registry

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
        "a negative is at most the last frame of a video shorter than its gap",
    ),
)

SIAMESE = MethodCard(
    name="siamese",
    summary="Ls: contiguous frames near, frames of two videos a margin apart",
    paper=PAPER,
    deviations=(
        "vectors are scaled to length 1 before distances, as in the released code; the paper does not say",
        "half of the pairs are contiguous; the paper does not say how many",
        "a contiguous frame is at most the last frame of a video shorter than the window",
        "the optimiser's defaults are for small networks and budgets, not the paper's 30,000 steps of SGD",
    ),
)

QUADRUPLET = MethodCard(
    name="quadruplet",
    summary="Lq: contiguous frames near, and frames of one video nearer than frames of two by a margin",
    paper=PAPER,
    deviations=(
        "vectors are scaled to length 1 before distances, as in the released code; the paper does not say",
        "negatives are uniform over all other videos; the released sampler takes them from the first three",
        "a later frame is at most the last frame of a video shorter than its gap",
        "the optimiser's defaults are for small networks and budgets, not the paper's 30,000 steps of SGD",
    ),
)

TRIPLET = MethodCard(
    name="triplet",
    summary="Ld: a frame nearer to a later one of its video than to another video's, by a margin",
    paper=Paper(
        title="Unsupervised Learning of Visual Representations Using Videos",
        authors="Xiaolong Wang, Abhinav Gupta",
        year=2015,
        venue="ICCV",
        url="https://arxiv.org/abs/1505.00687",
    ),
    deviations=(
        "whole frames, 20 apart, in place of tracked patches, as where Redondo-Cabrera and Lopez-Sastre compare",
        "negatives are random; no hard ones are mined",
        "a later frame is at most the last frame of a video shorter than its gap",
        "the optimiser's defaults are for small networks and budgets",
    ),
)

ALEXNET = BackboneCard(
    name="alexnet",
    summary="AlexNet's convolutions and two fully connected layers on single frames, as the paper or its code has them",
    paper=Paper(
        title="ImageNet Classification with Deep Convolutional Neural Networks",
        authors="Krizhevsky, Sutskever, Hinton",
        year=2012,
        venue="NIPS",
        url="https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks",
    ),
    dim=1024,
    spatial="feature_map",
    layers=("fc6", "fc7"),
)

GOOGLENET = BackboneCard(
    name="googlenet",
    summary="torchvision's GoogLeNet and a fully connected layer on single frames, randomly initialised",
    licence="BSD-3-Clause",
    paper=Paper(
        title="Going Deeper with Convolutions",
        authors="Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich",
        year=2015,
        venue="CVPR",
        url="https://arxiv.org/abs/1409.4842",
    ),
    dim=1024,
    spatial="feature_map",
    layers=("pool5", "fc"),
)

_CIFAR = Paper(
    title="Learning Multiple Layers of Features from Tiny Images",
    authors="Alex Krizhevsky",
    year=2009,
    venue="University of Toronto",
    url="https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf",
)

CIFAR_QUICK = BackboneCard(
    name="cifar_quick",
    summary="Caffe's quick network for CIFAR-10 on single frames of 32 pixels",
    paper=_CIFAR,
    dim=64,
    spatial="feature_map",
    layers=("pool3", "ip1"),
)

CIFAR_FULL = BackboneCard(
    name="cifar_full",
    summary="Caffe's full network for CIFAR-10 on single frames of 32 pixels, normalised within channels",
    paper=_CIFAR,
    dim=1024,
    spatial="feature_map",
    layers=("pool3",),
)


TABLES = (
    *("table1", "table2", "table3", "transfer", "table4", "table5", "table6"),
    *("margins", "googlenet", "released"),
)
"""Suites of the paper's experiments; each also as `-mini`, on the embedded data."""
OTHER_STARTS = ("table5-supervised",)
"""Suites of rows that start from labels, at the paper's scale alone."""
CLAIMS = (
    *("claims", "claims-joined", "claims-unbiased", "claims-transfer", "claims-sweep"),
    *("claims-googlenet", "claims-objects"),
)
"""Suites of the paper's claims on the embedded data; each also as `-mini`."""


@hookimpl
def harness_methods(registry: Registry[Method]) -> None:
    """Register the paper's two methods, and the two it compares them with."""
    registry.register(SFA, "harness_temporal_coherency.methods:SlowFeatureAnalysis")
    registry.register(SIAMESE, "harness_temporal_coherency.methods:Siamese")
    registry.register(QUADRUPLET, "harness_temporal_coherency.methods:Quadruplet")
    registry.register(TRIPLET, "harness_temporal_coherency.methods:Triplet")


@hookimpl
def harness_backbones(registry: Registry[Backbone]) -> None:
    """Register the networks of the paper's experiments."""
    registry.register(ALEXNET, "harness_temporal_coherency.alexnet:AlexNet")
    registry.register(GOOGLENET, "harness_temporal_coherency.googlenet:GoogLeNet")
    registry.register(CIFAR_QUICK, "harness_temporal_coherency.cifar_net:CifarQuick")
    registry.register(CIFAR_FULL, "harness_temporal_coherency.cifar_net:CifarFull")


@hookimpl
def harness_references(registry: ReferenceRegistry) -> None:
    """Register the six tables of the paper."""
    registry.register("temporal_coherency", "harness_temporal_coherency:references.yaml")


@hookimpl
def harness_suites(registry: SuiteRegistry) -> None:
    """Register suites for the paper's tables, figure 4, section 4.1.4 and claims.

    Each is there with the paper's parameters and on the embedded data.
    """
    minis = [f"{name}-mini" for name in (*TABLES, *CLAIMS)]
    for name in (*TABLES, *OTHER_STARTS, *CLAIMS, *minis):
        registry.register(f"coherency-{name}", f"harness_temporal_coherency:suites/{name}.yaml")
