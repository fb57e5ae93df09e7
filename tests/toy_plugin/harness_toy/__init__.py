"""A third party's plugin whose methods misbehave in every way a method can."""

from __future__ import annotations

from harness import BackboneCard, DatasetCard, EvaluatorCard, MethodCard, Metric, hookimpl

NAMES = (
    *("counted", "diverges", "raises", "exits", "runs_out_of_memory", "slow", "reads_labels"),
    *("forgets_eval", "cannot_load", "drops_out"),
)
CARDS = {name: MethodCard(name=name, summary=f"A method that {name}.") for name in NAMES}
BLOBS = DatasetCard(name="blobs", summary="Moving squares under another name.")
TWO_LAYERS = BackboneCard(
    name="two_layers",
    summary="Mean colours, and a linear layer on them.",
    dim=2,
    layers=("colours", "linear"),
)
TINY = BackboneCard(name="tiny", summary="Two small convolutions.", dim=16, spatial="0")
DROPOUT = BackboneCard(name="dropout", summary="A convolution, batch normalisation and much dropout.", dim=64)
_METRIC = Metric(id="value", title="Value", unit="1", higher_is_better=True)
FRAGILE = EvaluatorCard(name="fragile", summary="Raises for odd seeds.", protocol="none", metrics=(_METRIC,))
TRAINS = EvaluatorCard(
    name="trains", summary="Needs a feature map.", protocol="none", metrics=(_METRIC,), needs=frozenset({"feature_map"})
)
NOT_A_NUMBER = EvaluatorCard(name="not_a_number", summary="Gives NaN.", protocol="none", metrics=(_METRIC,))


@hookimpl
def harness_methods(registry):
    for name in NAMES:
        registry.register(CARDS[name], f"harness_toy.methods:{name.title().replace('_', '')}")


@hookimpl
def harness_backbones(registry):
    registry.register(TWO_LAYERS, "harness_toy.backbones:TwoLayers")
    registry.register(TINY, "harness_toy.backbones:Tiny")
    registry.register(DROPOUT, "harness_toy.backbones:Dropout")


@hookimpl
def harness_datasets(registry):
    registry.register(BLOBS, "harness_toy.data:Blobs")


@hookimpl
def harness_evaluators(registry):
    registry.register(FRAGILE, "harness_toy.evaluators:Fragile")
    registry.register(TRAINS, "harness_toy.evaluators:Trains")
    registry.register(NOT_A_NUMBER, "harness_toy.evaluators:NotANumber")


@hookimpl
def harness_suites(registry):
    registry.register("toy", "harness_toy:toy.yaml")


@hookimpl
def harness_references(registry):
    registry.register("toy", "harness_toy:references.yaml")
