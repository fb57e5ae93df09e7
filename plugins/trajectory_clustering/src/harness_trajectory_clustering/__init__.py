"""Trajectory clustering: instance recognition and local aggregation of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl
from harness_trajectory_clustering.cards import RESNET3D_18, RESNET3D_34

if TYPE_CHECKING:
    from harness.interfaces import Backbone
    from harness.plugins.file_registry import ReferenceRegistry
    from harness.plugins.registry import Registry


@hookimpl
def harness_backbones(registry: Registry[Backbone]) -> None:
    """Register the networks of the paper's experiments."""
    registry.register(RESNET3D_18, "harness_trajectory_clustering.resnet3d:ResNet3D18")
    registry.register(RESNET3D_34, "harness_trajectory_clustering.resnet3d:ResNet3D34")


@hookimpl
def harness_references(registry: ReferenceRegistry) -> None:
    """Register the seven tables of the paper."""
    registry.register("trajectory_clustering", "harness_trajectory_clustering:references.yaml")
