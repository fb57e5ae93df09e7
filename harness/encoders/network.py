"""The encoder that a network is, and how encoders are stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from harness.cards import BackboneCard, View
from harness.errors import DataError, PluginError, unknown
from harness.interfaces import Backbone, Encoder, Method, Restoring, Storable, VideoBatch
from harness.system import files


def normalise(clips: Tensor, card: BackboneCard) -> Tensor:
    """Uint8 RGB (B, C, T, H, W) -> float32 of the same shape, scaled to [0, 1], then mean and std of `card`."""
    mean = torch.tensor(card.mean, device=clips.device).view(1, -1, 1, 1, 1) * 255
    std = torch.tensor(card.std, device=clips.device).view(1, -1, 1, 1, 1) * 255
    return (clips.float() - mean) / std


class NetworkEncoder:
    """A trained network as an encoder: evaluation mode, no gradients.

    Args:
        module: the backbone's network, normalised float clips (B, C, T, H, W) -> (B, dim).
        card: of the backbone that built it.
        view: what to see of a video; the backbone's own view when None.
    """

    def __init__(self, module: nn.Module, card: BackboneCard, view: View | None = None) -> None:
        self.module = module.eval().requires_grad_(False)
        self.card = card
        self.view = view or card.view
        self.dim = card.dim

    @property
    def feature_map(self) -> nn.Module:
        """Normalised float images (B, C, H, W) -> (B, c, h, w), where the backbone has one.

        Raises:
            AttributeError: when it has none.
        """
        if not self.card.feature_map:
            msg = f"backbone {self.card.name!r} has no feature map"
            raise AttributeError(msg)
        found = self.module.feature_map
        assert isinstance(found, nn.Module)
        return found

    def at(self, layer: str) -> NetworkEncoder:
        """The encoder whose vectors are those of `layer`; it shares this one's weights.

        Raises:
            UsageError: when the backbone names no such layer.
        """
        if layer not in self.card.layers:
            raise unknown(f"layer of backbone {self.card.name!r}:", layer, self.card.layers)
        until: Callable[[str], nn.Module] = self.module.until  # type: ignore[assignment]
        return NetworkEncoder(until(layer), replace(self.card, dim=self.card.layers[layer]), self.view)

    @torch.inference_mode()
    def encode(self, batch: VideoBatch) -> Tensor:
        """(B, dim) float32 for (B, C, T, H, W) uint8 clips; the network moves to the batch's device."""
        device = batch.clips.device
        parameter = next(self.module.parameters(), None)
        if parameter is not None and parameter.device != device:
            self.module.to(device)
        vectors: Tensor = self.module(normalise(batch.clips, self.card))
        return vectors.float()


def save(encoder: Encoder, folder: Path, *, method: Method) -> None:
    """Store `encoder` in `folder` so that `load` gives an equal one; `encoder.json`, written last, marks it complete.

    Raises:
        PluginError: when the encoder is neither a `NetworkEncoder` nor `Storable` with a method that is `Restoring`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(encoder, NetworkEncoder):
        state = {name: tensor.cpu().contiguous() for name, tensor in encoder.module.state_dict().items()}
        with files.replacing(folder / "weights.safetensors") as temporary:
            safetensors.torch.save_file(state, temporary)
        described: dict[str, Any] = {"kind": "network", "view": asdict(encoder.view)}
    elif isinstance(encoder, Storable) and isinstance(method, Restoring):
        encoder.save(folder)
        described = {"kind": "own"}
    else:
        msg = (
            f"method {method.card.name!r} returned a {type(encoder).__name__}, which cannot be stored: return a "
            "harness.NetworkEncoder, or give the encoder save(folder) and the method load(backbone, folder)"
        )
        raise PluginError(msg)
    files.write_json(folder / "encoder.json", described)


def load(folder: Path, *, method: Method, backbone: Backbone) -> Encoder:
    """The encoder that `save` stored in `folder`.

    Raises:
        FileNotFoundError: when no complete encoder is there.
        DataError: when what is there cannot be read.
    """
    try:
        described: Mapping[str, Any] = json.loads((folder / "encoder.json").read_text())
        if described["kind"] == "own":
            if not isinstance(method, Restoring):
                msg = f"{folder}: method {method.card.name!r} has no load(backbone, folder)"
                raise PluginError(msg)
            return method.load(backbone, folder)
        module = backbone.build(seed=0)
        module.load_state_dict(safetensors.torch.load_file(folder / "weights.safetensors"))
        return NetworkEncoder(module, backbone.card, View(**described["view"]))
    except (json.JSONDecodeError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        msg = f"{folder}: the stored encoder cannot be read ({error}); delete the folder and run again"
        raise DataError(msg) from error
