"""Video networks of torchvision, and its image networks on each frame."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import nn

from harness.backbones.cards import TORCHVISION, LibraryCard, model_card
from harness.backbones.libraries.anatomy import blocks, examine, on_meta, remove, without_classifier
from harness.backbones.libraries.forwarding import OverTime, frames_in_python, on_frames
from harness.backbones.libraries.importing import import_library, refuse_options, unknown_model
from harness.cards import View
from harness.errors import UsageError
from harness.system.seeding import seeded
from harness.values import Inputs, Recipe

OWN = ("num_classes", "progress", "weights")
"""Options of torchvision that would give no vectors, or no random weights."""
AUXILIARY = ("googlenet", "inception_v3")
"""Networks with further classifiers, and weights that learnt from other pixels."""
OF_AUXILIARY = {"aux_logits": False, "init_weights": True, "transform_input": True}
"""Options of networks of `AUXILIARY`.

Their published weights want the transform, which takes pixels as the others want them.
"""
CLIPS = {"mvit": (16, 4), "swin3d": (32, 2), "s3d": (128, 2), "": (16, 2)}
"""Frames and stride that are stated for weights, by the start of the name."""


class Torchvision:
    """Network of torchvision without its classifier.

    Its weights are random. Size, mean and standard deviation are those of the transform of its default weights. An
    image network is applied to each frame.

    Args:
        model: name in torchvision, such as `r3d_18`.
        frames: of a clip; as stated for the weights when None (128 for `s3d`), 8 for image networks.
        stride: from one of them to the next; as stated for the weights when None, 4 for image networks.
        size: of a frame in pixels; that of the transform when None.
        over_time: of an image network, `mean` of the frames' vectors, or their `sequence`.
        options: of the network in torchvision.

    Raises:
        UsageError: when torchvision has no such model, or an option is refused.
    """

    library: ClassVar[LibraryCard] = TORCHVISION

    def __init__(
        self,
        model: str,
        /,
        *,
        frames: int | None = None,
        stride: int | Literal["uniform"] | None = None,
        size: int | None = None,
        over_time: OverTime = "mean",
        **options: Any,
    ) -> None:
        models = import_library(TORCHVISION, "torchvision.models")
        refuse_options(TORCHVISION, options, OWN)
        videos = models.list_models(module=models.video)
        if model not in [*videos, *models.list_models(module=models)]:
            raise unknown_model(TORCHVISION, model, [*videos, *models.list_models(module=models)])
        self._model = model
        self._over_time = over_time
        self._is_video = model in videos
        if self._is_video and over_time != "mean":
            msg = f"option over_time is of image networks; {model!r} of torchvision sees a clip as a whole"
            raise UsageError(msg)
        transform = models.get_model_weights(model).DEFAULT.transforms()
        crop = transform.crop_size[0]
        side = crop if size is None else size
        usual = next(clip for start, clip in CLIPS.items() if model.startswith(start)) if self._is_video else (8, 4)
        view = View(
            frames=usual[0] if frames is None else frames,
            stride=usual[1] if stride is None else stride,
            size=side,
            resize=round(min(transform.resize_size) * side / crop),
        )
        self.inputs = Inputs(view=view, mean=tuple(transform.mean), std=tuple(transform.std))
        self._options = {**(OF_AUXILIARY if model in AUXILIARY else {}), **_sizes(model, view), **options}
        network = on_meta(self._create)
        self._anatomy = examine(network, view, blocks(network))
        kind = "" if self._is_video else f" on each frame, {over_time} over time"
        self.card = model_card(
            TORCHVISION,
            model,
            f"{type(network).__name__} of torchvision{kind}, randomly initialised",
            self._anatomy,
        )

    @property
    def recipe(self) -> Recipe:
        """Python that builds the network with torchvision alone."""
        options = "".join(f", {name}={value!r}" for name, value in self._options.items())
        return Recipe(
            "torchvision",
            f"torchvision.models.get_model({self._model!r}{options})",
            "network(clips)" if self._is_video else frames_in_python(self._over_time),
            classifier=self._classifier,
            strict=not self._anatomy.unused,
        )

    def build(self, *, seed: int) -> nn.Module:
        """Build a new network, normalised float clips (B, 3, T, H, W) -> (B, *shape)."""
        with seeded(seed):
            network = self._create()
        remove(network, self._anatomy.unused)
        layout = torch.channels_last_3d if self._is_video else torch.channels_last
        return network.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]

    def _create(self) -> nn.Module:
        models = import_library(TORCHVISION, "torchvision.models")
        network: nn.Module = models.get_model(self._model, **self._options)
        self._classifier = without_classifier(network)
        return network if self._is_video else on_frames(network, self._over_time)


def _sizes(model: str, view: View) -> dict[str, Any]:
    """Options of transformers whose positions are learnt for one size."""
    if model.startswith("vit"):
        return {"image_size": view.size}
    if model.startswith("maxvit"):
        return {"input_size": (view.size, view.size)}
    return {}
