"""From a suite to its cells: what will be measured, under which keys, and what cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cards import BackboneCard, DatasetCard, EvaluatorCard, MethodCard, Need, View
from harness.errors import PluginError, UsageError, unknown
from harness.interfaces import Dataset, Evaluator, Prepared, Split
from harness.store.records import Cell, CellSpec, Choice
from harness.suites.schema import Suite
from harness.system.hashing import digest, source_hash
from harness.video.decode import decoder
from harness.video.sampling import frames_digest

if TYPE_CHECKING:
    from harness.plugins.manager import Plugins

LAYER = "layer"


@dataclass(frozen=True, slots=True)
class Plan:
    """The cells of a suite, those of one fit together, in the suite's order."""

    suite: Suite
    cells: tuple[Cell, ...]

    def fits(self) -> dict[str, list[Cell]]:
        """Cells by fit key, in order."""
        groups: dict[str, list[Cell]] = {}
        for cell in self.cells:
            groups.setdefault(cell.fit_key, []).append(cell)
        return groups


def identities(suite: Suite) -> Iterator[CellSpec]:
    """The cells of a suite before anything is known of their data."""
    for pretraining in suite.pretraining:
        for backbone in suite.backbones:
            for method in suite.methods:
                for seed in suite.seeds:
                    for data in suite.data or (pretraining,):
                        for evaluator in suite.evaluators:
                            yield CellSpec(
                                method=method,
                                backbone=backbone,
                                pretraining=pretraining,
                                frames=suite.frames,
                                evaluator=evaluator,
                                data=data,
                                seed=seed,
                            )


def check(suite: Suite, plugins: Plugins) -> None:
    """Build every name of the suite once, so that nothing runs when one of them is wrong.

    Raises:
        PluginError: when a distribution that the suite requires is not installed.
        UsageError: when a name or an option is unknown or wrong.
    """
    for distribution in suite.requires:
        try:
            version(distribution)
        except PackageNotFoundError:
            msg = f"suite {suite.name!r} needs {distribution}: pip install {distribution}"
            raise PluginError(msg) from None
    for choice in suite.methods:
        plugins.methods.build(choice.name, choice.options)
    layers = {layer for choice in suite.evaluators if (layer := resolve_evaluator(plugins, choice)[1]) is not None}
    for choice in suite.backbones:
        known = plugins.backbones.build(choice.name, choice.options).card.layers
        for layer in sorted(layers - set(known)):
            raise unknown(f"layer of backbone {choice.name!r}:", layer, known)
    for name in suite.paths:
        plugins.datasets.entry(name)
    for choice in (*suite.pretraining, *suite.data):
        plugins.datasets.build(choice.name, choice.options, locations=suite.paths)
    for choice in suite.data or suite.pretraining:
        card = plugins.datasets.entry(choice.name).card
        if isinstance(card, DatasetCard) and "test" not in card.splits:
            msg = f"data set {choice.name!r} has no test split to measure on; name others under `data`"
            raise UsageError(msg)


def resolve_evaluator(plugins: Plugins, named: Choice) -> tuple[Evaluator, str | None]:
    """The evaluator `named`, and the layer whose vectors it is given; None for the encoder's own.

    `layer` is an option of every evaluator of vectors, which the harness keeps to itself.

    Raises:
        UsageError: when a name or an option is unknown or wrong, or the evaluator takes more than vectors.
    """
    options = {name: value for name, value in named.options.items() if name != LAYER}
    layer = named.options.get(LAYER)
    card = plugins.evaluators.entry(named.name).card
    assert isinstance(card, EvaluatorCard)
    if layer is not None and (not isinstance(layer, str) or card.needs != {"vector"}):
        msg = f"evaluator {named.name!r}: layer={layer!r}: only evaluators of vectors take the name of a layer"
        raise UsageError(msg)
    return plugins.evaluators.build(named.name, options), layer


class Planner:
    """Computes keys; asks each data set for its splits once.

    Args:
        plugins: where names are looked up.
        locations: folders of data sets by name, which a suite gives.
    """

    def __init__(self, plugins: Plugins, locations: Mapping[str, Path] | None = None) -> None:
        self._plugins = plugins
        self._locations = locations
        self._datasets: dict[str, Dataset] = {}
        self._splits: dict[tuple[str, str], Split] = {}

    def dataset(self, named: Choice) -> Dataset:
        """The data set, built once."""
        if named.label not in self._datasets:
            self._datasets[named.label] = self._plugins.datasets.build(
                named.name, named.options, locations=self._locations
            )
        return self._datasets[named.label]

    def split(self, named: Choice, name: str) -> Split:
        """A split, read once."""
        if (named.label, name) not in self._splits:
            self._splits[named.label, name] = self.dataset(named).split(name)
        return self._splits[named.label, name]

    def ready(self, identity: CellSpec) -> bool:
        """Whether the cell's data can be read without drawing or downloading it first."""
        return all(
            dataset.ready if isinstance(dataset, Prepared) else True
            for dataset in (self.dataset(identity.pretraining), self.dataset(identity.data))
        )

    def training(self, identity: CellSpec) -> Split:
        """What the method of `identity` may see: labelled only if its card says so."""
        split = self.split(identity.pretraining, "train")
        return split if self._card(identity).supervised else split.unlabelled()

    def _card(self, identity: CellSpec) -> MethodCard:
        card = self._plugins.methods.entry(identity.method.name).card
        assert isinstance(card, MethodCard)
        return card

    def cell(self, identity: CellSpec) -> Cell:
        """Keys and protocol of one cell."""
        plugins = self._plugins
        fit_key = digest(
            {
                "method": identity.method.model_dump(),
                "method_code": source_hash(plugins.methods.load(identity.method.name)),
                "backbone": identity.backbone.model_dump(),
                "backbone_code": source_hash(plugins.backbones.load(identity.backbone.name)),
                "training": self.training(identity).manifest,
                "frames": identity.frames,
                "seed": identity.seed,
            }
        )
        card = plugins.evaluators.entry(identity.evaluator.name).card
        assert isinstance(card, EvaluatorCard)
        data = self.dataset(identity.data)
        protocol = {
            "evaluator": identity.evaluator.model_dump(),
            "evaluator_code": source_hash(plugins.evaluators.load(identity.evaluator.name)),
            "source": card.protocol,
            "data": identity.data.model_dump(),
            "manifests": {name: self.split(identity.data, name).manifest for name in data.card.splits},
            "decoder": decoder(),
            "selection": "train split only",
        }
        partial = {name: found for name in data.card.splits if (found := coverage(self.split(identity.data, name)))}
        if partial:
            protocol["coverage"] = partial
        key = digest({"fit": fit_key, "protocol": protocol, "seed": identity.seed})
        method = self._card(identity)
        backbone = plugins.backbones.entry(identity.backbone.name).card
        assert isinstance(backbone, BackboneCard)
        offers = method.offers
        if "trainable" in offers and backbone.feature_map:
            offers |= {"feature_map"}
        network: frozenset[Need] = frozenset({"trainable"} if LAYER in identity.evaluator.options else ())
        return Cell(identity, fit_key, key, protocol, method.supervised, (card.needs | network) - offers)

    def plan(self, suite: Suite) -> Plan:
        """All cells; draws or reads the data sets."""
        return Plan(suite, tuple(self.cell(identity) for identity in identities(suite)))


def coverage(split: Split) -> dict[str, Any]:
    """How much of what its lists name a split has, and why not more; empty where it has all."""
    missing = split.left_out
    if not missing:
        return {}
    return {
        "videos": len(split),
        "listed": len(split) + len(missing),
        "reasons": dict(sorted(Counter(missing.values()).items())),
        "left_out": digest(dict(missing)),
    }


def protocol_with_view(protocol: Mapping[str, Any], view: View, splits: Mapping[str, Split]) -> dict[str, Any]:
    """The cell's protocol completed by what the encoder sees of a video, down to the numbers of the frames."""
    frames = {name: frames_digest([video.frames for video in split.videos], view) for name, split in splits.items()}
    return {**protocol, "view": asdict(view), "frames": frames, "aggregation": "mean over clips and crops"}
