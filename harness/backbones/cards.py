"""Cards of the built-in backbones, and of libraries of networks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cards import BackboneCard, Card, Paper

if TYPE_CHECKING:
    from harness.backbones.libraries.anatomy import Anatomy


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryCard(Card):
    """A library whose models are backbones, each under `library:model`."""

    install: str
    """Command that installs it."""
    sources: str
    """Pattern of the files in its package that define its models."""
    definition: str
    """Regular expression of a model's name in these files."""


def model_card(library: LibraryCard, model: str, summary: str, anatomy: Anatomy, *, licence: str = "") -> BackboneCard:
    """Make the card of a library's model.

    Args:
        library: its card.
        model: its name, which is shortened to that of a card.
        summary: one line.
        anatomy: of the network.
        licence: that the library states; its own when empty.
    """
    name = re.sub(r"[^a-z0-9._-]+", "-", f"{library.name}.{model.strip('/')}".lower())[:64]
    return BackboneCard(
        name=name,
        summary=summary,
        licence=licence or library.licence,
        dim=anatomy.shape[-1],
        length=anatomy.shape[0] if len(anatomy.shape) > 1 else None,
        layers=anatomy.layers,
        spatial=anatomy.spatial,
        tokens=anatomy.tokens,
    )


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
    tokens="11",
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
    tokens="layer4",
)

TIMM = LibraryCard(
    name="timm",
    summary="image networks, on each frame of a clip",
    install="pip install 'video-harness[timm]'",
    sources="models/*.py",
    definition=r"^@register_model\ndef (\w+)",
)

PYTORCHVIDEO = LibraryCard(
    name="pytorchvideo",
    summary="video networks of Kinetics: Slow, SlowFast, X3D, CSN, MViT and others",
    install="pip install 'video-harness[pytorchvideo]'",
    sources="models/hub/*.py",
    definition=r"^def ((?!hub_|mvit_base_16\()[a-z]\w*)(?<!_detection)\(",
)

TORCHVISION = LibraryCard(
    name="torchvision",
    summary="video networks, and image networks on each frame of a clip",
    licence="BSD-3-Clause",
    install="pip install torchvision",
    sources="models/**/*.py",
    definition=r"^@register_model\(\)\n(?:@.*\n)*def ((?!raft_)\w+)",
)

TRANSFORMERS = LibraryCard(
    name="transformers",
    summary="VideoMAE, V-JEPA 2, ViViT, DINO and others: a folder, a cached name or a type of model",
    install="pip install 'video-harness[transformers]'",
    sources="models/auto/modeling_auto.py",
    definition=r'\("([a-z][\w-]*)", \(?"\w+For(?:Video|Image)Classification"',
)
