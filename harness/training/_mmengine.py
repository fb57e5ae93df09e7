"""Names of mmengine for the training loop, imported without deprecation warnings."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from mmengine.hooks import Hook, ParamSchedulerHook
    from mmengine.logging import MessageHub, MMLogger
    from mmengine.model import BaseModel, MMDistributedDataParallel
    from mmengine.optim import CosineAnnealingLR, MultiStepLR, OptimWrapper
    from mmengine.runner import IterBasedTrainLoop, Runner


@contextlib.contextmanager
def contained(name: str) -> Iterator[None]:
    """Silence mmengine in the block, and restore its global instances afterwards.

    Args:
        name: of the experiment that runs in the block.
    """
    kept = {kind: dict(kind._instance_dict) for kind in (MMLogger, MessageHub)}
    MMLogger.get_instance(name).handlers.clear()
    MessageHub.get_instance(name)
    try:
        yield
    finally:
        for kind, instances in kept.items():
            kind._instance_dict.clear()
            kind._instance_dict.update(instances)


__all__ = [
    "BaseModel",
    "CosineAnnealingLR",
    "Hook",
    "IterBasedTrainLoop",
    "MMDistributedDataParallel",
    "MMLogger",
    "MultiStepLR",
    "OptimWrapper",
    "ParamSchedulerHook",
    "Runner",
    "contained",
]
