"""What the core itself offers, registered through the same hooks as anybody's plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import backbones, datasets, evaluators, methods
from harness.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Dataset, Evaluator, Method
    from harness.registry import Registry, SuiteRegistry


@hookimpl
def harness_methods(registry: Registry[Method]) -> None:
    """The two references every method is seen beside."""
    registry.register(methods.RANDOM_INIT, "harness.methods.random_init:RandomInit")
    registry.register(methods.SUPERVISED, "harness.methods.supervised:Supervised")


@hookimpl
def harness_backbones(registry: Registry[Backbone]) -> None:
    """Small networks for the embedded data, and standard ones."""
    registry.register(backbones.SMALL_2D, "harness.backbones.small_2d:Small2D")
    registry.register(backbones.SMALL_3D, "harness.backbones.small_3d:Small3D")
    registry.register(backbones.RESNET18, "harness.backbones.resnet18:ResNet18")
    registry.register(backbones.R3D_18, "harness.backbones.r3d_18:R3D18")


@hookimpl
def harness_datasets(registry: Registry[Dataset]) -> None:
    """The embedded data set in its two variants."""
    registry.register(datasets.MOCAP_ACTIONS, "harness.datasets.mocap_actions.dataset:MocapActions")
    registry.register(datasets.MOCAP_ACTIONS_UNBIASED, "harness.datasets.mocap_actions.dataset:MocapActionsUnbiased")


@hookimpl
def harness_evaluators(registry: Registry[Evaluator]) -> None:
    """The standard protocols."""
    registry.register(evaluators.LINEAR_PROBE, "harness.evaluators.linear_probe:LinearProbe")
    registry.register(evaluators.KNN, "harness.evaluators.knn:KNN")
    registry.register(evaluators.CLUSTERING, "harness.evaluators.clustering:Clustering")


@hookimpl
def harness_suites(registry: SuiteRegistry) -> None:
    """The suite of the README."""
    registry.register("quickstart", "harness.suites:quickstart.yaml")
