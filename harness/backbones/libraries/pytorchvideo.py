"""Video networks of pytorchvideo's hub."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from harness.backbones.cards import PYTORCHVIDEO, LibraryCard, model_card
from harness.backbones.libraries.anatomy import blocks, examine, on_meta, remove, without_classifier
from harness.backbones.libraries.forwarding import on_pathways
from harness.backbones.libraries.importing import import_library, refuse_options, unknown_model
from harness.cards import View
from harness.errors import UsageError
from harness.system.seeding import seeded
from harness.values import Inputs

OWN = ("checkpoint_path", "model_num_class", "pretrained", "progress")
"""Options of pytorchvideo that would give no vectors, or no random weights."""
CLIPS = {
    "slowfast_16x8": (64, 2, 224),
    "slowfast": (32, 2, 224),
    "csn": (32, 2, 224),
    "r2plus1d": (16, 4, 224),
    "mvit_base_16x4": (16, 4, 224),
    "mvit_base_32x3": (32, 3, 224),
    "x3d_xs": (4, 12, 160),
    "x3d_s": (13, 6, 160),
    "x3d_l": (16, 5, 312),
    "x3d": (16, 5, 224),
    "": (8, 8, 224),
}
"""Frames, stride and size of the model zoo, by part of a model's name."""


class Pytorchvideo:
    """Network of pytorchvideo without its classifier.

    Its weights are random. Mean and standard deviation are those of the model zoo, the short side of a frame is 8/7 of
    the size. Pools of the last map are over all of it, so that other clips than the model zoo's can be seen.

    Args:
        model: name in `pytorchvideo.models.hub`, such as `slow_r50`; a SlowFast network makes both pathways of a clip.
        frames: of a clip; those of the model zoo when None.
        stride: from one of them to the next; that of the model zoo when None.
        size: of a frame in pixels; that of the model zoo when None.
        options: of the network in pytorchvideo.

    Raises:
        UsageError: when pytorchvideo is not installed, has no such model, or an option is refused.
    """

    library: ClassVar[LibraryCard] = PYTORCHVIDEO

    def __init__(
        self,
        model: str,
        /,
        *,
        frames: int | None = None,
        stride: int | Literal["uniform"] | None = None,
        size: int | None = None,
        **options: Any,
    ) -> None:
        refuse_options(PYTORCHVIDEO, options, OWN)
        known = known_models()
        if model not in known:
            raise unknown_model(PYTORCHVIDEO, model, known)
        self._builder, self._options = known[model], options
        usual = next(clip for part, clip in CLIPS.items() if part in model)
        side = usual[2] if size is None else size
        view = View(
            frames=usual[0] if frames is None else frames,
            stride=usual[1] if stride is None else stride,
            size=side,
            resize=round(side * 8 / 7),
        )
        self._alpha = options.get("slowfast_fusion_conv_stride", [4])[0] if "slowfast" in model else 0
        if self._alpha and view.frames % self._alpha:
            msg = f"model {model!r} of pytorchvideo: expected a multiple of {self._alpha} frames, got {view.frames}"
            raise UsageError(msg)
        self.inputs = Inputs(view=view, mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225))
        network = on_meta(self._create)
        self._anatomy = examine(network, view, blocks(network))
        self.card = model_card(
            PYTORCHVIDEO,
            model,
            f"{model} of pytorchvideo, randomly initialised",
            self._anatomy,
        )

    def build(self, *, seed: int) -> nn.Module:
        """Build a new network, normalised float clips (B, 3, T, H, W) -> (B, dim)."""
        with seeded(seed):
            network = self._create()
        remove(network, self._anatomy.unused)
        return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]

    def _create(self) -> nn.Module:
        network: nn.Module = self._builder(pretrained=False, **self._options)
        without_classifier(network)
        swish = import_library(PYTORCHVIDEO, "pytorchvideo.layers.swish").Swish
        for name, module in list(network.named_modules()):
            if isinstance(module, nn.AvgPool3d):
                network.set_submodule(name, nn.AdaptiveAvgPool3d(1))
            elif isinstance(module, nn.Softmax):
                network.set_submodule(name, nn.Identity())
            elif isinstance(module, swish):
                network.set_submodule(name, nn.SiLU())  # the same function, whose gradient is in torch
        return on_pathways(network, self._alpha) if self._alpha else network


def known_models() -> dict[str, Any]:
    """Functions of the hub that build networks of whole clips, by name."""
    hub = import_library(PYTORCHVIDEO, "pytorchvideo.models.hub")
    builders = {name: value for name, value in vars(hub).items() if inspect.isfunction(value)}
    left_out = ("mvit_base_16",)  # of images
    return {name: one for name, one in builders.items() if not name.endswith("_detection") and name not in left_out}
