"""Pose from Action: appearance learnt from the motion that changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl
from harness_pose_from_action.cards import POSE_FROM_ACTION, POSE_PAIRS, PRETEXT, VGG_M

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Evaluator, Method
    from harness.plugins.file_registry import ReferenceRegistry, SuiteRegistry
    from harness.plugins.registry import Registry

TABLES = ("pretext", "tables1-2", "table3", "table4", "fig4")
"""Suites of the paper's experiments; each also as `-mini`, on the embedded data."""
OTHER_STARTS = ("tables1-2-supervised", "tables1-2-imagenet", "table3-imagenet")
"""Suites of rows that start from other labels, at the paper's scale alone."""
CLAIMS = ("claims", "claims-transfer", "claims-scarce", "claims-colour")
"""Suites of the paper's claims on the embedded data; each also as `-mini`."""


@hookimpl
def harness_methods(registry: Registry[Method]) -> None:
    """Register the paper's method."""
    registry.register(POSE_FROM_ACTION, "harness_pose_from_action.pose_from_action:PoseFromAction")


@hookimpl
def harness_backbones(registry: Registry[Backbone]) -> None:
    """Register the network of the paper's experiments."""
    registry.register(VGG_M, "harness_pose_from_action.vgg_m:VggM")


@hookimpl
def harness_evaluators(registry: Registry[Evaluator]) -> None:
    """Register the accuracy of the pretext task, and the poses of neighbours."""
    registry.register(PRETEXT, "harness_pose_from_action.pretext:PretextAccuracy")
    registry.register(POSE_PAIRS, "harness_pose_from_action.pose_pairs:PosePairs")


@hookimpl
def harness_references(registry: ReferenceRegistry) -> None:
    """Register the four tables of the paper."""
    registry.register("pose_from_action", "harness_pose_from_action:references.yaml")


@hookimpl
def harness_suites(registry: SuiteRegistry) -> None:
    """Register suites for the paper's tables and figures, and its claims.

    Those without rows of other labels are there with the paper's parameters and on the embedded data.
    """
    minis = (f"{name}-mini" for name in (*TABLES, *CLAIMS))
    for name in (*TABLES, *OTHER_STARTS, *CLAIMS, *minis):
        registry.register(f"pose-from-action-{name}", f"harness_pose_from_action:suites/{name}.yaml")
