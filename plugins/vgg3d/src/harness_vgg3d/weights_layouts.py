"""Released weights of VGG-19 and C3D, under the names of these networks.

VGG-19 (ImageNet):

- Johnson's port of Caffe's weights, `vgg19-d01eb7cb.pth` (pytorch-vgg): `features.N`, `classifier.1`, `classifier.4`.
- The same weights under torchvision's present names: `features.N`, `classifier.0`, `classifier.3`.

C3D (Sports-1M), Caffe's `conv3d_deepnetA_sport1m_iter_1900000`, whose filters take blue, green, red, and its ports:

- Layers by Caffe's names with their mean volume: `conv1a.weight` to `fc7.bias`, and `mean` (3, 16, size, size).
- mmaction2's `c3d_sports1m_pretrain_20201016-dcc47ddc.pth`: `conv1a.conv` to `conv5b.conv`, `fc6`, `fc7`, no mean. Its
  settings subtract 104, 117 and 128 from red, green and blue; in the older mmaction the same numbers belong to blue,
  green and red. Nothing states that the filters were turned, so blue is first here too.
- c3d-pytorch's `c3d.pickle`: `conv1`, `conv2`, `conv3a` to `conv5b`, `fc6` to `fc8`, no mean.

The mean volume is Caffe's `sport1m_train16_128_mean`, as .npy of (3, 16, 128, 171) or (1, 3, 16, 128, 171): `c3d_mean`
of keras-model-zoo. Caffe subtracts its part under the crop; of all crops the centre's part is taken here. To join both
once:

    from harness_vgg3d.weights_layouts import read_c3d
    from safetensors.torch import save_file
    save_file(read_c3d("c3d.pickle", "c3d_mean.npy"), "c3d.safetensors")

Last layers, `classifier.6` and `fc8`, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.backbones.weights import read_weights
from harness.errors import DataError


def _vgg19() -> Iterator[tuple[str, str]]:
    """Names of VGG-19's layers in a file and in the network.

    >>> names = dict(_vgg19())
    >>> names["features.0"], names["features.34"], names["classifier.4"]
    ('feature_map.conv1_1', 'feature_map.conv5_4', 'fc7.linear')
    """
    place = 0
    for stage, count in enumerate((2, 2, 4, 4, 4), 1):
        for number in range(1, count + 1):
            yield f"features.{place}", f"feature_map.conv{stage}_{number}"
            place += 2  # the ReLU is numbered too
        place += 1  # and the pool
    yield from {f"classifier.{place}": "fc6.linear" for place in (0, 1)}.items()
    yield from {f"classifier.{place}": "fc7.linear" for place in (3, 4)}.items()


_VGG19 = dict(_vgg19())
_CONVOLUTIONS = ("conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
_C3D = {**{name: f"feature_map.{name}" for name in _CONVOLUTIONS}, "fc6": "fc6.linear", "fc7": "fc7.linear"}
"""Names of C3D's layers in the network, by Caffe's."""
_PORTS = {"conv1": "conv1a", "conv2": "conv2a", **{f"{name}.conv": name for name in _CONVOLUTIONS}}
"""Caffe's names of C3D's layers, by those of its ports."""


def from_vgg19(file: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a released VGG-19; other names stay.

    >>> names = "features.2.weight", "classifier.1.bias", "classifier.3.bias", "classifier.6.bias"
    >>> list(from_vgg19({name: torch.zeros(1) for name in names}))
    ['feature_map.conv1_2.weight', 'fc6.linear.bias', 'fc7.linear.bias']
    """
    return _renamed({name: tensor for name, tensor in file.items() if not name.startswith("classifier.6.")}, _VGG19)


def from_c3d(file: Mapping[str, Tensor], output: str) -> dict[str, Tensor]:
    """Rename the tensors of a released C3D; other names stay.

    Args:
        file: tensors in any of the layouts above.
        output: last layer of the network, `fc6` or `fc7`; later ones are left out.

    >>> names = "conv1a.conv.weight", "conv2.weight", "fc6.bias", "fc7.bias", "mean"
    >>> list(from_c3d({name: torch.zeros(1) for name in names}, "fc6"))
    ['feature_map.conv1a.weight', 'feature_map.conv2a.weight', 'fc6.linear.bias', 'mean']
    """
    left_out = ("fc8.",) if output == "fc7" else ("fc7.", "fc8.")
    kept = {name: tensor for name, tensor in file.items() if not name.startswith(left_out)}
    return _renamed(_renamed(kept, _PORTS), _C3D)


def read_c3d(weights: str | Path, mean: str | Path, *, size: int = 112) -> dict[str, Tensor]:
    """Join a released C3D and its mean volume, under Caffe's names.

    Args:
        weights: in any of the layouts above.
        mean: .npy of (3, 16, H, W) or (1, 3, 16, H, W), blue first, from 0 to 255.
        size: pixels of the network's input; the centre of the mean is cut out.

    Raises:
        DataError: when a file cannot be read, a layer is missing, or the mean has another shape.
    """
    file = _renamed(read_weights(Path(weights)), _PORTS)
    names = [f"{layer}.{kind}" for layer in _C3D for kind in ("weight", "bias")]
    if missing := [name for name in names if name not in file]:
        msg = f"weights {weights}: expected C3D's layers conv1a to fc7, got a file without {', '.join(missing[:3])}"
        raise DataError(msg)
    return {**{name: file[name].contiguous() for name in names}, "mean": _centre(mean, size)}


def _renamed(file: Mapping[str, Tensor], layers: Mapping[str, str]) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in file.items():
        layer, _, kind = name.rpartition(".")
        renamed[f"{layers[layer]}.{kind}" if layer in layers else name] = tensor
    return renamed


def _centre(path: str | Path, size: int) -> Tensor:
    """Centre of a mean volume, (3, 16, size, size)."""
    try:
        volume = np.load(path, allow_pickle=False)
        if not isinstance(volume, np.ndarray) or not np.issubdtype(volume.dtype, np.floating):
            kind = getattr(volume, "dtype", type(volume).__name__)
            msg = f"real numbers were expected, got {kind}"
            raise ValueError(msg)
    except (OSError, ValueError, EOFError) as error:
        msg = f"mean {path}: expected a volume (3, 16, height, width) as .npy, got {error!r}"
        raise DataError(msg) from error
    volume = volume[0] if volume.ndim == 5 and len(volume) == 1 else volume
    if volume.ndim != 4 or volume.shape[:2] != (3, 16) or min(volume.shape[2:]) < size:
        msg = f"mean {path}: expected (3, 16, height, width) of at least {size} pixels, got {volume.shape}"
        raise DataError(msg)
    if not np.isfinite(volume).all():
        msg = f"mean {path}: expected finite numbers, got NaN or infinite ones"
        raise DataError(msg)
    top, left = ((side - size) // 2 for side in volume.shape[2:])
    centre = volume[..., top : top + size, left : left + size]
    return torch.from_numpy(np.ascontiguousarray(centre, dtype=np.float32))
