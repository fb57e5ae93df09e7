"""Units of a plan: a fit or composite, with the evaluations that depend on it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.store.choices import Choice
from harness.store.specs import EvalSpec, FitSpec, Row

if TYPE_CHECKING:
    from harness.execution.failures import Failure
    from harness.plugins.manager import Plugins


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Work that is done in processes of its own, as a value for any machine."""

    row: Row
    evaluations: tuple[EvalSpec, ...] = ()
    after: tuple[FitSpec, ...] = ()
    """Fits to be stored before.

    Parts of a composite, the fit to start from, or the whole fit of a share.
    """
    along: tuple[FitSpec, ...] = ()
    """All shares that the fit, or the one that it is a share of, has to keep."""
    plugins: frozenset[str] = frozenset()
    """Names of the plugins that the fit needs."""
    evaluators: Mapping[str, frozenset[str]]
    """By the key of each evaluation, names of the plugins that it needs."""

    @property
    def key(self) -> str:
        """Key of the row."""
        return self.row.key

    @property
    def fit(self) -> FitSpec | None:
        """The fit to be done; None for a composite."""
        return self.row if isinstance(self.row, FitSpec) else None

    def groups(self) -> list[tuple[frozenset[str], tuple[EvalSpec, ...]]]:
        """Evaluations that need the same plugins, in order."""
        groups: dict[frozenset[str], list[EvalSpec]] = {}
        for cell in self.evaluations:
            groups.setdefault(self.evaluators[cell.key], []).append(cell)
        return [(plugins, tuple(cells)) for plugins, cells in groups.items()]

    def only(self, keys: Container[str]) -> Unit:
        """The unit with some of its evaluations."""
        return replace(self, evaluations=tuple(cell for cell in self.evaluations if cell.key in keys))

    def failure_after(self, failures: Mapping[str, Failure | None]) -> Failure | None:
        """Failure of a fit that it depends on, as its own.

        Args:
            failures: of fits, by key.
        """
        for fit in self.after:
            failure = failures.get(fit.key)
            if failure is not None:
                started = self.fit is not None and self.fit.whole is None
                return failure.of(f"the {fit.started_from} that it starts from") if started else failure
        return None


def work_units(cells: Iterable[EvalSpec], plugins: Plugins) -> tuple[Unit, ...]:
    """Group the cells of a plan by row, each unit after those that it depends on.

    A fit that is no row of its own has a unit without evaluations.
    """
    rows: dict[str, Row] = {}
    evaluations: dict[str, dict[str, EvalSpec]] = {}
    needed = _Needed(plugins)
    for cell in cells:
        if not cell.not_applicable:
            for row in (*(fit for part in cell.row.fits for fit in reversed(part.chain)), cell.row):
                rows.setdefault(row.key, row)
            evaluations.setdefault(cell.row.key, {}).setdefault(cell.key, cell)
    shares: dict[str, list[FitSpec]] = {}
    for row in rows.values():
        if isinstance(row, FitSpec) and row.whole is not None:
            shares.setdefault(row.whole.key, []).append(row)
    return tuple(
        Unit(
            row=row,
            evaluations=(own := tuple(evaluations.get(key, {}).values())),
            after=_after(row),
            along=tuple(shares.get(row.whole.key if isinstance(row, FitSpec) and row.whole else key, ())),
            plugins=needed.by_fits(row),
            evaluators={cell.key: needed.by_evaluation(cell) for cell in own},
        )
        for key, row in rows.items()
    )


def _after(row: Row) -> tuple[FitSpec, ...]:
    if isinstance(row, FitSpec):
        return () if row.before is None else (row.before,)
    return tuple({fit.key: fit for fit in row.fits}.values())


class _Needed:
    """Plugins that registered what fits and evaluations are made of."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._of_data: dict[str, frozenset[str]] = {}

    def by_fits(self, row: Row) -> frozenset[str]:
        """Plugins of the methods, backbones and data of a row's fits."""
        fits = [fit for part in row.fits for fit in part.chain]
        return frozenset().union(*map(self._by_fit, fits))

    def by_evaluation(self, cell: EvalSpec) -> frozenset[str]:
        """Plugins of a cell's row, of its evaluator and its data."""
        identity, evaluators = cell.identity, self._plugins.evaluators
        learnt = (identity.pretraining, *identity.further_data)
        return frozenset({evaluators.entry(identity.evaluator.name).origin.plugin}).union(
            self.by_fits(cell.row), *(self._by_data(data) for data in (identity.data, *learnt) if data is not None)
        )

    def _by_fit(self, fit: FitSpec) -> frozenset[str]:
        own = {self._plugins.methods.entry(fit.method.name).origin.plugin}
        if fit.backbone is not None:
            own.add(self._plugins.backbones.entry(fit.backbone.name).origin.plugin)
        return frozenset(own) | (self._by_data(fit.pretraining) if fit.pretraining else frozenset())

    def _by_data(self, choice: Choice) -> frozenset[str]:
        """Plugins of a data set, and of those that it is made of."""
        name = choice.model_dump_json()
        if name not in self._of_data:
            registry = self._plugins.datasets
            parts = registry.parts(choice.name, registry.completed(choice.name, choice.options))
            below = [self._by_data(Choice(name=part, options=dict(options))) for part, options in parts]
            self._of_data[name] = frozenset({registry.entry(choice.name).origin.plugin}).union(*below)
        return self._of_data[name]
