"""Example of an exported network: a short program without the harness."""

from __future__ import annotations

from harness.cards import View
from harness.encoders.network import WEIGHTS
from harness.export.program import PROGRAM
from harness.values import ComputePrecision, Inputs, Recipe

_BF16 = 'torch.autocast("cpu", torch.bfloat16)'
"""Context of a network that was fitted and measured in bfloat16."""


def library_example(inputs: Inputs, view: View, recipe: Recipe, precision: ComputePrecision = "fp32") -> str:
    """Write Python that gives vectors with the library that has the network.

    >>> view = View(frames=8, stride=4, size=64)
    >>> text = library_example(Inputs(view=view), view, Recipe("timm", "timm.create_model('resnet18', num_classes=0)"))
    >>> "import timm" in text, "harness" in text
    (True, False)
    """
    lines = [f"network = {recipe.network}"]
    if recipe.classifier:
        lines.append(f'network.set_submodule("{recipe.classifier}", torch.nn.Identity())')
    loose = "" if recipe.strict else ", strict=False"
    lines.append(f'network.load_state_dict(load_file("{WEIGHTS}"){loose})')
    imports = [*sorted([f"import {recipe.library}", "import torch"]), "from safetensors.torch import load_file"]
    return _example(inputs, view, imports, [*lines, "network.eval()"], recipe.vectors, precision)


def program_example(inputs: Inputs, view: View, precision: ComputePrecision = "fp32") -> str:
    """Write Python that gives vectors with torch alone.

    >>> view = View(frames=8, stride=4, size=64)
    >>> text = program_example(Inputs(view=view), view)
    >>> "torch.export.load" in text, "harness" in text
    (True, False)
    """
    loading = f'network = torch.export.load("{PROGRAM}").module()'
    return _example(inputs, view, ["import torch"], [loading], "network(clips)", precision)


def mteb_example() -> str:
    """Write Python that measures the encoder beside it on tasks of MTEB.

    >>> "mteb.evaluate" in mteb_example()
    True
    """
    return "\n".join(
        [
            '"""Scores of this encoder on the video tasks of MTEB that ask for no text; downloads their data.',
            "",
            "Needs pip install 'video-harness[mteb]' 'mteb[video]'.",
            '"""',
            "",
            "from pathlib import Path",
            "",
            "import mteb",
            "",
            "from harness.bridges.mteb import model",
            "",
            'tasks = mteb.get_benchmark("MVEB(video)").tasks',
            "scores = mteb.evaluate(model(Path(__file__).parent), tasks)",
            "print(scores.to_dataframe())",
            "",
        ]
    )


def _example(
    inputs: Inputs, view: View, imports: list[str], loading: list[str], vectors: str, precision: ComputePrecision
) -> str:
    channels = len(inputs.mean)
    content = f"{inputs.order.upper()}, 0 to 255" if inputs.kind == "rgb" else "optical flow in pixels"
    frames = "frames spread evenly over" if view.stride == "uniform" else f"every {_ordinal(view.stride)}frame of"
    shape = f"{channels}, {view.frames}, {view.size}, {view.size}"
    return "\n".join(
        [
            f'"""Vectors of clips (B, {shape}), {content}.',
            "",
            f"A clip is {frames} a video, its short side resized to {view.short_side} pixels, the centre cut out.",
            '"""',
            "",
            *imports,
            "",
            *loading,
            f"mean = torch.tensor({list(inputs.mean)}).view(-1, 1, 1, 1)",
            f"std = torch.tensor({list(inputs.std)}).view(-1, 1, 1, 1)",
            f"pixels = torch.randint(256, (2, {shape}))",
            f"clips = (pixels * {inputs.scale!r} - mean) / std",
            "with torch.no_grad():" if precision == "fp32" else f"with torch.no_grad(), {_BF16}:",
            f"    vectors = {vectors}" if precision == "fp32" else f"    vectors = ({vectors}).float()",
            "print(vectors.shape)",
            "",
        ]
    )


def _ordinal(number: int) -> str:
    return {1: "", 2: "2nd ", 3: "3rd "}.get(number, f"{number}th ")
