"""Names of mmengine that the training loop builds on, without its warnings."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

from harness.system import paths

paths.ensure_home()  # which a dependency of mmengine asks for
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from mmengine.config import Config
    from mmengine.hooks import Hook, ParamSchedulerHook
    from mmengine.logging import MessageHub, MMLogger
    from mmengine.model import BaseModel, MMDistributedDataParallel
    from mmengine.optim import CosineAnnealingLR, MultiStepLR, OptimWrapper
    from mmengine.runner import IterBasedTrainLoop, Runner


@contextlib.contextmanager
def contained(name: str) -> Iterator[None]:
    """Silence mmengine in the block, and put its global instances back afterwards.

    Args:
        name: of what runs in the block.
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
    "Config",
    "CosineAnnealingLR",
    "Hook",
    "IterBasedTrainLoop",
    "MMDistributedDataParallel",
    "MMLogger",
    "MessageHub",
    "MultiStepLR",
    "OptimWrapper",
    "ParamSchedulerHook",
    "Runner",
    "contained",
]
