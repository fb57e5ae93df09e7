"""A user's plugin with a model that it registers in MTEB, and the same network as a method of ours."""

from __future__ import annotations

from harness import DatasetCard, MethodCard, hookimpl

THERE = MethodCard(name="there", summary="A network as a model of MTEB.", reads=frozenset())
HERE = MethodCard(name="here", summary="The same network.", reads=frozenset())
SQUARES = DatasetCard(name="squares", summary="Moving squares, drawn.")


@hookimpl
def harness_methods(registry):
    registry.register(THERE, "harness_from_mteb.there:There")
    registry.register(HERE, "harness_from_mteb.here:Here")


@hookimpl
def harness_datasets(registry):
    registry.register(SQUARES, "harness_from_mteb.data:Squares")
