"""Example of an exported network: ten lines that need torch alone."""

from __future__ import annotations

from harness.cards import View
from harness.export.program import PROGRAM
from harness.values import Inputs


def example(inputs: Inputs, view: View) -> str:
    """Write the Python that gives vectors of clips.

    >>> view = View(frames=8, stride=4, size=64)
    >>> text = example(Inputs(view=view), view)
    >>> text.count("harness"), "torch.export.load" in text
    (0, True)
    """
    colours = {"rgb": "RGB", "bgr": "BGR"}[inputs.order]
    content = f"{colours}, 0 to 255" if inputs.kind == "rgb" else "optical flow in pixels"
    frames = "frames spread evenly over" if view.stride == "uniform" else f"every {_ordinal(view.stride)}frame of"
    return f'''"""Vectors of clips (B, {len(inputs.mean)}, {view.frames}, {view.size}, {view.size}), {content}.

A clip is {frames} a video, its short side resized to {view.short_side} pixels, the centre cut out.
"""

import torch

network = torch.export.load("{PROGRAM}").module()
mean = torch.tensor({list(inputs.mean)}).view(-1, 1, 1, 1)
std = torch.tensor({list(inputs.std)}).view(-1, 1, 1, 1)
clips = torch.randint(256, (2, {len(inputs.mean)}, {view.frames}, {view.size}, {view.size}))
with torch.no_grad():
    vectors = network((clips * {inputs.scale!r} - mean) / std)
print(vectors.shape)
'''


def _ordinal(number: int) -> str:
    return {1: "", 2: "2nd ", 3: "3rd "}.get(number, f"{number}th ")
