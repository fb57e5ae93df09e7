"""Mid-level video representation by iterative clustering of local volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl
from harness_midlevel.cards import MIDLEVEL, MIDLEVEL_KMEANS, MIDLEVEL_SOFTMAX, MIDLEVEL_SVM

if TYPE_CHECKING:
    from harness.interfaces import Method
    from harness.plugins.file_registry import ReferenceRegistry, SuiteRegistry
    from harness.plugins.registry import Registry

TABLES = ("table1", "table2", "table2-rgb", "adaptivity", "figures")
"""Suites of the paper's experiments; each also as `-mini`, on the embedded data."""
CLAIMS = ("claims", "claims-transfer", "claims-rank", "claims-fusion")
"""Suites of the paper's claims on the embedded data; each also as `-mini`."""


@hookimpl
def harness_methods(registry: Registry[Method]) -> None:
    """Register the paper's method and those it is compared with."""
    registry.register(MIDLEVEL, "harness_midlevel.methods:Midlevel")
    registry.register(MIDLEVEL_SOFTMAX, "harness_midlevel.methods:MidlevelSoftmax")
    registry.register(MIDLEVEL_SVM, "harness_midlevel.baselines:MidlevelSvm")
    registry.register(MIDLEVEL_KMEANS, "harness_midlevel.baselines:MidlevelKmeans")


@hookimpl
def harness_references(registry: ReferenceRegistry) -> None:
    """Register the two tables of the paper and its text on adaptivity."""
    registry.register("midlevel", "harness_midlevel:references.yaml")


@hookimpl
def harness_suites(registry: SuiteRegistry) -> None:
    """Register suites for the paper's tables, its figure and its claims.

    Each is there with the paper's parameters and on the embedded data.
    """
    for name in (*TABLES, *CLAIMS):
        for ending in ("", "-mini"):
            registry.register(f"midlevel-{name}{ending}", f"harness_midlevel:suites/{name}{ending}.yaml")
