"""The process group of fits that `torchrun` started on several devices."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import torch
from torch import Tensor, distributed, nn

from harness.system import progress

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
    group of one `torchrun` a second time waits for ever. Its threads end there, while the interpreter still runs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Process(0, 1, torch.device(device))
    local, ranks = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    own, backend = assign(device, local_rank=local, local_world=ranks, gpus=torch.cuda.device_count())
    if not distributed.is_initialized():
        # Functions of these modules have the group as default argument where they are imported after it is made, as
        # by `DistributedDataParallel`. It then outlives `destroy_process_group`, with threads of gloo that abort the
        # process when they free a tensor while Python ends.
        for module in ("torch.distributed.nn", "harness.training._mmengine"):
            importlib.import_module(module)
        distributed.init_process_group(backend, timeout=PATIENCE)
        atexit.register(_leave)
        if own.type == "cuda" and backend == "gloo" and distributed.get_rank() == 0:
            progress.say(f"{ranks} processes of a node share GPUs, which NCCL refuses: they exchange through gloo")
    return Process(distributed.get_rank(), distributed.get_world_size(), own)


def _leave() -> None:
    gc.collect()  # modules that a fit wrapped hold the group in cycles
    distributed.destroy_process_group()


def assign(
    device: str, *, local_rank: int, local_world: int, gpus: int
) -> tuple[torch.device, Literal["nccl", "gloo"]]:
    """Device of a process, and the backend through which it exchanges tensors.

    NCCL wants a GPU for each process of a node. Where there are fewer, processes share GPUs, and exchange through gloo.
    All nodes have to be alike in this.

    >>> assign("cuda", local_rank=1, local_world=2, gpus=2)
    (device(type='cuda', index=1), 'nccl')
    >>> assign("cuda", local_rank=1, local_world=2, gpus=1)
    (device(type='cuda', index=0), 'gloo')

    Args:
        device: "cpu", "cuda" for all GPUs of the node, or one such as "cuda:1" for all processes.
        local_rank: number of the process on its node.
        local_world: processes of the node.
        gpus: of the node.
    """
    wanted = torch.device(device)
    if wanted.type != "cuda":
        return wanted, "gloo"
    if wanted.index is None and local_world <= gpus:
        return torch.device("cuda", local_rank), "nccl"
    return torch.device("cuda", local_rank % max(gpus, 1) if wanted.index is None else wanted.index), "gloo"


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
    home = tensor.device
    if distributed.get_backend() == "gloo":
        tensor = tensor.cpu()  # it gathers none of a GPU
    rows = torch.tensor([len(tensor)], device=tensor.device)
    counts = [torch.empty_like(rows) for _ in range(world)]
    distributed.all_gather(counts, rows)
    lengths = [int(count) for count in counts]
    padded = tensor.new_zeros(max(lengths), *tensor.shape[1:])  # a collective wants equal shapes
    padded[: len(tensor)] = tensor
    parts = [torch.empty_like(padded) for _ in range(world)]
    distributed.all_gather(parts, padded)
    return torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)]).to(home)


def share_buffers(module: nn.Module, world: int) -> None:
    """Give every process the buffers of rank 0, such as its BN statistics."""
    if world > 1:
        for buffer in module.buffers():
            distributed.broadcast(buffer, 0)
