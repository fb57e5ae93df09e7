"""Trajectory clustering: instance recognition and local aggregation of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl
from harness_trajectory_clustering.cards import RESNET3D_18, RESNET3D_34, VIDEO_IR, VIDEO_LA

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Method
    from harness.plugins.file_registry import ReferenceRegistry, SuiteRegistry
    from harness.plugins.registry import Registry

TABLES = (
    *("table1", "table2", "table3", "table4", "table5", "table6", "table7"),
    *("fig4", "figures", "objectives"),
)
"""Suites of the paper's experiments; each also as `-mini`, on the embedded data."""
CLAIMS = ("claims", "claims-transfer", "claims-colour", "claims-ablations")
"""Suites of the paper's claims on the embedded data; each also as `-mini`."""


@hookimpl
def harness_methods(registry: Registry[Method]) -> None:
    """Register the paper's two methods."""
    registry.register(VIDEO_IR, "harness_trajectory_clustering.video_ir:VideoIR")
    registry.register(VIDEO_LA, "harness_trajectory_clustering.video_la:VideoLA")


@hookimpl
def harness_backbones(registry: Registry[Backbone]) -> None:
    """Register the networks of the paper's experiments."""
    registry.register(RESNET3D_18, "harness_trajectory_clustering.resnet3d:ResNet3D18")
    registry.register(RESNET3D_34, "harness_trajectory_clustering.resnet3d:ResNet3D34")


@hookimpl
def harness_references(registry: ReferenceRegistry) -> None:
    """Register the seven tables of the paper."""
    registry.register("trajectory_clustering", "harness_trajectory_clustering:references.yaml")


@hookimpl
def harness_suites(registry: SuiteRegistry) -> None:
    """Register suites for the paper's tables and figures, its losses and its claims.

    Each is there with the paper's parameters and on the embedded data.
    """
    for name in (*TABLES, *CLAIMS):
        registry.register(f"trajectory-clustering-{name}", f"harness_trajectory_clustering:suites/{name}.yaml")
        registry.register(
            f"trajectory-clustering-{name}-mini", f"harness_trajectory_clustering:suites/{name}-mini.yaml"
        )
