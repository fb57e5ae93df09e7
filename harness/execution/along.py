"""Fits that keep their encoder after shares of the training."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.execution import units
from harness.execution.origins import origin
from harness.execution.stored_encoders import FIT, expect_promise
from harness.methods.along import KeepingShares
from harness.store.choices import share_of
from harness.store.fits import CHECKSUMS, OF, TRAINING, along_lock, saved_checksums
from harness.store.specs import FitSpec
from harness.system import files

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Encoder, Method

AGAIN = "again"
"""Folder of a fit that is done again, in the one of its training."""


def fit(spec: FitSpec, along: Sequence[FitSpec], workshop: units.Workshop) -> None:
    """Fit and store an encoder and those after shares of the fit.

    What is stored already is left. Shares are stored as fits of their own, each when it is reached. A fit that was
    stored without one of them is done again beside it, and stays as it is.

    Args:
        spec: a whole fit, or one of the shares.
        along: all shares that are asked for of that fit.
        workshop: where it is done.

    Raises:
        HarnessError: as `units.fit`.
    """
    if not along:
        units.fit(spec, workshop)
        return
    whole = spec.whole or spec
    with workshop.lock(along_lock(whole.key)):
        while lacking := [share for share in along if not (workshop.folder(share.key) / FIT).exists()]:
            again = (workshop.folder(whole.key) / FIT).exists()
            if (workshop.folder(whole.key) / TRAINING / AGAIN / FIT).exists():  # of a process that was stopped then
                shutil.rmtree(workshop.folder(whole.key) / TRAINING / AGAIN)
            units.fit(whole, _KeepingWorkshop(workshop, whole, lacking, again=again))
        shutil.rmtree(workshop.folder(whole.key) / TRAINING / AGAIN, ignore_errors=True)
    if spec.whole is None:
        units.fit(spec, workshop)


class _KeepingWorkshop(units.Workshop):
    """A workshop in which one fit keeps shares.

    Args:
        workshop: the workshop.
        whole: the fit.
        shares: of it, to be kept.
        again: whether it is done again, in a folder of its own.
    """

    def __init__(self, workshop: units.Workshop, whole: FitSpec, shares: Sequence[FitSpec], *, again: bool) -> None:
        super().__init__(workshop.workplace, workshop.plugins, workshop.sources)
        self._whole = whole
        self._shares = {share: spec for spec in shares if (share := share_of(spec.method)) is not None}
        self._again = again

    def folder(self, key: str) -> Path:
        """Folder of a fit's encoder."""
        own = super().folder(key)
        return own / TRAINING / AGAIN if self._again and key == self._whole.key else own

    def build(self, spec: FitSpec) -> tuple[Method, Backbone]:
        """The method, which keeps its shares, and the backbone of a fit."""
        method, backbone = super().build(spec)
        if spec.key != self._whole.key:
            return method, backbone
        methods, name = self.plugins.methods, spec.method.name
        options = methods.started(name, spec.method.options, self.start(spec))
        shares = tuple(self._shares)
        return methods.build_as(name, options, lambda inner: KeepingShares(inner, shares, self._keep)), backbone

    def _keep(self, share: int, encoder: Encoder, *, step: int, steps: int) -> None:
        spec = self._shares[share]
        expect_promise(spec.promise, encoder, spec.method.name)
        folder = self.folder(spec.key)
        folder.mkdir(parents=True, exist_ok=True)
        encoder.save(folder)
        about = {"method": spec.method.model_dump(), "seed": spec.seed, OF: self._whole.key}
        about |= {"step": step, "steps": steps, **origin(self.provenance)}
        files.write_json(folder / FIT, {**about, CHECKSUMS: saved_checksums(folder)})
