"""Code of planned work, compared with what is installed where the work is done.

Each process of a unit imports plugins anew, perhaps after their files were edited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import PluginError
from harness.store import keys
from harness.system.code import code_hash
from harness.system.hashing import digest

if TYPE_CHECKING:
    from harness.execution.sources import DataSources
    from harness.interfaces import Backbone, Evaluator, Method
    from harness.plugins.manager import Plugins
    from harness.store.choices import Choice
    from harness.store.specs import EvalSpec, FitSpec


def fit_codes(
    name: str,
    method: Method,
    backbone: Backbone | None,
    learnt: Choice | None,
    plugins: Plugins,
    sources: DataSources,
) -> dict[str, str]:
    """Hashes of the code of a fit, by their names in its key.

    Args:
        name: of the method.
        method: built.
        backbone: built; None where the method reads none.
        learnt: the data set that the method learns from; None where it reads none.
        plugins: where names are looked up.
        sources: of the data.
    """
    return {
        "method_code": code_hash(*{type(method), plugins.methods.load(name)}),
        "backbone_code": "" if backbone is None else code_hash(type(backbone)),
        "training_code": "" if learnt is None else keys.fitting_code(*sources.kinds(learnt)),
    }


def cell_code(name: str, evaluator: Evaluator, data: Choice, plugins: Plugins, sources: DataSources) -> str:
    """Hash of the code of a cell beside its row.

    Args:
        name: of the evaluator.
        evaluator: built; with options of its features it is of another class than the registered one.
        data: the data set measured on.
        plugins: where names are looked up.
        sources: of the data.
    """
    return keys.measuring_code(sources.kind(data), type(evaluator), plugins.evaluators.load(name))


def expect_fit(spec: FitSpec, plugins: Plugins, sources: DataSources) -> None:
    """Expect the code of a fit and of those before it to be as planned.

    Raises:
        PluginError: when it changed.
    """
    for fit in (one for one in spec.chain if one.whole is None):  # a share has the code of the whole
        name, options = fit.method.name, fit.method.options
        method = plugins.methods.draft(name, plugins.methods.started(name, options, fit.start))
        read = fit.backbone
        backbone = None if read is None else plugins.backbones.draft(read.name, read.options)
        if digest(fit_codes(name, method, backbone, fit.pretraining, plugins, sources)) != fit.code:
            raise _changed(fit.label)


def expect_cell(spec: EvalSpec, plugins: Plugins, sources: DataSources, known: set[str]) -> None:
    """Expect the code of a cell to be as planned.

    Args:
        spec: of the cell.
        plugins: where names are looked up.
        sources: of the data.
        known: keys of fits whose code is as planned; others are added.

    Raises:
        PluginError: when it changed.
    """
    for fit in spec.row.fits:
        if fit.key not in known:
            expect_fit(fit, plugins, sources)
            known.add(fit.key)
    chosen, data = spec.identity.evaluator, spec.identity.data
    evaluator = plugins.evaluators.draft(chosen.name, chosen.options)
    code = cell_code(chosen.name, evaluator, data, plugins, sources), keys.encoding_code(sources.kind(data))
    if code != (spec.protocol["evaluator_code"], spec.encoding_code):
        raise _changed(f"{chosen.label} on {data.label}")


def _changed(label: str) -> PluginError:
    return PluginError(
        f"{label}: its code here is not as planned: it was edited meanwhile, or a worker has another version; "
        "run again, with --retry-failed where the code is as it was"
    )
