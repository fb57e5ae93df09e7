"""Plan of a suite: specs of its cells with every key, before anything is fitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.cards import Elsewhere, in_words
from harness.datasets.split_views import FrameImages, Made, source_videos
from harness.errors import PluginError, UsageError, contract_of, unknown
from harness.execution.answers import expect_answers
from harness.execution.cells import method_reads, suite_cells
from harness.execution.codes import cell_code, fit_codes
from harness.execution.spelling import canonical
from harness.execution.starting_fits import expect_network_of, expect_one_fold, fit_cell, start_after
from harness.execution.unread import unread
from harness.execution.weights_files import FromElsewhere, located_start, portable_weights, weights_names
from harness.plugins.method_registry import ALONG
from harness.store import keys
from harness.store.choices import AT, Choice, Part, at_share, share_of, starting_fit
from harness.store.records import CellSpec
from harness.store.specs import Composite, EncodeSpec, EvalSpec, FitSpec, ReducedFit, Row
from harness.suites.folds import folds
from harness.suites.schema import CompositeChoice, PinnedView, Suite
from harness.system.hashing import digest

if TYPE_CHECKING:
    from pathlib import Path

    from harness.backbones.start import Start
    from harness.execution.sources import DataSources
    from harness.interfaces import Dataset, Evaluator, Split
    from harness.plugins.manager import Plugins
    from harness.plugins.method_registry import MethodRegistry
    from harness.plugins.registry import Registry
    from harness.values import Encoding


@dataclass(frozen=True, slots=True)
class Plan:
    """The cells of a suite, those of one row together, in the suite's order."""

    suite: Suite
    cells: tuple[EvalSpec, ...]

    def rows(self) -> dict[str, list[EvalSpec]]:
        """Cells by the key of their row, in order."""
        groups: dict[str, list[EvalSpec]] = {}
        for cell in self.cells:
            groups.setdefault(cell.row.key, []).append(cell)
        return groups


def identities(suite: Suite, plugins: Plugins) -> Iterator[CellSpec]:
    """The cells of a suite before anything is known of their data, each once."""
    return iter({cell.model_dump_json(): cell for cell, _ in suite_cells(suite, plugins)}.values())


def check(suite: Suite, plugins: Plugins) -> Suite:
    """Construct every name of a suite once, so that nothing runs with a wrong one.

    Returns:
        The suite with its options in one spelling.

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
    named = portable_weights(suite, plugins)
    for choice, backbone in ((choice, backbone) for choice, backbones in named.fitted for backbone in backbones):
        start = located_start(choice, backbone, plugins, named.paths)
        plugins.methods.draft(choice.name, plugins.methods.started(choice.name, choice.options, start))
    for choice, _ in named.fitted:
        if (fit := starting_fit(choice)) and fit.pretraining:
            expect_one_fold(fit.pretraining, choice)
            plugins.datasets.build(fit.pretraining.name, fit.pretraining.options, locations=suite.paths)
    _expect_rows(named, plugins)
    for composite in named.composites:
        if composite.name in plugins.methods:
            msg = f"suite {suite.name!r}: composite {composite.name!r} has the name of a method; give it another"
            raise UsageError(msg)
        if sum(one.name == composite.name for one in named.composites) > 1:
            msg = f"suite {suite.name!r}: two composites are named {composite.name!r}; give each a name of its own"
            raise UsageError(msg)
        for part in composite.of:
            _check_part(part, composite, plugins, suite.paths)
    for choice in suite.evaluators:
        plugins.evaluators.draft(choice.name, choice.options)
    encodings = [plugins.evaluators.encoding(choice.name, choice.options) for choice in suite.evaluators]
    layers = {encoding.layer for encoding in encodings if encoding.layer is not None}
    alone = [one.of[0] for one in suite.composites if len(one.of) == 1]  # others have no layers
    own = [part.backbone for part in alone if part.backbone is not None and part.reduction is None]
    for choice in (*suite.backbones, *own):
        known = plugins.backbones.draft(choice.name, choice.options).card.layers
        for layer in sorted(layers):
            if layer not in known:
                raise unknown(f"layer of backbone {choice.name!r}:", layer, known)
    for name in suite.paths.keys() - weights_names(named, plugins):
        plugins.datasets.entry(name)
    for choice in (fold for choices in (*suite.pretraining, *suite.data) for fold in folds(choices)):
        plugins.datasets.build(choice.name, choice.options, locations=suite.paths)
    for choice in suite.data or suite.pretraining:
        if "test" not in plugins.datasets.entry(choice.name).card.splits:
            msg = f"data set {choice.name!r} has no test split to measure on; name others under `data`"
            raise UsageError(msg)
    return canonical(named, plugins)


def _expect_rows(suite: Suite, plugins: Plugins) -> None:
    """Expect lists of shares of methods, and single ones of parts.

    Raises:
        UsageError: when there are others.
    """
    for choice in suite.methods:
        if (share := share_of(choice)) is not None:
            msg = f"method {choice.name!r}: a share of its fit is a row beside the whole; write {ALONG}: [{share}]"
            raise UsageError(msg)
    for choice, _ in suite.fitted[len(suite.methods) :]:
        if len(plugins.methods.along(choice)) > 1:
            msg = f"method {choice.name!r}: expected one encoder here, got a list {ALONG!r}; write '{AT}': 25 for one"
            raise UsageError(msg)


def _check_part(part: Part, composite: CompositeChoice, plugins: Plugins, locations: Mapping[str, Path]) -> None:
    """Construct what a part names of its own.

    Raises:
        PluginError: when a class cannot be imported.
        UsageError: when its method does not read it, or a name or an option is unknown or wrong.
    """
    for name, choice in (("backbone", part.backbone), ("pretraining", part.pretraining)):
        if choice is not None and name not in method_reads(part.method, plugins):
            msg = (
                f"composite {composite.name!r}: method {part.method.name!r} reads no {name}, got {choice.label}; "
                f"leave {name!r} of the part out"
            )
            raise UsageError(msg)
    if part.backbone is not None:
        plugins.backbones.draft(part.backbone.name, part.backbone.options)
    if part.pretraining is not None:
        plugins.datasets.build(part.pretraining.name, part.pretraining.options, locations=locations)


def plan_suite(suite: Suite, plugins: Plugins, sources: DataSources) -> Plan:
    """All cells of a suite; draws or reads the data sets.

    Raises:
        UsageError: when an evaluator names a label or a target that no data set of the suite has.
    """
    planner = Planner(plugins, sources, suite.view)
    cells = tuple(suite_cells(suite, plugins))
    expect_answers((cell for cell, _ in cells), plugins, sources)
    return Plan(suite, tuple(replace(planner.cell(cell), average=average) for cell, average in cells))


def plan_cell(
    cell: CellSpec, plugins: Plugins, sources: DataSources, view: PinnedView = MappingProxyType({})
) -> EvalSpec:
    """Keys, protocol and encodings of one cell; see `Planner`."""
    return Planner(plugins, sources, view).cell(cell)


class Planner:
    """Plans cells one after the other; what they share is computed once.

    Args:
        plugins: where names are looked up.
        sources: of the data.
        view: what encoders have to see, where the suite pins it.
    """

    def __init__(self, plugins: Plugins, sources: DataSources, view: PinnedView = MappingProxyType({})) -> None:
        self._plugins = plugins
        self._sources = sources
        self._view = view
        self._fits: dict[tuple[str, int], FitSpec] = {}
        self._seedless: dict[str, tuple[FitSpec, dict[str, Any]]] = {}
        self._evaluators: dict[str, Evaluator] = {}
        self._protocols: dict[tuple[str, str], dict[str, Any]] = {}

    def cell(self, cell: CellSpec) -> EvalSpec:
        """Keys, protocol and encodings of one cell."""
        row = self.row(cell)
        evaluator = self._evaluator(cell.evaluator)
        data = self._sources.dataset(cell.data)
        missing = evaluator.card.needs - row.promise.offers
        reason = f"its encoders offer no {' and no '.join(sorted(missing))}" if missing else ""
        reason = reason or _other_view(row, self._view) or _without_speed(row, evaluator)
        encodings = () if reason else self._encodings(row, evaluator, data, cell)
        reason = reason or _not_in_file(encodings)
        encodings = () if reason else encodings
        protocol = self._protocol(cell, evaluator, data)
        key = keys.run_key(
            row=row.key, protocol=protocol, features=tuple(encoding.key for encoding in encodings), seed=cell.seed
        )
        return EvalSpec(
            identity=cell,
            row=row,
            encodings=encodings,
            encoding_code=keys.encoding_code(self._sources.kind(cell.data)),
            protocol=protocol,
            key=key,
            not_applicable=reason,
        )

    def row(self, cell: CellSpec) -> Row:
        """The fit of a cell, or its composite."""
        options = cell.method.options
        if cell.method.name in self._plugins.methods or not {"of", "by"} <= options.keys():
            return self.fit(cell)
        parts = tuple(self._part(part, cell) for part in cell.parts)
        return Composite(of=parts, by=options["by"], key=keys.row_key(tuple(part.key for part in parts), options["by"]))

    def _part(self, part: Part, cell: CellSpec) -> Row:
        own = {"backbone": part.backbone or cell.backbone, "pretraining": part.pretraining or cell.pretraining}
        fit = self.fit(cell.model_copy(update={"method": part.method, **own}))
        if part.reduction is None:
            return fit
        return ReducedFit(of=fit, by=part.reduction, key=keys.reduced_key(fit.key, part.reduction))

    def fit(self, cell: CellSpec) -> FitSpec:
        """The fit of a cell; fits that differ in their seed alone share the rest."""
        if (share := share_of(cell.method)) is not None:
            whole = self.fit(cell.model_copy(update={"method": at_share(cell.method, None)}))
            return replace(whole, method=cell.method, key=keys.share_key(whole.key, share), whole=whole)
        place = cell.model_dump_json(include={"method", "backbone", "pretraining", "frames", "precision"})
        if (place, cell.seed) not in self._fits:
            if place in self._seedless:
                spec, known = self._seedless[place]
                spec = replace(spec, seed=cell.seed, key=keys.fit_key(**known, seed=cell.seed))
            else:
                spec, known = self._fit(cell)
                if spec.after is None:  # else the weights that it starts from are of a fit with the same seed
                    self._seedless[place] = spec, known
            self._fits[place, cell.seed] = spec
        return self._fits[place, cell.seed]

    def _fit(self, cell: CellSpec) -> tuple[FitSpec, dict[str, Any]]:
        """A fit, and what its key is of beside the seed."""
        plugins, sources = self._plugins, self._sources
        methods, written = plugins.methods, cell.method
        started = methods.fit_start(written.name, written.options)
        after = None if started is None else self.fit(fit_cell(started.fit, cell, plugins))
        start = located_start(written, cell.backbone, plugins, sources.locations)
        if started is not None and after is not None:
            start = start_after(started, after)
        method = methods.draft(written.name, methods.started(written.name, written.options, start))
        card = method.card
        read = cell.backbone if "backbone" in card.reads else None
        learnt = cell.pretraining if "pretraining" in card.reads else None
        frames = cell.frames if "budget" in card.reads else None
        backbone = unread("backbone", cell.method) if read is None else plugins.backbones.draft(read.name, read.options)
        if after is not None:
            expect_network_of(backbone, after, written)
        with contract_of(f"method {cell.method.name!r} cannot be planned"):
            promise = method.promise(backbone)
        training = "" if learnt is None else _manifest(sources.training(learnt, supervised=card.supervised), learnt)
        codes = fit_codes(written.name, method, None if read is None else backbone, learnt, plugins, sources)
        known: dict[str, Any] = {
            "method": _by_content(written, start, after, methods),
            **codes,
            "reads": card.reads,
            "backbone": None if read is None else _completed(read, plugins.backbones),
            "training": training,
            "frames": frames,
            "precision": cell.precision,
        }
        spec = FitSpec(
            method=written,
            backbone=read,
            pretraining=learnt,
            frames=frames,
            seed=cell.seed,
            supervised=card.supervised,
            start=start,
            after=after,
            origin=method.origin if isinstance(method, FromElsewhere) else None,
            precision="fp32" if read is None else cell.precision,
            promise=promise,
            code=digest(codes),
            training=known["training"],
            key=keys.fit_key(**known, seed=cell.seed),
        )
        return spec, known

    def _evaluator(self, choice: Choice) -> Evaluator:
        written = choice.model_dump_json()
        if written not in self._evaluators:
            self._evaluators[written] = self._plugins.evaluators.draft(choice.name, choice.options)
        return self._evaluators[written]

    def _encodings(self, row: Row, evaluator: Evaluator, data: Dataset, cell: CellSpec) -> tuple[EncodeSpec, ...]:
        """The features that an evaluator will ask for of every fit of a row.

        None where it cannot measure the row with its options: evaluating it says why, which is recorded as its failure.
        """
        sources = self._sources
        try:
            with contract_of(f"evaluator {cell.evaluator.name!r} cannot be planned"):
                asked = [list(_by_fit(row, one)) for one in evaluator.encodings(row.promise, data, seed=cell.seed)]
            encoded = [
                (fit, keys.encoded(fit.promise, one)) for of_fit in zip(*asked, strict=True) for fit, one in of_fit
            ]
            views = [keys.shown(fit.promise, one) for fit, one in encoded]
        except UsageError:
            return ()
        code = keys.encoding_code(sources.kind(cell.data))
        return tuple(
            EncodeSpec(
                fit=fit,
                data=cell.data,
                encoding=encoding,
                code=code,
                key=keys.feature_key(
                    fit=fit.key,
                    view=view,
                    encoding=encoding,
                    manifest=_manifest(encoded_split(cell.data, encoding, sources), cell.data),
                    code=code,
                ),
            )
            for (fit, encoding), view in zip(encoded, views, strict=True)
        )

    def _protocol(self, cell: CellSpec, evaluator: Evaluator, data: Dataset) -> dict[str, Any]:
        """Protocol of the cell's score, which all rows share."""
        place = cell.evaluator.model_dump_json(), cell.data.model_dump_json()
        if place not in self._protocols:
            self._protocols[place] = self._new_protocol(cell, evaluator, data)
        return self._protocols[place]

    def _new_protocol(self, cell: CellSpec, evaluator: Evaluator, data: Dataset) -> dict[str, Any]:
        plugins, sources = self._plugins, self._sources
        splits = {name: sources.split(cell.data, name) for name in data.card.splits}
        return keys.protocol(
            evaluator=_completed(cell.evaluator, plugins.evaluators),
            evaluator_code=cell_code(cell.evaluator.name, evaluator, cell.data, plugins, sources),
            source=evaluator.card.protocol,
            data=_completed(cell.data, plugins.datasets),
            manifests={name: _manifest(split, cell.data) for name, split in splits.items()},
            coverage={name: share for name, split in splits.items() if (share := coverage(split))},
        )


def _by_content(method: Choice, start: Start | None, after: FitSpec | None, methods: MethodRegistry) -> Choice:
    """Complete a method with its defaults, its weights known by content alone.

    The content is the hash of the file, or the key of the fit.
    """
    placeless = None if start is None else replace(start, weights="-", sha256=after.key if after else start.sha256)
    options = methods.started(method.name, method.options, placeless)
    return _completed(Choice(name=method.name, options=options), methods)


def _completed(choice: Choice, registry: Registry[Any]) -> Choice:
    """Complete a choice with its defaults, so that a changed default is seen."""
    return Choice(name=choice.name, options=registry.completed(choice.name, choice.options))


def _other_view(row: Row, pinned: PinnedView) -> str:
    """Reason why a row is not of the pinned view; empty when it is."""
    for view in row.promise.views:
        wrong = [name for name, value in pinned.items() if getattr(view, name, None) != value]
        if wrong:
            wanted = ", ".join(f"{name} {pinned[name]}" for name in wrong)
            return f"its encoder sees {in_words(view)}; the suite pins {wanted}"
    return ""


def _without_speed(row: Row, evaluator: Evaluator) -> str:
    """Reason why the speed of a row cannot be measured; empty where it can, or is not."""
    if evaluator.card.time and any(isinstance(view, Elsewhere) for view in row.promise.views):
        return "its vectors were computed elsewhere, at an unknown speed"
    joined = isinstance(row, Composite) and len(row.of) > 1
    return "its parts see clips of their own; measure the speed of each" if joined and evaluator.card.time else ""


def _not_in_file(encodings: tuple[EncodeSpec, ...]) -> str:
    """Reason why vectors computed elsewhere are not enough; empty where they are."""
    other = any(
        isinstance(one.fit.promise.view, Elsewhere) and (one.encoding.shuffle, one.encoding.frames) != (None, None)
        for one in encodings
    )
    return "its vectors were computed elsewhere, of whole videos in their order" if other else ""


def _by_fit(row: Row, asked: Encoding) -> Iterator[tuple[FitSpec, Encoding]]:
    """Fits of a row, each with what an evaluator's encoding becomes for it."""
    if isinstance(row, FitSpec):
        yield row, asked
    elif isinstance(row, ReducedFit):
        yield row.of, row.by.asked(asked)
    else:
        for part in row.of:
            yield from _by_fit(part, asked)


def _manifest(split: Split, data: Choice) -> str:
    with contract_of(f"data set {data.name!r} gives split {split.name!r} no manifest"):
        return split.manifest


def encoded_split(data: Choice, encoding: Encoding, sources: DataSources) -> Split:
    """Split that an encoding asks for: videos, or single frames of them."""
    split = sources.split(data, encoding.split)
    return split if encoding.frames is None else FrameImages.every(split, encoding.frames)


def coverage(split: Split) -> dict[str, Any]:
    """Share of the listed videos that a split has; empty where it has all.

    Of images of videos, and of videos joined to one, those that they are made of count.
    """
    missing = split.left_out
    if not missing:
        return {}
    videos = len(split)
    if isinstance(split, Made):
        videos = len({(id(one), place) for index in range(videos) for one, place in source_videos(split, index)})
    return {
        "videos": videos,
        "listed": videos + len(missing),
        "reasons": dict(sorted(Counter(missing.values()).items())),
        "left_out": digest(dict(missing)),
    }
