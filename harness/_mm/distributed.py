"""The process group of a fit that `torchrun` started on several devices."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the processes this is, and the device it computes on."""

    rank: int
    world: int
    device: torch.device


@contextlib.contextmanager
def joined(device: str) -> Iterator[Place]:
    """Join the process group that the environment describes, and leave it afterwards; alone when it describes none.

    mmengine's own `init_dist` wants CUDA.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Place(0, 1, torch.device(device))
        return
    own = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if device == "cuda" else torch.device(device)
    joins = not distributed.is_initialized()
    if joins:
        distributed.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield Place(distributed.get_rank(), distributed.get_world_size(), own)
    finally:
        if joins:
            distributed.destroy_process_group()
