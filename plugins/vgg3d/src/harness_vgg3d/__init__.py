"""VGG-3D: frame features concatenated in time, and fusion with C3D."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl
from harness_vgg3d.cards import C3D, LBFGS_SOFTMAX, OWN_SOFTMAX, SPATIAL_STREAM, VGG3D, VGG19

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Evaluator, Method
    from harness.plugins.file_registry import ReferenceRegistry, SuiteRegistry
    from harness.plugins.registry import Registry

TABLES = ("table1", "table2", "table3", "fig4")
"""Suites of the paper's tables and of its fourth figure; each also as `-mini`."""
CLAIMS = ("claims", "claims-biased", "claims-order")
"""Suites of the paper's claims on the embedded data; each also as `-mini`."""


@hookimpl
def harness_methods(registry: Registry[Method]) -> None:
    """Register the paper's method and its baseline."""
    registry.register(VGG3D, "harness_vgg3d.vgg3d:Vgg3d")
    registry.register(SPATIAL_STREAM, "harness_vgg3d.spatial_stream:SpatialStream")


@hookimpl
def harness_backbones(registry: Registry[Backbone]) -> None:
    """Register the networks whose released weights the paper uses."""
    registry.register(VGG19, "harness_vgg3d.vgg19:Vgg19")
    registry.register(C3D, "harness_vgg3d.c3d:C3d")


@hookimpl
def harness_evaluators(registry: Registry[Evaluator]) -> None:
    """Register both classifiers of the paper."""
    registry.register(OWN_SOFTMAX, "harness_vgg3d.own_softmax:OwnSoftmax")
    registry.register(LBFGS_SOFTMAX, "harness_vgg3d.lbfgs_softmax:LbfgsSoftmax")


@hookimpl
def harness_references(registry: ReferenceRegistry) -> None:
    """Register the three tables of the paper."""
    registry.register("vgg3d", "harness_vgg3d:references.yaml")


@hookimpl
def harness_suites(registry: SuiteRegistry) -> None:
    """Register suites for the paper's tables and figures, and its claims.

    All are there with the paper's parameters and on the embedded data.
    """
    for name in (*TABLES, *CLAIMS, *(f"{name}-mini" for name in (*TABLES, *CLAIMS))):
        registry.register(f"vgg3d-{name}", f"harness_vgg3d:suites/{name}.yaml")
