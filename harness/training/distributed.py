"""The process group of fits that `torchrun` started on several devices."""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

PATIENCE = timedelta(days=7)
"""Time that processes wait for one that does work for all, such as trajectories."""


@dataclass(frozen=True, slots=True)
class Process:
    """Rank, world size and device of this process."""

    rank: int
    world: int
    device: torch.device


def init_process_group(device: str) -> Process:
    """Join the process group that the environment describes, if it describes one.

    mmengine's own `init_dist` wants CUDA. The group is left when the process ends and not before: whoever joins the
    group of one `torchrun` a second time waits for ever.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Process(0, 1, torch.device(device))
    own = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if device == "cuda" else torch.device(device)
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=PATIENCE)
        atexit.register(distributed.destroy_process_group)
    return Process(distributed.get_rank(), distributed.get_world_size(), own)


def gather(tensor: Tensor, world: int) -> Tensor:
    """Rows of all processes in the order of their ranks, without gradient.

    >>> gather(torch.tensor([[1.0], [2.0]]), 1).tolist()
    [[1.0], [2.0]]

    Args:
        tensor: (n, ...), where n may differ between the processes.
        world: number of processes.
    """
    tensor = tensor.detach()
    if world == 1:
        return tensor
    rows = torch.tensor([len(tensor)], device=tensor.device)
    counts = [torch.empty_like(rows) for _ in range(world)]
    distributed.all_gather(counts, rows)
    lengths = [int(count) for count in counts]
    padded = tensor.new_zeros(max(lengths), *tensor.shape[1:])  # a collective wants equal shapes
    padded[: len(tensor)] = tensor
    parts = [torch.empty_like(padded) for _ in range(world)]
    distributed.all_gather(parts, padded)
    return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)])


def share_buffers(module: nn.Module, world: int) -> None:
    """Give every process the buffers of rank 0, such as its BN statistics."""
    if world > 1:
        for buffer in module.buffers():
            distributed.broadcast(buffer, 0)
