"""Released weights of VGG-M, in every accepted layout."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import scipy.io
import torch
import torch.nn.functional as F
from torch import nn

from harness.backbones.start import Start
from harness.backbones.weights import StartedBackbone, match_weights
from harness.errors import DataError
from harness.video.transforms import normalise
from harness_pose_from_action.vgg_m import VggM
from harness_pose_from_action.weights_layouts import from_cadene, read_matconvnet

SIXTEENTH = {"width": 1 / 16, "size": 224}


def on_meta():
    """Build the network without memory for its weights."""
    with torch.device("meta"):
        return VggM().build(seed=0)


def released(width=1.0, classes=1000):
    """Shapes of weights of every layer of the released network, by Caffe's names, (outputs, inputs, height, width)."""
    a, b, c, fc = (max(2, 2 * round(number * width / 2)) for number in (96, 256, 512, 4096))
    return {
        "conv1": (a, 3, 7, 7),
        "conv2": (b, a, 5, 5),
        "conv3": (c, b, 3, 3),
        "conv4": (c, c, 3, 3),
        "conv5": (c, c, 3, 3),
        "fc6": (fc, c, 6, 6),
        "fc7": (fc, fc, 1, 1),
        "fc8": (classes, fc, 1, 1),
    }


def drawn(width):
    """Random weights and biases of every layer, which keep signals alive."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: (
            torch.randn(shape, generator=generator) * (2 / np.prod(shape[1:])) ** 0.5,
            torch.randn(shape[0], generator=generator),
        )
        for name, shape in released(width, classes=10).items()
    }


CADENE = {
    "conv1": "features.0",
    "conv2": "features.4",
    "conv3": "features.8",
    "conv4": "features.10",
    "conv5": "features.12",
    "fc6": "classif.0",
    "fc7": "classif.3",
    "fc8": "classif.6",
}


def cadene(layers):
    """Tensors as Cadene's file has them."""
    file = {}
    for name, own in CADENE.items():
        weight, bias = layers[name]
        file[f"{own}.weight"] = weight.flatten(1) if name.startswith("fc") else weight
        file[f"{own}.bias"] = bias
    return file


def twin(layers):
    """A plain network of the same tensors, with torch's own normalisation."""

    def convolution(name, **options):
        weight, bias = layers[name]
        layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], **options)
        layer.load_state_dict({"weight": weight, "bias": bias})
        return layer

    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    weight, bias = layers["fc6"]
    linear = nn.Linear(weight[0].numel(), len(weight))
    linear.load_state_dict({"weight": weight.flatten(1), "bias": bias})
    response = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
    return nn.Sequential(
        *(convolution("conv1", stride=2), nn.ReLU(), response, pool()),
        *(convolution("conv2", stride=2, padding=1), nn.ReLU(), response, pool()),
        *(convolution("conv3", padding=1), nn.ReLU(), convolution("conv4", padding=1), nn.ReLU()),
        *(convolution("conv5", padding=1), nn.ReLU(), pool()),
        *(nn.Flatten(), linear, nn.ReLU()),
    )


def started(path, backbone, **options):
    start = Start(weights=str(path), learnt_from="imagenet", labels=True, **options)
    return StartedBackbone(backbone, start).build(seed=0).eval()


def pixels(number=2, size=224):
    return torch.randint(0, 256, (number, 3, 1, size, size), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


@pytest.mark.parametrize("layout", ["cadene", "own", "matconvnet"])
def test_released_weights_compute_what_a_plain_network_of_them_does(tmp_path, layout):
    backbone, layers = VggM(**SIXTEENTH), drawn(1 / 16)
    if layout == "cadene":
        path = tmp_path / "vggm-786f2434.pth"
        torch.save(cadene(layers), path)
    else:
        path = tmp_path / "vgg_m.safetensors"
        write_matconvnet(tmp_path / "imagenet-vgg-m.mat", layers)
        own = from_cadene(cadene(layers)) if layout == "own" else read_matconvnet(tmp_path / "imagenet-vgg-m.mat")
        safetensors.torch.save_file(own, path)
    with torch.no_grad():
        blue_first = pixels()[:, :, 0].flip(1).float() - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
        expected = twin(layers)(blue_first)
        vectors = started(path, backbone)(normalise(pixels(), backbone.inputs))
    assert vectors.std() > 0.1
    torch.testing.assert_close(vectors, expected, rtol=1e-4, atol=1e-4)


def write_matconvnet(path, layers):
    """Write a file as MatConvNet's: red first, filters (height, width, inputs, outputs), biases in a column."""
    cells = []
    for name, (weight, bias) in layers.items():
        filters = (weight.flip(1) if name == "conv1" else weight).permute(2, 3, 1, 0).numpy()
        pair = np.empty((1, 2), dtype=object)
        pair[0, 0], pair[0, 1] = filters, bias[:, None].numpy()
        cells += [{"name": name, "type": "conv", "weights": pair}, {"name": f"relu{name[-1]}", "type": "relu"}]
        if name in ("conv1", "conv2"):
            cells.append({"name": f"norm{name[-1]}", "type": "lrn", "param": np.array([[5, 2, 1e-4, 0.75]])})
    content = np.empty((1, len(cells)), dtype=object)
    content[0] = cells
    scipy.io.savemat(path, {"layers": content, "meta": {"inputSize": [224, 224, 3]}})


def test_matconvnets_own_conventions_give_the_same_vectors(tmp_path):
    """Red first, sums of squares in place of means, windows beyond the last pixels by pads."""
    backbone, layers = VggM(**SIXTEENTH), drawn(1 / 16)
    write_matconvnet(tmp_path / "a.mat", layers)
    cells = scipy.io.loadmat(tmp_path / "a.mat", squeeze_me=True, struct_as_record=False)["layers"]
    red_first = pixels()[:, :, 0].float() - torch.tensor([123.68, 116.779, 103.939]).view(3, 1, 1)
    maps, pads, steps = red_first, {"conv1": 0, "fc6": 0}, {"conv1": 2, "conv2": 2}
    for cell in cells:
        if cell.name in ("fc7", "relu7", "fc8", "relu8"):
            continue
        if cell.type == "conv":
            filters, biases = (torch.from_numpy(part) for part in cell.weights)
            pad, step = pads.get(cell.name, 1), steps.get(cell.name, 1)
            maps = F.conv2d(maps, filters.permute(3, 2, 0, 1), biases, stride=step, padding=pad)
        elif cell.type == "relu":
            maps = maps.relu()
        else:
            size, k, alpha, beta = cell.param
            squares = F.pad(maps.square(), (0, 0, 0, 0, 2, 2)).unfold(1, int(size), 1).sum(-1)
            maps = maps / (k + alpha * squares) ** beta
        if cell.name in ("norm1", "norm2", "relu5"):
            maps = F.max_pool2d(F.pad(maps, (0, 1, 0, 1)), 3, 2)
    network = backbone.build(seed=0)
    network.load_state_dict(read_matconvnet(tmp_path / "a.mat"))
    with torch.no_grad():
        vectors = network(normalise(pixels(), backbone.inputs))
    torch.testing.assert_close(vectors, maps.flatten(1), rtol=1e-4, atol=1e-4)


def test_the_full_release_fits_name_by_name():
    with torch.device("meta"):
        layers = {name: (torch.empty(shape), torch.empty(shape[0])) for name, shape in released().items()}
    match = match_weights(from_cadene(cadene(layers)), on_meta().state_dict())
    assert match.complete
    assert match.ignored == ()
    assert cadene(layers)["classif.0.weight"].shape == (4096, 18432)


def test_weights_start_networks_of_other_sizes_and_norms_as_far_as_they_fit(tmp_path):
    layers, path = drawn(1 / 16), tmp_path / "vggm.pth"
    torch.save(cadene(layers), path)
    with pytest.raises(DataError, match=r"of another shape: 1 \(fc6.linear.weight: .*`strict: false` loads what fits"):
        started(path, VggM(width=1 / 16, size=256))
    with pytest.raises(DataError, match=r"missing: 20 \(feature_map.norm1.weight"):
        started(path, VggM(**SIXTEENTH, norm="batch"))
    larger = started(path, VggM(width=1 / 16, size=256), strict=False)
    assert torch.equal(larger.feature_map.conv5.weight, layers["conv5"][0])
    normalised = started(path, VggM(**SIXTEENTH, norm="batch"), strict=False)
    assert torch.equal(normalised.fc6.linear.weight, layers["fc6"][0].flatten(1))


def test_files_that_are_not_matconvnets(tmp_path):
    scipy.io.savemat(tmp_path / "other.mat", {"w": np.zeros(3)})
    write_matconvnet(tmp_path / "short.mat", {"conv1": drawn(1 / 16)["conv1"]})
    (tmp_path / "text.mat").write_text("nothing of the kind")
    for name in ("other.mat", "short.mat", "text.mat", "missing.mat"):
        with pytest.raises(DataError, match=rf"{name}: expected MatConvNet's imagenet-vgg-m.mat"):
            read_matconvnet(tmp_path / name)
