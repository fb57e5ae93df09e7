"""The three keys: all that a fit, its features and a run depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from harness.cards import Read, View, WholeVideo
from harness.errors import UsageError
from harness.store.records import Choice
from harness.system.hashing import digest
from harness.values import Encoding, Promise


def fit_key(
    *,
    method: Choice,
    method_code: str,
    reads: frozenset[Read],
    backbone: Choice,
    backbone_code: str,
    training: str,
    frames: int,
    seed: int,
) -> str:
    """Key of a fit.

    Args:
        method: with its options.
        method_code: hash of its source.
        reads: of the parts below, those that change what the method gives; the others are left out.
        backbone: with its options.
        backbone_code: hash of its source.
        training: manifest of the training split as the method sees it.
        frames: the budget.
        seed: of the fit.
    """
    parts: dict[Read, dict[str, Any]] = {
        "backbone": {"backbone": backbone.model_dump(), "backbone_code": backbone_code},
        "pretraining": {"training": training},
        "budget": {"frames": frames},
        "seed": {"seed": seed},
    }
    read = {name: value for part in sorted(reads) for name, value in parts[part].items()}
    return digest({"method": method.model_dump(), "method_code": method_code, **read})


def row_key(parts: tuple[str, ...], by: str) -> str:
    """Key of a composite: the keys of its parts in order, and how they are joined."""
    return digest({"parts": list(parts), "by": by})


def feature_key(*, fit: str, view: View | WholeVideo, encoding: Encoding, manifest: str, decoder: str) -> str:
    """Key of the features of a split.

    Args:
        fit: key of the encoder's fit.
        view: what the encoder is shown, see `shown`.
        encoding: its layer, shuffle and precision; what else it says is in view and manifest.
        manifest: of the split that is encoded.
        decoder: what turned files into pixels.
    """
    return digest(
        {
            "fit": fit,
            "view": view_content(view),
            "layer": encoding.layer,
            "shuffle": encoding.shuffle,
            "precision": encoding.precision,
            "manifest": manifest,
            "decoder": decoder,
        }
    )


def protocol(
    *,
    evaluator: Choice,
    evaluator_code: str,
    source: str,
    data: Choice,
    manifests: Mapping[str, str],
    coverage: Mapping[str, Any],
    decoder: str,
    view: View | WholeVideo,
    frames: Mapping[str, str],
) -> dict[str, Any]:
    """Protocol of a score; its hash is the protocol id, within which rows are ranked.

    Args:
        evaluator: with its options.
        evaluator_code: hash of its source.
        source: paper and section of the protocol.
        data: the data set measured on, with its options.
        manifests: of its splits, by name.
        coverage: share of the listed videos that are there, by split; empty where all are.
        decoder: what turned files into pixels.
        view: what the encoder sees of a video.
        frames: hash of the frame indices that the view takes of each split.
    """
    return {
        "evaluator": evaluator.model_dump(),
        "evaluator_code": evaluator_code,
        "source": source,
        "data": data.model_dump(),
        "manifests": dict(manifests),
        **({"coverage": dict(coverage)} if coverage else {}),
        "decoder": decoder,
        "selection": "train split only",
        "view": view_content(view),
        "frames": dict(frames),
        "aggregation": "mean over clips and crops",
    }


def run_key(*, row: str, protocol: Mapping[str, Any], features: tuple[str, ...], seed: int) -> str:
    """Key of a run.

    Args:
        row: key of the fit or composite.
        protocol: see `protocol`.
        features: keys of the features that the evaluator asks for.
        seed: of fit and evaluator.
    """
    return digest({"row": row, "protocol": dict(protocol), "features": list(features), "seed": seed})


def shown(promise: Promise, encoding: Encoding) -> View | WholeVideo:
    """View of an encoding: the encoder's own with other clips and crops.

    Raises:
        UsageError: when it is shown whole videos, and clips or crops are asked for.
    """
    view = promise.view
    if encoding.clips is None and encoding.crops is None:
        return view
    if isinstance(view, WholeVideo):
        msg = (
            "an encoder that is shown whole videos has no clips or crops, "
            f"got clips={encoding.clips}, crops={encoding.crops}"
        )
        raise UsageError(msg)
    return replace(view, clips=encoding.clips or view.clips, crops=encoding.crops or view.crops)


def view_content(view: View | WholeVideo) -> dict[str, Any]:
    """A view as JSON values."""
    return {"whole": True} if isinstance(view, WholeVideo) else asdict(view)
