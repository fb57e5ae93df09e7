"""Cells of a suite, before anything is known of their data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from harness.cards import Read
from harness.errors import unknown
from harness.execution.spelling import canonical_choice, without_shared
from harness.store.choices import Choice, Part, starting_fit, stored_parts
from harness.store.records import Average, CellSpec
from harness.suites.folds import folds, paired

if TYPE_CHECKING:
    from harness.plugins.manager import Plugins
    from harness.suites.schema import Suite


def suite_cells(suite: Suite, plugins: Plugins) -> Iterator[tuple[CellSpec, Average | None]]:
    """The cells of a suite, and the average over folds that each is part of.

    What a method does not read is no part of its cells: one that builds no network has one row for all backbones.
    """
    rows = (row for method in suite.methods for row in plugins.methods.along(method))
    written = (*rows, *(composite.choice for composite in suite.composites))
    spelt: dict[str, Choice] = {}

    def spell(data: Choice) -> Choice:
        key = data.model_dump_json()
        if key not in spelt:
            spelt[key] = canonical_choice(data, plugins.datasets)
        return spelt[key]

    cells = (
        (
            CellSpec(
                method=method,
                backbone=backbone if "backbone" in reads else None,
                pretraining=spell(learnt) if "pretraining" in reads else None,
                frames=suite.frames if "budget" in reads else None,
                evaluator=evaluator,
                data=spell(measured),
                seed=seed,
                precision=suite.precision if builds_network(method, plugins) else "fp32",
            ),
            average and average.model_copy(update={} if "pretraining" in reads else {"pretraining": None}),
        )
        for pretraining in suite.pretraining
        for backbone in suite.backbones
        for alike in [pretraining if len(folds(pretraining)) == 1 else None]  # else folds would have several names
        for method in (without_shared(one, alike, suite.frames) for one in written)
        for reads in [method_reads(method, plugins)]
        for seed in suite.seeds
        for data in suite.data or (pretraining,)
        for learnt, measured, average in paired(pretraining, data)
        for evaluator in suite.evaluators
    )
    seen: set[tuple[str, str]] = set()
    for cell, average in cells:
        place = cell.model_dump_json(), average.model_dump_json() if average else ""
        if place not in seen:
            seen.add(place)
            yield cell, average


class _OfCell(Protocol):
    @property
    def identity(self) -> CellSpec: ...


_Cell = TypeVar("_Cell", bound=_OfCell)


def measured_by(cells: Iterable[_Cell], evaluators: Sequence[str]) -> tuple[_Cell, ...]:
    """Choose the cells that some evaluators measure; all where none is named.

    Args:
        cells: of a suite.
        evaluators: names, each of one or more of the suite's evaluators, or labels such as `knn(k=5)`.

    Raises:
        UsageError: when the suite has no such evaluator.
    """
    cells = tuple(cells)
    names = [{cell.identity.evaluator.name, cell.identity.evaluator.label} for cell in cells]
    for wanted in evaluators:
        if not any(wanted in own for own in names):
            raise unknown("evaluator of the suite", wanted, set().union(*names))
    chosen = {*evaluators}
    return tuple(cell for cell, own in zip(cells, names, strict=True) if not chosen or chosen & own)


def method_reads(method: Choice, plugins: Plugins) -> frozenset[Read]:
    """Reads of a method and of the fits that it starts from, or of a composite."""
    parts = () if method.name in plugins.methods else stored_parts(method.options.get("of"))
    if parts:
        return frozenset().union(*(_shares(part, plugins) for part in parts))
    reads: frozenset[Read] = plugins.methods.entry(method.name).card.reads
    fit = starting_fit(method)
    if fit is None or fit.frames is not None:
        return reads
    return reads | (method_reads(fit.method, plugins) & {"budget"})


def builds_network(method: Choice, plugins: Plugins) -> bool:
    """True where a method, or a part of a composite, is fitted on a backbone."""
    parts = () if method.name in plugins.methods else stored_parts(method.options.get("of"))
    methods = [part.method for part in parts] or [method]
    return any("backbone" in plugins.methods.entry(one.name).card.reads for one in methods)


def _shares(part: Part, plugins: Plugins) -> set[Read]:
    """Reads of a part that it takes from its row."""
    own = {"backbone": part.backbone, "pretraining": part.pretraining}
    return {name for name in method_reads(part.method, plugins) if own.get(name) is None}
