"""Image networks of timm on each frame."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from harness.backbones.cards import TIMM, LibraryCard, model_card
from harness.backbones.libraries.anatomy import examine, on_meta, remove
from harness.backbones.libraries.forwarding import OverTime, frames_in_python, on_frames
from harness.backbones.libraries.importing import import_library, refuse_options, unknown_model
from harness.cards import View
from harness.system.seeding import seeded
from harness.values import Inputs, Recipe

OWN = ("checkpoint_path", "features_only", "num_classes", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay")
"""Options of timm that would give no vectors, or no random weights."""


class Timm:
    """Network of timm without its classifier, on each frame.

    Its weights are random. Size, mean and standard deviation are those of timm's own data configuration. Layers are
    the features that timm lists of the network.

    Args:
        model: name in timm, such as `vit_small_patch16_224`, with the tag of a configuration where it has several.
        frames: of a clip.
        stride: from one of them to the next; `uniform` spreads them over the video.
        size: of a frame in pixels; that of the data configuration when None.
        over_time: `mean` of the frames' vectors, or their `sequence`.
        options: of the network in timm.

    Raises:
        UsageError: when timm is not installed, has no such model, or cannot build it with these options.
    """

    library: ClassVar[LibraryCard] = TIMM

    def __init__(
        self,
        model: str,
        /,
        *,
        frames: int = 8,
        stride: int | Literal["uniform"] = 4,
        size: int | None = None,
        over_time: OverTime = "mean",
        **options: Any,
    ) -> None:
        timm = import_library(TIMM, "timm")
        self._model = model
        self._over_time = over_time
        self._options = options
        refuse_options(TIMM, options, OWN)
        if not timm.is_model(model.partition(".")[0]):
            raise unknown_model(TIMM, model, timm.list_models())
        stated = timm.get_pretrained_cfg(model)
        if size is not None and stated.fixed_input_size:
            self._options = {"img_size": size, **options}
        network = on_meta(self._create)
        config = timm.data.resolve_model_data_config(network)
        side = config["input_size"][-1] if size is None else size
        view = View(frames=frames, stride=stride, size=side, resize=math.floor(side / config["crop_pct"]))
        self.inputs = Inputs(view=view, mean=config["mean"], std=config["std"])
        features = [feature["module"] for feature in getattr(network, "feature_info", ())]
        self._anatomy = examine(network, view, features)
        self.card = model_card(
            TIMM,
            model,
            f"{type(network).__name__} of timm on each frame, {over_time} over time, randomly initialised",
            self._anatomy,
            licence=stated.license or "",
        )

    @property
    def recipe(self) -> Recipe:
        """Python that builds the network with timm alone."""
        options = "".join(f", {name}={value!r}" for name, value in self._options.items())
        return Recipe(
            "timm",
            f"timm.create_model({self._model!r}, num_classes=0{options})",
            frames_in_python(self._over_time),
            strict=not self._anatomy.unused,
        )

    def build(self, *, seed: int) -> nn.Module:
        """Build a new network, normalised float clips (B, 3, T, H, W) -> (B, *shape)."""
        with seeded(seed):
            network = self._create()
        remove(network, self._anatomy.unused)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def _create(self) -> nn.Module:
        timm = import_library(TIMM, "timm")
        return on_frames(timm.create_model(self._model, num_classes=0, **self._options), self._over_time)
