"""Labels and targets that evaluators of a suite name, looked up in its data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.errors import unknown

if TYPE_CHECKING:
    from harness.execution.sources import DataSources
    from harness.plugins.manager import Plugins
    from harness.store.choices import Choice
    from harness.store.records import CellSpec


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
        for kind, names in (("label", _labels), ("target", _targets)):
            asked = options.get(kind)
            if isinstance(asked, str):
                known = {name for choice in data.values() for name in names(choice, sources)}
                if asked not in known:
                    raise unknown(f"{kind} of evaluator {evaluator.name!r}:", asked, known)


def _labels(data: Choice, sources: DataSources) -> Iterable[str]:
    split = sources.split(data, "test")
    return (*split.classes, *split.multilabel_classes)


def _targets(data: Choice, sources: DataSources) -> Iterable[str]:
    return dict.fromkeys(name for video in sources.split(data, "test").videos for name in video.targets)
