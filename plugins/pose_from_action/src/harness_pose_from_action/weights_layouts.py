"""Released ImageNet weights of VGG-M, under the names of this network.

Both releases are the Caffe network of Chatfield et al. Constants of local response normalisation (5 channels, alpha
5e-4 divided by 5, beta 0.75, k 2) and pads are those of Cadene's code; a file's own are not read. Of the layers `fc7`
and `fc8` are left out.

- Cadene's `vggm-786f2434.pth` (pretrained-models.pytorch): blue, green, red from 0 to 255 less their means, like this
  network. Its settings list the means from red to blue; here each is its own channel's. Loaded as it is.
- MatConvNet's `imagenet-vgg-m.mat`: red, green, blue from 0 to 255 less a mean image, filters (height, width, inputs,
  outputs), alpha already divided. `read_matconvnet` turns the channels of the first layer and the axes; the mean image
  is left out, as the means of the channels take its place. To convert the file once:

      from harness_pose_from_action.weights_layouts import read_matconvnet
      from safetensors.torch import save_file
      save_file(read_matconvnet("imagenet-vgg-m.mat"), "vgg_m.safetensors")
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torch
from torch import Tensor

from harness.errors import DataError, out_of_memory

_LAYERS = {**{f"conv{number}": f"feature_map.conv{number}" for number in range(1, 6)}, "fc6": "fc6.linear"}
"""Names of the layers in the network, by Caffe's."""
_CADENE = {
    "features.0": "conv1",
    "features.4": "conv2",
    "features.8": "conv3",
    "features.10": "conv4",
    "features.12": "conv5",
    "classif.0": "fc6",
}
"""Caffe's names of the layers, by Cadene's."""
_LEFT_OUT = ("classif.3.", "classif.6.")
"""Beginnings of Cadene's names of `fc7` and `fc8`."""


def from_cadene(file: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of Cadene's file; other names stay.

    >>> names = "features.0.weight", "classif.0.bias", "classif.6.bias"
    >>> list(from_cadene({name: torch.zeros(1) for name in names}))
    ['feature_map.conv1.weight', 'fc6.linear.bias']
    """
    renamed = {}
    for name, tensor in file.items():
        layer, _, kind = name.rpartition(".")
        if not name.startswith(_LEFT_OUT):
            renamed[f"{_LAYERS[_CADENE[layer]]}.{kind}" if layer in _CADENE else name] = tensor
    return renamed


def read_matconvnet(path: str | Path) -> dict[str, Tensor]:
    """Read MatConvNet's file as tensors of the network.

    Raises:
        DataError: when the file cannot be read, or lacks a layer.
    """
    try:
        layers = [cell[0, 0] for cell in scipy.io.loadmat(path)["layers"][0]]
        weights = {str(layer["name"][0]): layer["weights"][0] for layer in layers if "weights" in layer.dtype.names}
        return {
            f"{own}.{kind}": tensor
            for layer, own in _LAYERS.items()
            for kind, tensor in zip(("weight", "bias"), _tensors(layer, *weights[layer]), strict=True)
        }
    except Exception as error:
        if out_of_memory(error):
            raise
        msg = f"weights {path}: expected MatConvNet's imagenet-vgg-m.mat with its layers conv1 to fc6, got {error!r}"
        raise DataError(msg) from error


def _tensors(layer: str, filters: Any, biases: Any) -> tuple[Tensor, Tensor]:
    """Weights and biases in torch's layout.

    MatConvNet's `fc6` is a convolution over its whole input.
    """
    weights = torch.from_numpy(np.ascontiguousarray(filters.transpose(3, 2, 0, 1), dtype=np.float32))
    if layer == "conv1":
        weights = weights.flip(1)
    return weights.flatten(1) if layer == "fc6" else weights, torch.from_numpy(biases.astype(np.float32).reshape(-1))
