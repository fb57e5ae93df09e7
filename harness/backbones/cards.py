"""Cards of the built-in backbones."""

from __future__ import annotations

from harness.cards import BackboneCard, Paper

SMALL_2D = BackboneCard(
    name="small_2d",
    summary="four 2D convolutions on each frame, averaged over time: sees poses and places, no motion",
    dim=128,
    spatial="feature_map",
)

SMALL_3D = BackboneCard(
    name="small_3d",
    summary="four 3D convolutions: sees motion too",
    dim=128,
)

RESNET18 = BackboneCard(
    name="resnet18",
    summary="torchvision's ResNet-18 on each frame, averaged over time, randomly initialised",
    licence="BSD-3-Clause",
    paper=Paper(
        title="Deep Residual Learning for Image Recognition",
        authors="He, Zhang, Ren, Sun",
        year=2016,
        venue="CVPR",
        url="https://arxiv.org/abs/1512.03385",
    ),
    dim=512,
    spatial="feature_map",
)

R3D_18 = BackboneCard(
    name="r3d_18",
    summary="torchvision's 3D ResNet-18, randomly initialised",
    licence="BSD-3-Clause",
    paper=Paper(
        title="A Closer Look at Spatiotemporal Convolutions for Action Recognition",
        authors="Tran, Wang, Torresani, Ray, LeCun, Paluri",
        year=2018,
        venue="CVPR",
        url="https://arxiv.org/abs/1711.11248",
    ),
    dim=512,
)
