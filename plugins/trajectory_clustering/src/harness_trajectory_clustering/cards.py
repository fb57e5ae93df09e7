"""Cards of the methods and of the networks."""

from __future__ import annotations

from harness import BackboneCard, MethodCard, Paper

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

_DEVIATIONS = (
    "BN before the embedding layer by default, without which small networks put all videos in one spot",
    "up to 16,384 videos the softmax is exact; the paper samples 4,096 negatives",
    "noise leaves out a video's own entry; the released code does not",
    "Z of noise-contrastive estimation is measured on the first batch; the released code has ImageNet's constant",
    "the defaults of batch, optimiser and crops are for small networks and budgets, not the paper's 200 epochs of SGD",
)

VIDEO_IR = MethodCard(
    name="video_ir",
    summary="instance recognition: each video a class of its own, against a memory bank",
    paper=PAPER,
    deviations=_DEVIATIONS,
)

VIDEO_LA = MethodCard(
    name="video_la",
    summary="local aggregation: videos of one cluster near, of the network's clusters or of their trajectories'",
    paper=PAPER,
    deviations=(
        *_DEVIATIONS,
        "instance recognition comes first within the same budget, and the bank is filled anew where it ends",
        "a video without close neighbours has no loss; the released code's has no gradient",
        "videos without trajectories are clusters of their own; the released code leaves them out",
        "the prior's trajectories differ as those of idt_fv do",
    ),
)
