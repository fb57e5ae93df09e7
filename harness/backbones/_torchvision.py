"""Import torchvision's models, also beside a torch that is built without CUDA."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch

_declared: list[torch.library.Library] = []


@functools.cache
def models() -> Any:
    """The module `torchvision.models`."""
    if "torchvision" not in sys.modules and not _operators_load():
        # torchvision's wheels carry CUDA operators that a CPU-only torch cannot load; importing torchvision then
        # dies for want of two schemas, which no model here calls
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
        _declared.append(library)  # its schemas live as long as it does
    return importlib.import_module("torchvision.models")


def _operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    try:
        for library in Path(spec.origin).parent.glob("_C.*"):
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return True
