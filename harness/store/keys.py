"""The three keys: all that a fit, its features and a run depend on.

A number changes only when its key does, so a key hashes options, data, seeds, and the code on the way to the number:
that of the method and the backbone for a fit, of the encoder's way through the data for features, of the evaluator for
a run. `harness.system.code` says which code that is. Versions of libraries, hardware and threads are in no key: they
are provenance, kept with every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from harness.cards import Read, View, WholeVideo
from harness.errors import UsageError
from harness.store.choices import Choice
from harness.store.reduction import Reduction
from harness.system.code import code_hash, module_hash
from harness.system.hashing import digest
from harness.values import ComputePrecision, Encoding, Promise

READING = ("harness.datasets.derived", "harness.datasets.splits", "harness.execution.sources", "harness.video.loader")
ENCODING = ("harness.encoders.composite", "harness.encoders.frozen", "harness.store.features")
FITTING = ("harness.training.session",)
REDUCING = ("harness.encoders.reduced", "harness.store.reduction")
KEEPING = ("harness.methods.along",)
UNITS = ("harness.execution.units", "harness.execution.stored_encoders")


def fitting_code(*datasets: type) -> str:
    """Hash the code of a fit beside its method and backbone: reading and training."""
    return code_hash(*READING, *FITTING, *datasets)


def encoding_code(dataset: type) -> str:
    """Hash the code between the files of a data set and stored features."""
    return code_hash(*READING, *ENCODING, dataset)


def measuring_code(dataset: type, *evaluators: type) -> str:
    """Hash the code between the files of a data set and a score.

    Args:
        dataset: class of the data.
        evaluators: class of the evaluator, and of that which applies options to it.
    """
    return digest(
        {
            "code": code_hash(*READING, *ENCODING, dataset, *evaluators),
            "units": [module_hash(module) for module in UNITS],
        }
    )


def fit_key(
    *,
    method: Choice,
    method_code: str,
    reads: frozenset[Read],
    backbone: Choice | None,
    backbone_code: str,
    training: str,
    training_code: str,
    frames: int | None,
    seed: int,
    precision: ComputePrecision,
) -> str:
    """Key of a fit.

    Args:
        method: with its options.
        method_code: hash of its code.
        reads: of the parts below, those that change what the method gives; the others are left out.
        backbone: with its options; None where it is not read.
        backbone_code: hash of its code.
        training: manifest of the training split as the method sees it.
        training_code: see `fitting_code`.
        frames: the budget; None where it is not read.
        seed: of the fit.
        precision: in which the backbone's network is fitted and encodes; so it is in the keys of its features too.
    """
    computed = {} if precision == "fp32" else {"precision": precision}
    parts: dict[Read, dict[str, Any]] = {
        "backbone": {"backbone": backbone and backbone.model_dump(), "backbone_code": backbone_code, **computed},
        "pretraining": {"training": training, "training_code": training_code},
        "budget": {"frames": frames},
        "seed": {"seed": seed},
    }
    read = {name: value for part in sorted(reads) for name, value in parts[part].items()}
    return digest({"method": method.model_dump(), "method_code": method_code, **read})


def share_key(fit: str, share: int) -> str:
    """Key of an encoder after a share of a fit.

    Args:
        fit: key of the whole fit.
        share: of its training, in per cent.
    """
    return digest({"fit": fit, "share": share, "code": [module_hash(module) for module in KEEPING]})


def row_key(parts: tuple[str, ...], by: str) -> str:
    """Key of a composite: the keys of its parts in order, and how they are joined."""
    return digest({"parts": list(parts), "by": by})


def reduced_key(fit: str, by: Reduction) -> str:
    """Key of a part whose clips and crops become one vector in a way of its own.

    Args:
        fit: key of the part's fit.
        by: clips, crops and aggregate.
    """
    return digest({"fit": fit, **asdict(by), "code": [module_hash(module) for module in REDUCING]})


def feature_key(*, fit: str, view: View | WholeVideo, encoding: Encoding, manifest: str, code: str) -> str:
    """Key of the features of a split.

    Args:
        fit: key of the encoder's fit.
        view: what the encoder is shown, see `shown`.
        encoding: its layer, shuffle, precision and whether it is of tokens, see `encoded`; what else it says is in
            view and manifest, or done to what is stored.
        manifest: of the split that is encoded.
        code: see `encoding_code`.
    """
    return digest(
        {
            "fit": fit,
            "view": view_content(view),
            "layer": encoding.layer,
            "shuffle": encoding.shuffle,
            "precision": encoding.precision,
            "manifest": manifest,
            "code": code,
            **({"tokens": True} if encoding.tokens else {}),
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
) -> dict[str, Any]:
    """Protocol of a score; its hash is the protocol id, within which rows are ranked.

    The frames, stride and size that an encoder sees are a property of its row and no part of it; how many clips and
    crops are averaged is an option of the evaluator.

    Args:
        evaluator: with its options, of which `aggregate` is left out where it is the mean.
        evaluator_code: see `measuring_code`.
        source: paper and section of the protocol.
        data: the data set measured on, with its options.
        manifests: of its splits, by name.
        coverage: share of the listed videos that are there, by split; empty where all are.
    """
    return {
        "evaluator": evaluator.model_dump(),
        "evaluator_code": evaluator_code,
        "source": source,
        "data": data.model_dump(),
        "manifests": dict(manifests),
        **({"coverage": dict(coverage)} if coverage else {}),
        "selection": "train split only",
        "aggregation": f"{evaluator.options.get('aggregate', 'mean')} over clips and crops",
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
    """View of an encoding: the encoder's own, with clips and crops.

    An encoder of whole videos is shown each once, whatever the numbers.

    Raises:
        UsageError: when several clips are asked for of which each spans the video.
    """
    view = promise.view
    if isinstance(view, WholeVideo):
        return view
    try:
        return replace(view, clips=encoding.clips or 1, crops=encoding.crops or 1)
    except ValueError as error:
        raise UsageError(str(error)) from error


def encoded(promise: Promise, encoding: Encoding) -> Encoding:
    """Encoding that is stored: tokens are a layer's, or the encoder's own features.

    Raises:
        UsageError: when tokens are asked for and the encoder has none.
    """
    if not encoding.tokens or encoding.layer is not None:
        return encoding
    if "tokens" not in promise.offers:
        msg = f"expected an encoder with tokens, got one that gives vectors {promise.shape} and names no layer of them"
        raise UsageError(msg)
    layer = promise.token_layer
    return replace(encoding, layer=layer) if layer else replace(encoding, tokens=False)


def view_content(view: View | WholeVideo) -> dict[str, Any]:
    """A view as JSON values."""
    return {"whole": True} if isinstance(view, WholeVideo) else asdict(view)
