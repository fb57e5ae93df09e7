"""Cards of the methods and of the networks."""

from __future__ import annotations

from harness import BackboneCard, Paper

PAPER = Paper(
    title="Unsupervised Learning of Video Representations via Dense Trajectory Clustering",
    authors="Pavel Tokmakov, Martial Hebert, Cordelia Schmid",
    year=2020,
    venue="ECCV Workshops",
    url="https://arxiv.org/abs/2006.15731",
)

_HARA = Paper(
    title="Can spatiotemporal 3D CNNs retrace the history of 2D CNNs and ImageNet?",
    authors="Kensho Hara, Hirokatsu Kataoka, Yutaka Satoh",
    year=2018,
    venue="CVPR",
    url="https://arxiv.org/abs/1711.09577",
)

RESNET3D_18 = BackboneCard(
    name="resnet3d_18",
    summary="Hara's 3D ResNet-18: max-pooled after its first layer, a fifth of r3d_18's operations",
    paper=_HARA,
    dim=512,
    tokens="layer4",
)

RESNET3D_34 = BackboneCard(
    name="resnet3d_34",
    summary="Hara's 3D ResNet-34: max-pooled after its first layer",
    paper=_HARA,
    dim=512,
    tokens="layer4",
)
