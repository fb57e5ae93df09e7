"""Fitted encodings on disk: a safetensors file, and JSON with both hashes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from harness.errors import DataError
from harness.system import files
from harness.system.hashing import digest
from harness_dense_trajectories.gmm import Gmm
from harness_dense_trajectories.projections import Pca, Sketch

Fitted = Pca | Gmm | Sketch | Tensor
"""Values that can be stored; a tensor is the centres of a bag of words."""

SCHEMA = 2
_KINDS: dict[str, type[Any]] = {"pca": Pca, "gmm": Gmm, "sketch": Sketch}
_TENSORS, _MANIFEST = "encoding.safetensors", "encoding.json"


def save(fitted: Mapping[str, Fitted], folder: Path, options: Mapping[str, Any] | None = None) -> None:
    """Write `encoding.safetensors` and, last, `encoding.json` into `folder`.

    Features mean nothing without what encoded them, so the JSON file has the SHA-256 of the tensors' file and a digest
    of itself.

    Args:
        fitted: by names of the caller's.
        folder: created when it is not there.
        options: what else is needed to encode, as JSON has it.
    """
    tensors: dict[str, Tensor] = {}
    values: dict[str, dict[str, Any]] = {}
    for name, value in fitted.items():
        if isinstance(value, Tensor):
            tensors[name], values[name] = value, {"kind": "tensor"}
            continue
        values[name] = {"kind": type(value).__name__.lower()}
        for field in dataclasses.fields(value):
            content = getattr(value, field.name)
            if isinstance(content, Tensor):
                tensors[f"{name}.{field.name}"] = content
            else:
                values[name][field.name] = content
    written = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
    sha = hashlib.sha256(written).hexdigest()
    manifest = {"schema": SCHEMA, "values": values, "options": dict(options or {}), "sha256": sha}
    files.write_bytes(folder / _TENSORS, written)
    files.write_json(folder / _MANIFEST, {**manifest, "digest": digest(manifest)})


def load(folder: Path, device: torch.device | str = "cpu") -> tuple[dict[str, Fitted], dict[str, Any]]:
    """Load the fitted values, on `device`, and the options that `save` wrote.

    Raises:
        DataError: when a file is missing, or is not byte for byte what was written.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        content = (folder / _TENSORS).read_bytes()
        stated = manifest.pop("digest")
        if stated != digest(manifest) or manifest["sha256"] != hashlib.sha256(content).hexdigest():
            msg = f"{folder}: the stored encoding has changed since it was written; delete the folder and fit it again"
            raise DataError(msg)
        if manifest["schema"] != SCHEMA:
            msg = f"{folder}: the stored encoding has schema {manifest['schema']}, not {SCHEMA}; fit it again"
            raise DataError(msg)
        tensors = {name: tensor.to(device) for name, tensor in safetensors.torch.load(content).items()}
        fitted = {name: _restore(name, described, tensors) for name, described in manifest["values"].items()}
        return fitted, manifest["options"]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, safetensors.SafetensorError) as error:
        msg = f"{folder}: the stored encoding cannot be read ({error}); delete the folder and fit it again"
        raise DataError(msg) from error


def _restore(name: str, described: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Fitted:
    if described["kind"] == "tensor":
        return tensors[name]
    kind = _KINDS[described["kind"]]
    fields = [field.name for field in dataclasses.fields(kind)]
    restored: Fitted = kind(
        **{field: described[field] if field in described else tensors[f"{name}.{field}"] for field in fields}
    )
    return restored
