"""Specs that a plan is made of, with their keys: fits, features and evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from harness.backbones.start import Start
from harness.store.choices import FIT_OF, Choice, StartingFit
from harness.store.records import Average, CellSpec, fit_label
from harness.store.reduction import Reduction
from harness.values import ComputePrecision, Encoding, Join, Promise, joined_promise


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSpec:
    """One fit: a method on a backbone, learning from the training split of a data set."""

    method: Choice
    backbone: Choice | None
    pretraining: Choice | None
    frames: int | None
    """The budget; like the two before None where the method does not read it."""
    seed: int
    supervised: bool
    """True if the method is given labels."""
    promise: Promise
    """Properties of the encoder to be."""
    key: str
    start: Start | None = None
    """Weights that it starts from, with place and hash of the file; None for random."""
    after: FitSpec | None = None
    """The fit whose weights they are; None for those of a file."""
    origin: Start | None = None
    """Weights that its method finds by itself; None for a method that finds none."""
    precision: ComputePrecision = "fp32"
    """Precision in which its network is fitted and encodes."""
    code: str = ""
    """Hash of the code of its method, its backbone and the way to its data."""
    training: str = ""
    """Manifest of the training split as the method sees it; empty where it reads none."""
    whole: FitSpec | None = None
    """The fit of which this is the encoder after a share; None for a whole fit."""

    @property
    def fits(self) -> tuple[FitSpec, ...]:
        """The fit itself."""
        return (self,)

    @property
    def before(self) -> FitSpec | None:
        """The fit to be stored before: the whole one, or that which it starts from."""
        return self.whole or self.after

    @property
    def started_from(self) -> str:
        """Name of the fit where others start from it."""
        return FIT_OF + StartingFit(method=self.method, pretraining=self.pretraining, frames=self.frames).label

    @property
    def chain(self) -> tuple[FitSpec, ...]:
        """The fit, the one that has to be stored before, and so on."""
        return (self,) if self.before is None else (self, *self.before.chain)

    @property
    def starts(self) -> tuple[Start, ...]:
        """Weights that the chain starts from, by file name."""
        fits = [fit for fit in self.chain if fit.whole is None]  # a share starts as the whole does
        started = ((fit, fit.start) for fit in fits if fit.start is not None)
        named = (start if fit.after else replace(start, weights=PurePath(start.weights).name) for fit, start in started)
        return (*named, *(fit.origin for fit in fits if fit.origin is not None))

    @property
    def label(self) -> str:
        """Method, backbone and seed in one line."""
        return fit_label(self.method, self.backbone, self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducedFit:
    """A fit whose features have one vector a video before they are joined."""

    of: FitSpec
    by: Reduction
    key: str

    @property
    def fits(self) -> tuple[FitSpec, ...]:
        """The fit alone."""
        return (self.of,)

    @property
    def label(self) -> str:
        """The fit, its clips and crops in one line."""
        return f"{self.of.label} / {self.by}"

    @property
    def supervised(self) -> bool:
        """True if the fit read labels."""
        return self.of.supervised

    @property
    def promise(self) -> Promise:
        """Properties of the fit's encoder, which has vectors alone."""
        return self.by.promise(self.of.promise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """A row made of other rows; of one alone it is that one."""

    of: tuple[Row, ...]
    by: Join
    key: str

    @property
    def fits(self) -> tuple[FitSpec, ...]:
        """Fits that the row is made of, in order."""
        return tuple(fit for part in self.of for fit in part.fits)

    @property
    def label(self) -> str:
        """Labels of the parts in one line."""
        return " + ".join(part.label for part in self.of)

    @property
    def supervised(self) -> bool:
        """True if a part read labels."""
        return any(part.supervised for part in self.of)

    @property
    def promise(self) -> Promise:
        """Properties of the parts together."""
        if len(self.of) == 1:
            return self.of[0].promise
        return joined_promise(tuple(part.promise for part in self.of), self.by)


Row = FitSpec | ReducedFit | Composite
"""One line of a board, for one seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeSpec:
    """Features of one split of a data set, by one fit's encoder."""

    fit: FitSpec
    data: Choice
    encoding: Encoding
    code: str
    """Hash of the code between the files of the data and stored features."""
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSpec:
    """One evaluation in a suite: a row, measured by an evaluator on a data set."""

    identity: CellSpec
    row: Row
    encodings: tuple[EncodeSpec, ...]
    """Features that the evaluator will ask for."""
    encoding_code: str
    """Hash of the code between the files of the data and stored features."""
    protocol: Mapping[str, Any]
    key: str
    not_applicable: str = ""
    """Reason why the row cannot be measured so; empty when it can."""
    average: Average | None = None
    """Row and column of the board that average it with other folds; None for its own."""

    @property
    def starts(self) -> tuple[Start, ...]:
        """Weights that its networks start from, by file name; random ones left out."""
        return tuple(start for fit in self.row.fits for start in fit.starts)

    @property
    def fit_key(self) -> str:
        """Key of the row."""
        return self.row.key

    @property
    def supervised(self) -> bool:
        """True if the row read labels: a reference, never ranked."""
        return self.row.supervised
