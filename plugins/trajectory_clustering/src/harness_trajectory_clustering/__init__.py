"""Trajectory clustering: instance recognition and local aggregation of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl
from harness_trajectory_clustering.cards import RESNET3D_18, RESNET3D_34, VIDEO_IR, VIDEO_LA

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Method
    from harness.plugins.file_registry import ReferenceRegistry
    from harness.plugins.registry import Registry


@hookimpl
def harness_methods(registry: Registry[Method]) -> None:
    """Register the paper's two methods."""
    registry.register(VIDEO_IR, "harness_trajectory_clustering.methods:VideoIR")
    registry.register(VIDEO_LA, "harness_trajectory_clustering.methods:VideoLA")


@hookimpl
def harness_backbones(registry: Registry[Backbone]) -> None:
    """Register the networks of the paper's experiments."""
    registry.register(RESNET3D_18, "harness_trajectory_clustering.resnet3d:ResNet3D18")
    registry.register(RESNET3D_34, "harness_trajectory_clustering.resnet3d:ResNet3D34")


@hookimpl
def harness_references(registry: ReferenceRegistry) -> None:
    """Register the seven tables of the paper."""
    registry.register("trajectory_clustering", "harness_trajectory_clustering:references.yaml")
