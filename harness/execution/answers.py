"""Labels and targets that evaluators of a suite name, looked up in its data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.errors import UsageError, unknown

if TYPE_CHECKING:
    from harness.execution.sources import DataSources
    from harness.interfaces import Split
    from harness.plugins.manager import Plugins
    from harness.store.choices import Choice
    from harness.store.records import CellSpec

_NAMES: Mapping[str, Callable[[Split], Iterable[str]]] = MappingProxyType(
    {
        "label": lambda split: split.classes,
        "multi-label kind": lambda split: split.multilabel_classes,
        "target": lambda split: (name for video in split.videos for name in video.targets),
    }
)
"""Names that a split has, by what they are names of."""


def expect_answers(cells: Iterable[CellSpec], plugins: Plugins, sources: DataSources) -> None:
    """Expect a data set that has the `label`, or the `target`, of each evaluator.

    Another data set of the same suite may lack it, which is the failure of its own cells.

    Raises:
        UsageError: naming what the test splits have, when none has what an evaluator names.
    """
    measured: dict[str, tuple[Choice, dict[str, Choice]]] = {}
    for cell in cells:
        _, data = measured.setdefault(cell.evaluator.model_dump_json(), (cell.evaluator, {}))
        data[cell.data.model_dump_json()] = cell.data
    for evaluator, data in measured.values():
        options = plugins.evaluators.completed(evaluator.name, evaluator.options)
        of_label = "multi-label kind" if plugins.evaluators.entry(evaluator.name).card.sets else "label"
        for option, wanted in (("label", of_label), ("target", "target")):
            asked = options.get(option)
            if isinstance(asked, str):
                _expect(asked, wanted, evaluator.name, [sources.split(choice, "test") for choice in data.values()])


def _expect(asked: str, wanted: str, evaluator: str, splits: Sequence[Split]) -> None:
    if any(asked in _NAMES[wanted](split) for split in splits):
        return
    for kind, names in _NAMES.items():
        if any(asked in names(split) for split in splits):
            msg = f"evaluator {evaluator!r} measures a {wanted}, and {asked!r} is a {kind} of the data"
            raise UsageError(msg)
    known = {name for split in splits for name in _NAMES[wanted](split)}
    raise unknown(f"{wanted} of evaluator {evaluator!r}:", asked, known)
