"""Weights that a network starts from, as a suite names them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Start:
    """File of weights, what they learnt from, and how they are matched to a network."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    weights: str
    """The file: `.safetensors`, or of `torch.save`; `library` for the library's own."""
    learnt_from: str
    """Names of the data sets that the weights learnt from, joined by `+`."""
    labels: bool
    """True if they learnt from labels."""
    strict: bool = True
    """False loads the tensors that fit, and records how many do."""
    ignore: tuple[str, ...] = ()
    """Beginnings of names that the file has and the network lacks, such as `fc.`."""
    entry: str = ""
    """Name of the mapping in the file, such as `teacher`; empty where it can be told."""
    sha256: str = ""
    """Expected hash of the file; the file's own when empty."""

    def __str__(self) -> str:
        """File and origin in words.

        >>> print(Start(weights="a.pth", learnt_from="kinetics400", labels=True))
        a.pth, learnt from kinetics400 with labels
        """
        return f"{self.weights}, learnt from {self.learnt_from} {'with' if self.labels else 'without'} labels"

    @staticmethod
    def parts(start: Start) -> dict[str, Any]:
        """Options of a method that is a start itself."""
        return asdict(start)

    @property
    def start(self) -> Start:
        """These values alone, without what a subclass adds."""
        return Start(**{field.name: getattr(self, field.name) for field in fields(Start)})


@dataclass(frozen=True, kw_only=True)
class VectorsFile:
    """File of vectors that were computed elsewhere, and what they learnt from."""

    file: str
    """The file, `.safetensors`."""
    learnt_from: str
    """Names of the data sets that the vectors' network learnt from, joined by `+`."""
    labels: bool
    """True if it learnt from labels."""
    sha256: str = ""
    """Expected hash of the file; the file's own when empty."""

    @staticmethod
    def parts(start: Start) -> dict[str, Any]:
        """Options of a method that is such a file."""
        parts = {"file": start.weights, "learnt_from": start.learnt_from, "labels": start.labels}
        return {**parts, "sha256": start.sha256}

    @property
    def start(self) -> Start:
        """The file as what a row starts from."""
        return Start(weights=self.file, learnt_from=self.learnt_from, labels=self.labels, sha256=self.sha256)
