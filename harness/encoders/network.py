"""Encoders made of a network, and methods whose encoders are one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from harness.cards import View, WholeVideo
from harness.encoders.layers import output_of
from harness.errors import DataError, UsageError, out_of_memory
from harness.functional.autocast import autocast
from harness.interfaces import Backbone, Encoder
from harness.system import files
from harness.values import ComputePrecision, Inputs, Promise, VideoBatch, as_tokens
from harness.video.transforms import normalise

WEIGHTS = "weights.safetensors"


class NetworkEncoder:
    """A network as an encoder, in evaluation mode without gradients.

    Any `nn.Module` that gives vectors, tokens or maps will do.

    Args:
        module: normalised float clips (B, C, T, H, W) -> (B, dim), or tokens (B, N, dim), or maps (B, dim, ..., H, W).
        inputs: how pixels become the module's input.
        layers: names of submodules whose outputs may be asked for as vectors.
        spatial: name of the submodule whose output is a map (B, c, h, w) or (B, c, t, h, w); empty for none.
        tokens: name of the submodule whose outputs are tokens (B, N, c) or a map; `spatial` when empty.
        precision: in which the module multiplies; what it gives becomes float32.

    >>> encoder = NetworkEncoder(
    ...     nn.Sequential(nn.AvgPool3d((4, 8, 8)), nn.Flatten()), Inputs(view=View(frames=4, size=8))
    ... )
    >>> encoder.promise.shape
    (3,)
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: Inputs | Mapping[str, Inputs],
        *,
        layers: tuple[str, ...] = (),
        spatial: str = "",
        tokens: str = "",
        precision: ComputePrecision = "fp32",
    ) -> None:
        self.module = module.eval()
        for parameter in module.parameters():  # of a TorchScript module, too
            parameter.requires_grad_(False)
        self.inputs = inputs
        self._layers = layers
        self._spatial = spatial
        self._tokens = tokens
        self.precision: ComputePrecision = precision

    @classmethod
    def of(cls, module: nn.Module, backbone: Backbone) -> NetworkEncoder:
        """The encoder that a network built by `backbone` is."""
        card = backbone.card
        return cls(module, backbone.inputs, layers=card.layers, spatial=card.spatial, tokens=card.tokens)

    @cached_property
    def promise(self) -> Promise:
        """Properties of the encoder; the shape of its features is that of a black clip's."""
        return _promise(self.inputs, self.probe(), self._layers, self._spatial, self._tokens)

    @property
    def dim(self) -> int:
        """Length of its vectors, or of its tokens."""
        dim = self.promise.dim
        assert dim is not None  # probed
        return dim

    def probe(self, layer: str | None = None, *, tokens: bool = False) -> tuple[int, ...]:
        """Shape of a clip's features, or of those of a layer, found with a black clip.

        Raises:
            UsageError: as in `encode_layer` and `encode_tokens`.
        """
        parameter = next(self.module.parameters(), torch.empty(0))
        black = _black_batch(self.inputs, parameter.device)
        if layer is None:
            return tuple(self.encode(black).shape[1:])
        features = self.encode_tokens(black, layer) if tokens else self.encode_layer(black, layer)
        return tuple(features.shape[1:])

    @torch.inference_mode()
    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode uint8 clips as (B, *shape) float32; the network moves to their device.

        Raises:
            UsageError: when the network gives no real vectors, tokens or maps.
        """
        with autocast(batch.clips.device, self.precision):
            features = self._at_device(batch)(prepared(batch, self.inputs))
        if not isinstance(features, Tensor) or features.is_complex() or not features.shape[1:].numel():
            of = f"{tuple(features.shape)} {features.dtype}" if isinstance(features, Tensor) else "no tensor"
            msg = (
                f"network {type(self.module).__name__} gives a {type(features).__name__}, {of}; expected a tensor of "
                "vectors (B, dim), tokens (B, N, dim) or maps"
            )
            raise UsageError(msg)
        return features.float()

    @torch.inference_mode()
    def encode_layer(self, batch: VideoBatch, layer: str) -> Tensor:
        """Encode clips as outputs of `layer`, (B, D) float32.

        Outputs for single frames are averaged over each clip, tokens over all of them, and maps are flattened.

        Raises:
            UsageError: when the network has no such submodule, or it gives nothing.
        """
        output = self._output(batch, layer)
        means = output.reshape(len(batch), -1, *output.shape[1:]).mean(1)
        return means.mean(1) if means.ndim == 3 else means.flatten(1)

    @torch.inference_mode()
    def encode_tokens(self, batch: VideoBatch, layer: str) -> Tensor:
        """Encode clips as tokens of `layer`, (B, N, D) float32.

        Those of single frames are after each other. Maps may have their channels first or last: clips are square.

        Raises:
            UsageError: when the network has no such submodule, it gives nothing, or one vector for a clip.
        """
        output = self._output(batch, layer)
        if output.ndim > 3 and output.shape[-1] != output.shape[-2] == output.shape[-3]:
            output = output.movedim(-1, 1)
        tokens = as_tokens(output).reshape(len(batch), -1, output.shape[1 if output.ndim > 3 else -1])
        if tokens.shape[1] == 1:
            msg = f"layer {layer!r} gives one vector for a clip, {tuple(output.shape)}; expected tokens or a map"
            raise UsageError(msg)
        return tokens

    def _output(self, batch: VideoBatch, layer: str) -> Tensor:
        with autocast(batch.clips.device, self.precision):
            return output_of(self._at_device(batch), layer, prepared(batch, self.inputs)).float()

    def _at_device(self, batch: VideoBatch) -> nn.Module:
        """The network on the batch's device, in evaluation mode whoever left it otherwise."""
        parameter = next(self.module.parameters(), None)
        if parameter is not None and parameter.device != batch.clips.device:
            self.module.to(batch.clips.device)
        return self.module.eval()

    def save(self, folder: Path) -> None:
        """Write the weights; everything else is the backbone's."""
        state = {name: tensor.cpu().contiguous() for name, tensor in self.module.state_dict().items()}
        with files.replacing(folder / WEIGHTS) as temporary:
            safetensors.torch.save_file(state, temporary)


class NetworkMethod:
    """Part of a method whose encoder is the backbone's network."""

    def promise(self, backbone: Backbone) -> Promise:
        """Properties of the backbone's network as an encoder."""
        card = backbone.card
        return _promise(backbone.inputs, card.shape, card.layers, card.spatial, card.tokens)

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """The encoder whose weights `NetworkEncoder.save` wrote.

        Raises:
            DataError: when the weights are missing, damaged or of another network.
        """
        module = backbone.build(seed=0)
        try:
            module.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            if out_of_memory(error):
                raise
            problem = " ".join(str(error).split())
            msg = f"{folder}: the stored encoder cannot be read ({problem}); delete the folder and run again"
            raise DataError(msg) from error
        return NetworkEncoder.of(module, backbone)


def only_stream(inputs: Inputs | Mapping[str, Inputs]) -> Inputs:
    """The inputs of a network that has one stream.

    Raises:
        UsageError: when it has several.
    """
    if not isinstance(inputs, Inputs):
        msg = f"expected a network of one stream, got streams {', '.join(inputs)}"
        raise UsageError(msg)
    return inputs


def prepared(batch: VideoBatch, inputs: Inputs | Mapping[str, Inputs]) -> Tensor | dict[str, Tensor]:
    """Clips as a network wants them, by the name of each stream where it has several.

    Raises:
        PluginError: when a stream is of optical flow and the batch has none.
    """
    if isinstance(inputs, Inputs):
        return normalise(batch.stream(inputs.kind), inputs)
    return {name: normalise(batch.stream(one.kind), one) for name, one in inputs.items()}


def _promise(
    inputs: Inputs | Mapping[str, Inputs], shape: tuple[int, ...], layers: tuple[str, ...], spatial: str, tokens: str
) -> Promise:
    streams = [inputs] if isinstance(inputs, Inputs) else list(inputs.values())
    return Promise(
        views=tuple(dict.fromkeys(stream.view for stream in streams)),
        shape=shape,
        offers=frozenset({"vector", "trainable", "feature_map"} if spatial else {"vector", "trainable"}),
        layers=layers,
        spatial=spatial,
        tokens=tokens,
    )


def _black_batch(inputs: Inputs | Mapping[str, Inputs], device: torch.device) -> VideoBatch:
    """A black clip without motion, as the first stream sees it."""
    view = (inputs if isinstance(inputs, Inputs) else next(iter(inputs.values()))).view
    seen = View(frames=8, size=64) if isinstance(view, WholeVideo) else view
    shape = (seen.frames, seen.size, seen.size)
    clips = torch.zeros(1, 3, *shape, dtype=torch.uint8, device=device)
    return VideoBatch(clips, torch.zeros(1, 2, *shape, device=device))
