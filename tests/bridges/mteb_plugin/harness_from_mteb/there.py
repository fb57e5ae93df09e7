"""The network as a model that MTEB has registered, and the method that takes it from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from harness.backbones import _torchvision
from harness.bridges.models.method import MtebMethod
from harness.bridges.mteb_names import metadata_fields
from harness.cards import MethodCard
from harness_from_mteb import THERE
from harness_from_mteb.here import INPUTS, network

_torchvision.models()
from mteb.models.modality_collators import FramesCollator  # noqa: E402
from mteb.models.model_implementations import MODEL_REGISTRY  # noqa: E402
from mteb.models.model_meta import ModelMeta  # noqa: E402

NAME = "user/squares"


class Model:
    """What MTEB calls; it takes 24 frames spread over a video, and the square in their middle."""

    def __init__(self, model_name, revision, device=None, **options):
        self.options = options
        self.network = network().to(device)
        self.mean, self.std = (torch.tensor(values).view(3, 1, 1, 1) for values in (INPUTS.mean, INPUTS.std))

    def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **_):
        inputs.collate_fn = FramesCollator(num_frames=24)
        vectors = []
        for batch in inputs:
            for frames in batch["video"]:
                top, left = (size // 2 - 24 for size in frames.shape[2:])
                square = frames[:, :, top : top + 48, left : left + 48].permute(1, 0, 2, 3) / 255
                vectors.append(self.network(((square - self.mean) / self.std)[None])[0])
        return torch.stack(vectors).numpy()


META = ModelMeta(**{**metadata_fields(NAME, "2"), "loader": Model, "embed_dim": 7})
MODEL_REGISTRY[NAME] = META


@dataclass(frozen=True, kw_only=True)
class There(MtebMethod):
    card: ClassVar[MethodCard] = THERE

    model: str = NAME
    revision: str = "2"
    learnt_from: str = "chance"
    labels: bool = False
