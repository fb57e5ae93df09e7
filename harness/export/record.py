"""Record of an exported encoder: how the harness builds it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pydantic

from harness.backbones.start import Start
from harness.errors import DataError
from harness.store.choices import Choice
from harness.store.records import CellSpec, Run
from harness.values import ComputePrecision

NAME = "encoder.json"


class ExportedEncoder(pydantic.BaseModel):
    """Identity and origin of an exported encoder."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    key: str
    """Key of its fit."""
    method: Choice
    backbone: Choice | None
    """None for a method that builds no network."""
    pretraining: Choice | None
    frames: int | None
    """The budget; None where the method reads none."""
    seed: int
    precision: ComputePrecision = "fp32"
    """Precision in which its network was fitted and encodes."""
    supervised: bool
    """True for a method that read labels."""
    starts: tuple[Start, ...] = ()
    """Weights that its network started from, where they were not random."""
    sees: str
    """Its views of a video in words."""
    provenance: dict[str, Any]
    """Versions, hardware and commit of a run that measured it."""

    @classmethod
    def of(cls, run: Run) -> ExportedEncoder:
        """The record of the encoder that a run measured."""
        identity: CellSpec = run.identity
        return cls(
            key=run.fit_key,
            method=identity.method,
            backbone=identity.backbone,
            pretraining=identity.pretraining,
            frames=identity.frames,
            seed=identity.seed,
            precision=identity.precision,
            supervised=run.supervised,
            starts=run.starts,
            sees=run.sees,
            provenance=run.provenance,
        )


def read_record(folder: Path) -> ExportedEncoder:
    """Read the record of an exported encoder.

    Raises:
        DataError: when the folder holds none, or a broken one.
    """
    try:
        return ExportedEncoder.model_validate_json((folder / NAME).read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{folder}: has no {NAME}, which `harness export KEY -o FOLDER` writes"
        raise DataError(msg) from error
    except ValueError as error:  # pydantic's is one
        msg = (
            f"{folder / NAME}: not the record of an exported encoder ({' '.join(str(error).split())}); export it again"
        )
        raise DataError(msg) from error
