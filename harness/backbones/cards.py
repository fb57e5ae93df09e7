"""Cards of the built-in backbones."""

from __future__ import annotations

from harness.cards import BackboneCard, Paper, View

SMALL_2D = BackboneCard(
    name="small_2d",
    summary="four 2D convolutions on each frame, averaged over time: sees poses and places, no motion",
    dim=128,
    view=View(frames=8, stride=4, size=64),
    feature_map=True,
)

SMALL_3D = BackboneCard(
    name="small_3d",
    summary="four 3D convolutions: sees motion too",
    dim=128,
    view=View(frames=16, stride=2, size=64),
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
    view=View(frames=8, stride=4, size=112, resize=128),
    feature_map=True,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
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
    view=View(frames=16, stride=2, size=112, resize=128),
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
)
