"""The process group of fits that `torchrun` started on several devices."""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True, slots=True)
class Process:
    """Rank, world size and device of this process."""

    rank: int
    world: int
    device: torch.device


def init_process_group(device: str) -> Process:
    """Join the process group that the environment describes, if it does.

    mmengine's own `init_dist` wants CUDA. The group is left when the process ends and not before: whoever joins the
    group of one `torchrun` a second time waits for ever.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Process(0, 1, torch.device(device))
    own = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if device == "cuda" else torch.device(device)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if own.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)
    return Process(distributed.get_rank(), distributed.get_world_size(), own)
