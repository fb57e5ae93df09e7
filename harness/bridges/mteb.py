"""Encoders as models of MTEB, which take its batches of videos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F

from harness.backbones import _torchvision
from harness.bridges.clips import clips_of
from harness.bridges.mteb_names import ORGANISATION, metadata_fields, model_name
from harness.bridges.mteb_results import results as results
from harness.cards import View
from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness.export.folder import load_recorded
from harness.export.model_card import cards_of, hub_licence
from harness.plugins.manager import Plugins
from harness.system import progress
from harness.values import Inputs, VideoBatch, as_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from harness.export.record import ExportedEncoder
    from harness.interfaces import Encoder, Trainable

_TRAINED_ON = {
    "ucf101": ("UCF101VideoClassification", "UCF101VideoClustering", "UCF101VideoZeroShotClassification"),
    "hmdb51": ("HMDB51Classification", "HMDB51Clustering", "HMDB51ZeroShot"),
    "kinetics400": ("Kinetics400V", "Kinetics400ZeroShot"),
    "kinetics600": ("Kinetics600V", "Kinetics600VZeroShot"),
}
"""MTEB's tasks of videos alone, by the data set of ours that has the same videos."""


def model(
    source: str | Path | Encoder | nn.Module,
    *,
    inputs: Inputs | None = None,
    name: str = "encoder",
    revision: str = "unversioned",
    clips: int = 1,
    crops: Literal[1, 3, 5, 10] = 1,
    device: str = "cpu",
    plugins: Plugins | None = None,
) -> MtebModel:
    """Make a model of MTEB of an encoder: `mteb.evaluate(model("3f2a"), tasks)`.

    Each video is seen as the encoder's own view says: frames, stride, size, normalisation. The vectors of clips and
    crops are averaged.

    Args:
        source: folder of `harness export`, or key of a fit or run, whose cards fill the model's metadata; or an
            encoder, or a network with `inputs`.
        inputs: how pixels become the network's input; of a network only.
        name: of an encoder or network that has no record.
        revision: of the same; results are kept apart by it.
        clips: of a video.
        crops: of a clip.
        device: where it computes.
        plugins: where names are looked up; all that are installed unless given.

    Raises:
        UsageError: when mteb is not installed, no run has such a key, or the encoder sees what MTEB does not hand over:
            whole videos, optical flow, or several views.
        DataError: when the folder or what is stored cannot be read.
    """
    expect_mteb()
    record = None
    plugins = Plugins() if plugins is None else plugins
    if isinstance(source, str | Path):
        encoder, record = load_recorded(source, plugins=plugins)
    elif isinstance(source, torch.nn.Module):
        if inputs is None:
            msg = "a network needs inputs=harness.Inputs(view=...): how pixels become its input"
            raise UsageError(msg)
        encoder = cast("Encoder", NetworkEncoder(source, inputs))
    else:
        encoder = source
    view = _only_view(encoder)
    try:
        view = replace(view, clips=clips, crops=crops)
    except ValueError as error:
        raise UsageError(str(error)) from error
    described = _described(record, plugins) if record else {"name": f"{ORGANISATION}/{name}", "revision": revision}
    return MtebModel(encoder, view, described, device)


def expect_mteb() -> None:
    """Expect MTEB.

    Raises:
        UsageError: when it is not installed, or too old to have videos.
    """
    if util.find_spec("mteb") is None:
        msg = "the bridge needs mteb: pip install 'video-harness[mteb]'"
        raise UsageError(msg)
    version = metadata.version("mteb")
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (2, 20):
        msg = f"the bridge needs mteb 2.20 or later, got {version}: pip install 'video-harness[mteb]'"
        raise UsageError(msg)


class MtebModel:
    """Encoder with the methods that MTEB calls, its `EncoderProtocol`.

    Args:
        encoder: gives vectors of clips.
        view: of a video, with clips and crops.
        described: fields of the model's metadata that say where it is from.
        device: where it computes.
    """

    def __init__(self, encoder: Encoder, view: View, described: dict[str, Any], device: str = "cpu") -> None:
        self.encoder = encoder
        self.view = view
        self.device = device
        self.mteb_model_meta = _metadata(encoder, view, described)

    def encode(
        self,
        inputs: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **_: Any,
    ) -> NDArray[np.float32]:
        """Encode the videos of a loader, (N, D) float32.

        Args:
            inputs: loader of batches whose `video` are torchcodec's decoders or frames (T, 3, H, W) uint8; its
                collation is replaced, so that the frames of the view alone are decoded.
            task_metadata: of the task, for messages.
            hf_split: not looked at.
            hf_subset: not looked at.
            prompt_type: not looked at.

        Raises:
            UsageError: when a row of the task has no video.
            DataError: when a video does not decode.
        """
        task = getattr(task_metadata, "name", "a task")
        inputs.collate_fn = _Collate(self.view, str(task))
        parts = []
        with progress.bar(f"encoding {task}", total=len(inputs)) as bar:
            for batch in inputs:
                parts.append(self._vectors(batch["video"]))
                bar.advance()
        return np.concatenate(parts)

    def _vectors(self, videos: Sequence[Tensor]) -> NDArray[np.float32]:
        """Vectors (B, D) of clips and crops (V, 3, T, H, W) of B videos."""
        features = self.encoder.encode(VideoBatch(torch.cat(list(videos)).to(self.device)))
        each = as_tokens(features.float()).mean(1)
        vectors: NDArray[np.float32] = each.view(len(videos), self.view.count, -1).mean(1).cpu().numpy()
        return vectors

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Cosine similarities of all pairs, (N, M) of (N, D) and (M, D)."""
        return _unit(embeddings1) @ _unit(embeddings2).mT

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Cosine similarities of pairs, (N,) of (N, D) and (N, D)."""
        return (_unit(embeddings1) * _unit(embeddings2)).sum(-1)


class _Collate:
    """Collation of rows with a video to lists of clips.

    A class, so that the workers of a loader can be handed one.
    """

    def __init__(self, view: View, task: str) -> None:
        self.view = view
        self.task = task

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, list[Tensor]]:
        if any(row.get("video") is None for row in rows):
            msg = (
                f"task {self.task} asks for vectors of {', '.join(rows[0]) or 'nothing'}; the encoder sees videos only"
            )
            raise UsageError(msg)
        return {"video": [clips_of(row["video"], self.view) for row in rows]}


def _described(record: ExportedEncoder, plugins: Plugins) -> dict[str, Any]:
    """Metadata from the record of an encoder and the cards of what it was made with."""
    cards = list(cards_of(record, plugins))
    paper = cards[0].paper
    licence = hub_licence(cards)
    learnt = None if record.starts or record.method.name == "pretrained" else _seen(record)
    return {
        "name": model_name(record.method.name, record.backbone.label if record.backbone else None, record.key),
        "revision": record.key,
        "license": None if licence == "other" else licence,
        "reference": (paper.url if paper else "") or None,
        "training_datasets": learnt,
    }


def _seen(record: ExportedEncoder) -> set[str] | None:
    """Tasks of MTEB whose data an encoder learnt from; None where that is not known."""
    if record.pretraining is None:
        return set()
    name = record.pretraining.name
    if name.startswith("mocap-actions"):
        return set()
    return set(_TRAINED_ON[name]) if name in _TRAINED_ON else None


def _metadata(encoder: Encoder, view: View, described: dict[str, Any]) -> Any:
    """MTEB's metadata of a model."""
    _torchvision.models()  # which MTEB imports, also beside a torch without CUDA
    from mteb.models.model_meta import ModelMeta

    parameters = None
    if "trainable" in encoder.promise.offers:
        parameters = sum(one.numel() for one in cast("Trainable", encoder).module.parameters())
    several = {"clips": view.clips, "crops": view.crops}
    return ModelMeta(
        **metadata_fields(
            n_parameters=parameters,
            embed_dim=encoder.promise.dim,
            experiment_kwargs=several if view.count > 1 else None,
            **described,
        )
    )


def _only_view(encoder: Encoder) -> View:
    """View of an encoder that sees clips of pictures.

    Raises:
        UsageError: when it sees something else.
    """
    promise = encoder.promise
    seen = ""
    if "vector" not in promise.offers:
        seen = "gives no vectors"
    elif len(promise.views) > 1 or not isinstance(promise.view, View):
        seen = f"sees {promise.sees}"
    elif "trainable" in promise.offers and any(one.kind == "flow" for one in _streams(cast("Trainable", encoder))):
        seen = "sees optical flow"
    if seen:
        msg = f"the encoder {seen}; MTEB hands over frames, of which the bridge makes clips of one view"
        raise UsageError(msg)
    assert isinstance(promise.view, View)
    return promise.view


def _streams(network: Trainable) -> Sequence[Inputs]:
    return [network.inputs] if isinstance(network.inputs, Inputs) else list(network.inputs.values())


def _unit(vectors: Any) -> Tensor:
    """Vectors of length 1, (..., D) float32."""
    return F.normalize(torch.as_tensor(vectors).float(), dim=-1)
