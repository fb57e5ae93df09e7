"""A network as a program that torch runs without the code that built it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

    from harness.cards import View

PROGRAM = "network.pt2"


def save_program(module: nn.Module, view: View, channels: int, path: Path) -> bool:
    """Write a network as `torch.export` does, for any number of clips.

    Args:
        module: normalised clips (B, C, T, H, W) -> (B, dim).
        view: frames and size of a clip.
        channels: C.
        path: of the file.

    Returns:
        False, and nothing is written, where `torch.export` cannot trace the network.
    """
    parameter = next(module.parameters(), torch.empty(0))
    clips = torch.zeros(2, channels, view.frames, view.size, view.size, device=parameter.device)
    shapes = ({0: torch.export.Dim.DYNAMIC},)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own tracing
            program = torch.export.export(module.eval(), (clips,), dynamic_shapes=shapes)
            torch.export.save(program, path)
    except Exception:  # the tracer raises errors of many kinds
        path.unlink(missing_ok=True)
        return False
    return True
