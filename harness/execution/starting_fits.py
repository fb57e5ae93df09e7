"""Fits that other fits start from: their cells, and the origin of their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.backbones.start import Start
from harness.errors import UsageError
from harness.execution.spelling import canonical_choice
from harness.suites.folds import FOLD

if TYPE_CHECKING:
    from harness.interfaces import Backbone
    from harness.plugins.manager import Plugins
    from harness.store.choices import Choice, FitStart, StartingFit
    from harness.store.records import CellSpec
    from harness.store.specs import FitSpec

NOTHING = "nothing"
"""Origin of weights that learnt from no data."""


def expect_one_fold(pretraining: Choice, method: Choice) -> None:
    """Expect the data set that a fit to start from learns from to be one fold.

    Args:
        pretraining: the data set.
        method: starts from the fit.

    Raises:
        UsageError: when it names a list of folds.
    """
    if isinstance(chosen := pretraining.options.get(FOLD), list):
        msg = f"method {method.name!r}: expected one fold that the fit which it starts from learns from, got {chosen}"
        raise UsageError(msg)


def fit_cell(fit: StartingFit, cell: CellSpec, plugins: Plugins) -> CellSpec:
    """The cell whose row a fit would be.

    What the fit does not name is as in `cell`, whose method starts from it.

    Raises:
        UsageError: when the data set or an option of it is unknown or wrong.
        PluginError: when a class cannot be imported.
    """
    learnt = fit.pretraining and canonical_choice(fit.pretraining, plugins.datasets)
    own = {"method": fit.method, "pretraining": learnt or cell.pretraining, "frames": fit.frames or cell.frames}
    return cell.model_copy(update=own)


def expect_network_of(backbone: Backbone, after: FitSpec, method: Choice) -> None:
    """Expect the encoder of a fit to start from to be the backbone's own network.

    Args:
        backbone: of both fits.
        after: the fit.
        method: starts from it.

    Raises:
        UsageError: when its vectors are of another length, so that it is another network.
    """
    if after.promise.shape != backbone.card.shape:
        msg = (
            f"method {method.name!r}: expected to start from a fit whose encoder is the network of backbone "
            f"{backbone.card.name!r}, which gives {backbone.card.shape}, got {after.method.name!r}, which promises "
            f"{after.promise.shape}"
        )
        raise UsageError(msg)


def start_after(started: FitStart, after: FitSpec) -> Start:
    """Describe the weights of a planned fit as a start.

    Its `weights` name the fit in words: their place depends on the store.
    """
    own = [after.pretraining.label] if after.pretraining else []
    before = [after.start.learnt_from] if after.start else []
    return Start(
        weights=started.weights,
        learnt_from="+".join([*own, *before]) or NOTHING,
        labels=after.supervised or (after.start is not None and after.start.labels),
        strict=started.strict,
        ignore=started.ignore,
    )
