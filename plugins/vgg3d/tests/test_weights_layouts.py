"""Released weights of VGG-19 and C3D, in every accepted layout."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F

from harness.backbones import _torchvision
from harness.backbones.libraries.timm import Timm
from harness.backbones.start import Start
from harness.backbones.weights import StartedBackbone, match_weights
from harness.encoders.layers import output_of
from harness.errors import DataError
from harness.testing.checking import distance
from harness.video.transforms import normalise
from harness_vgg3d.c3d import C3d
from harness_vgg3d.vgg19 import Vgg19
from harness_vgg3d.weights_layouts import from_c3d, from_vgg19, read_c3d

VGG19 = {"width": 1 / 16, "size": 224}
C3D = {"width": 1 / 32, "size": 112}
STAGES = (("64", 2), ("128", 2), ("256", 4), ("512", 4), ("512", 4))
JOHNSON = {"classifier.0": "classifier.1", "classifier.3": "classifier.4", "classifier.6": "classifier.6"}
COLOURS = torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
CONVOLUTIONS = ("conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
PORTS = {
    "caffe": {},
    "mmaction2": {name: f"{name}.conv" for name in CONVOLUTIONS},
    "c3d-pytorch": {"conv1a": "conv1", "conv2a": "conv2"},
}
"""Names of C3D's layers in each file, by Caffe's."""


def drawn(shapes):
    """Random weights of each shape, which keep signals alive, and biases."""
    generator, tensors = torch.Generator().manual_seed(0), {}
    for name, shape in shapes.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5
        tensors[f"{name}.weight"] = torch.randn(shape, generator=generator) * scale
        tensors[f"{name}.bias"] = torch.randn(shape[0], generator=generator)
    return tensors


def torchvisions_vgg19():
    """Full VGG-19 of torchvision without memory for its weights."""
    with torch.device("meta"):
        return _torchvision.models().vgg19()


def released_vgg19(layout):
    """Narrow VGG-19 of ten classes, its layers by the names of a file."""
    shapes = {name.removesuffix(".weight"): tuple(one.shape) for name, one in torchvisions_vgg19().state_dict().items()}
    narrow = {name: tuple(side if side in (3, 7) else side // 16 for side in shape) for name, shape in shapes.items()}
    narrow = {name: shape for name, shape in narrow.items() if not name.endswith("bias")}
    narrow["classifier.6"] = (10, 256)
    return renamed(drawn(narrow), JOHNSON if layout == "johnson" else {})


def renamed(file, names):
    """Tensors of a file under other names of its layers; the other layers keep theirs."""
    parts = {name: name.rpartition(".") for name in file}
    return {
        f"{names[layer]}.{kind}" if layer in names else name: file[name] for name, (layer, _, kind) in parts.items()
    }


def vgg19_twin(file, images, *, connected=("classifier.0", "classifier.3")):
    """Map before the last pool, and vectors, by the file's numbers of modules alone."""
    maps, place = images, 0
    for stage, (_, count) in enumerate(STAGES, 1):
        for _ in range(count):
            weight, bias = file[f"features.{place}.weight"], file[f"features.{place}.bias"]
            maps, place = F.conv2d(maps, weight, bias, padding=1).relu(), place + 2
        if stage < len(STAGES):
            maps, place = F.max_pool2d(maps, 2), place + 1
    vectors = F.max_pool2d(maps, 2).flatten(1)
    for name in connected:
        vectors = F.linear(vectors, file[f"{name}.weight"], file[f"{name}.bias"]).relu()
    return maps, vectors


def started(path, backbone, **options):
    start = Start(weights=str(path), learnt_from="imagenet", labels=True, **options)
    return StartedBackbone(backbone, start).build(seed=0).eval()


def pixels(*shape):
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1)).to(torch.uint8)


@pytest.mark.parametrize("layout", ["johnson", "torchvision"])
def test_released_vgg19_computes_what_a_plain_network_of_it_does(tmp_path, layout):
    backbone, file = Vgg19(**VGG19), released_vgg19(layout)
    torch.save(file, tmp_path / "vgg19-d01eb7cb.pth")
    images = pixels(2, 3, 1, 224, 224)
    with torch.no_grad():
        connected = ("classifier.1", "classifier.4") if layout == "johnson" else ("classifier.0", "classifier.3")
        maps, vectors = vgg19_twin(file, images[:, :, 0].flip(1).float() - COLOURS, connected=connected)
        network, clips = started(tmp_path / "vgg19-d01eb7cb.pth", backbone), normalise(images, backbone.inputs)
        assert vectors.std() > 0.1
        torch.testing.assert_close(network(clips), vectors, rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(output_of(network, "feature_map", clips), maps, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("names", [{}, JOHNSON], ids=["torchvision", "johnson"])
def test_the_full_vgg19_fits_name_by_name(names):
    with torch.device("meta"):
        network = Vgg19().build(seed=0)
    match = match_weights(from_vgg19(renamed(torchvisions_vgg19().state_dict(), names)), network.state_dict())
    assert match.complete
    assert match.ignored == ()
    assert len(match.tensors) == 2 * 18


@pytest.mark.parametrize("other", ["vgg16", "vgg19_bn"])
def test_other_vggs_are_refused(other):
    with torch.device("meta"):
        file = getattr(_torchvision.models(), other)().state_dict()
        network = Vgg19().build(seed=0)
    assert not match_weights(from_vgg19(file), network.state_dict()).complete


def test_vgg19_at_other_sizes_takes_what_fits(tmp_path):
    file = released_vgg19("johnson")
    torch.save(file, tmp_path / "vgg19.pth")
    with pytest.raises(DataError, match=r"of another shape: 1 \(fc6.linear.weight: .*`strict: false` loads what fits"):
        started(tmp_path / "vgg19.pth", Vgg19(width=1 / 16, size=256))
    larger = started(tmp_path / "vgg19.pth", Vgg19(width=1 / 16, size=256), strict=False)
    assert torch.equal(larger.feature_map.conv5_4.weight, file["features.34.weight"])
    assert torch.equal(larger.fc7.linear.weight, file["classifier.4.weight"])


def timms_vgg19():
    """timm's network and its inputs, with its random convolutions alone."""
    _torchvision.models()  # which timm imports
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        features = timm.create_model("vgg19.tv_in1k").features
    torch.manual_seed(0)
    features = features.to_empty(device="cpu")
    for name, parameter in features.named_parameters():
        torch.nn.init.kaiming_normal_(parameter) if name.endswith("weight") else torch.nn.init.normal_(parameter)
    return features.eval(), Timm("vgg19.tv_in1k", frames=1)


def test_timms_vgg19_has_the_same_map_for_the_same_weights():
    """Each one with its own pixels: those of ours are turned, and larger by 255 times the deviations."""
    features, theirs = timms_vgg19()
    ours = Vgg19(size=64)
    assert theirs.card.spatial == "features.36"  # behind the last pool, where ours is before it
    network = ours.build(seed=0)
    file = from_vgg19({f"features.{name}": one for name, one in features.state_dict().items()})
    missing = network.load_state_dict(file, strict=False)
    assert not missing.unexpected_keys
    assert all(name.startswith("fc") for name in missing.missing_keys)
    images = pixels(2, 3, 1, 64, 64)
    images[:, 0] //= 3  # so that red and blue differ
    clips, their_clips = normalise(images, ours.inputs), normalise(images, theirs.inputs)
    with torch.no_grad():
        their_map, pooled = features[:36](their_clips[:, :, 0]), features(their_clips[:, :, 0])
        assert distance(output_of(network, "feature_map", their_clips), their_map) < 1e-5
        assert distance(output_of(network, "pool5", their_clips), pooled) < 1e-5
        assert distance(output_of(network, "feature_map", clips), their_map) > 1  # silently another network
        first = network.feature_map.conv1_1.weight
        deviations = torch.tensor(theirs.inputs.std).flip(0).view(3, 1, 1)
        turned = first.flip(1) / (255 * deviations)
        first.copy_(turned.flip(1))
        assert distance(output_of(network, "feature_map", clips), their_map) > 0.1  # red where blue is
        first.copy_(turned)
        assert distance(output_of(network, "feature_map", clips), their_map) < 0.005  # means differ by 0.5 at most


def released_c3d(layout):
    """Narrow C3D of ten classes, its layers by the names of a file."""
    channels = [3, 2, 4, 8, 8, 16, 16, 16, 16]
    shapes = {name: (channels[n + 1], channels[n], 3, 3, 3) for n, name in enumerate(CONVOLUTIONS)}
    connected = {"fc6": (128, 256), "fc7": (128, 128), "fc8": (10, 128)}
    file = drawn({**shapes, **connected})
    if layout == "mmaction2":
        file = {name: one for name, one in file.items() if not name.startswith("fc8")}
    return renamed(file, PORTS[layout])


def c3d_twin(file, clips, output):
    """C3D of Caffe's names without modules."""
    maps = clips
    for name in CONVOLUTIONS:
        maps = F.conv3d(maps, file[f"{name}.weight"], file[f"{name}.bias"], padding=1).relu()
        if name not in ("conv3a", "conv4a", "conv5a"):
            odd = maps.shape[-1] % 2  # beyond the last pixel there is nothing to find
            maps = F.max_pool3d(F.pad(maps, (0, odd, 0, odd)), (1, 2, 2) if name == "conv1a" else 2)
    vectors = maps.flatten(1)
    for name in ("fc6", "fc7")[: 1 + (output == "fc7")]:
        vectors = F.linear(vectors, file[f"{name}.weight"], file[f"{name}.bias"]).relu()
    return vectors


def mean_volume(tmp_path, *leading):
    """Write a volume; return what Caffe subtracts: from (128 - 112) / 2 and (171 - 112) / 2, rounded down."""
    volume = 255 * np.random.default_rng(0).random((3, 16, 128, 171))
    np.save(tmp_path / "c3d_mean.npy", volume.reshape(*leading, 3, 16, 128, 171))
    return torch.from_numpy(volume[:, :, 8:120, 29:141].astype(np.float32))


@pytest.mark.parametrize("layout", ["mmaction2", "c3d-pytorch"])
@pytest.mark.parametrize("output", ["fc6", "fc7"])
def test_released_c3d_with_its_mean_computes_what_a_plain_network_of_it_does(tmp_path, layout, output):
    torch.save(released_c3d(layout), tmp_path / "c3d.pickle")
    mean = mean_volume(tmp_path)
    joined = read_c3d(tmp_path / "c3d.pickle", tmp_path / "c3d_mean.npy")
    layers = [f"{name}.{kind}" for name in (*CONVOLUTIONS, "fc6", "fc7") for kind in ("weight", "bias")]
    assert list(joined) == [*layers, "mean"]
    safetensors.torch.save_file(joined, tmp_path / "c3d.safetensors")
    backbone, clips = C3d(**C3D, output=output), pixels(2, 3, 16, 112, 112)
    with torch.no_grad():
        expected = c3d_twin(released_c3d("caffe"), clips.flip(1).float() - mean, output)
        network = started(tmp_path / "c3d.safetensors", backbone)
        assert expected.std() > 0.1
        assert torch.equal(network.mean, mean)
        torch.testing.assert_close(network(normalise(clips, backbone.inputs)), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layout", ["mmaction2", "c3d-pytorch", "caffe"])
@pytest.mark.parametrize("output", ["fc6", "fc7"])
def test_the_full_c3d_fits_name_by_name(layout, output):
    with torch.device("meta"):
        network = C3d(output=output).build(seed=0)
        file = C3d(output="fc7").build(seed=0).state_dict()
    by_caffe = {own.removeprefix("feature_map.").replace(".linear", ""): one for own, one in file.items()}
    by_caffe = renamed(by_caffe, PORTS[layout])
    if layout == "c3d-pytorch":
        by_caffe["fc8.weight"] = torch.empty(487, 4096, device="meta")
    match = match_weights(from_c3d(by_caffe, output), network.state_dict())
    assert match.complete
    assert match.ignored == ()
    assert by_caffe["fc6.weight"].shape == (4096, 8192)


def test_a_released_c3d_alone_wants_the_option_mean(tmp_path):
    file = released_c3d("mmaction2")
    torch.save({"state_dict": file, "meta": {"epoch": 1}}, tmp_path / "c3d.pth")
    with pytest.raises(DataError, match=r"missing: 1 \(mean\)"):
        started(tmp_path / "c3d.pth", C3d(**C3D))
    network = started(tmp_path / "c3d.pth", C3d(**C3D, mean=(104, 117, 128)))
    assert network.mean[:, 3, 5, 7].tolist() == [104, 117, 128]
    assert torch.equal(network.feature_map.conv4b.weight, file["conv4b.conv.weight"])


def test_a_mean_of_the_file_stands_above_the_option(tmp_path):
    torch.save(released_c3d("c3d-pytorch"), tmp_path / "c3d.pickle")
    mean = mean_volume(tmp_path, 1)
    safetensors.torch.save_file(
        read_c3d(tmp_path / "c3d.pickle", tmp_path / "c3d_mean.npy"), tmp_path / "c.safetensors"
    )
    assert torch.equal(started(tmp_path / "c.safetensors", C3d(**C3D, mean=(1, 2, 3))).mean, mean)


def test_c3d_at_other_sizes_takes_what_fits(tmp_path):
    file = released_c3d("c3d-pytorch")
    torch.save(file, tmp_path / "c3d.pickle")
    mean_volume(tmp_path)
    joined = read_c3d(tmp_path / "c3d.pickle", tmp_path / "c3d_mean.npy", size=64)
    assert joined["mean"].shape == (3, 16, 64, 64)
    safetensors.torch.save_file(joined, tmp_path / "c3d.safetensors")
    smaller = C3d(width=1 / 32, size=64)
    with pytest.raises(DataError, match=r"of another shape: 1 \(fc6.linear.weight"):
        started(tmp_path / "c3d.safetensors", smaller)
    network = started(tmp_path / "c3d.safetensors", smaller, strict=False)
    assert torch.equal(network.mean, joined["mean"])
    assert torch.equal(network.feature_map.conv1a.weight, file["conv1.weight"])


@pytest.mark.parametrize(
    ("volume", "problem"),
    [
        (np.zeros((3, 16, 100, 171)), r"of at least 112 pixels, got \(3, 16, 100, 171\)"),
        (np.zeros((16, 3, 128, 171)), r"expected \(3, 16, height, width\) .* got \(16, 3, 128, 171\)"),
        (np.zeros(3), r"got \(3,\)"),
        (np.array([{}], dtype=object), "as .npy, got ValueError"),
        (np.full((3, 16, 128, 171), np.nan), "expected finite numbers, got NaN"),
        (np.zeros((3, 16, 128, 171), dtype=complex), "real numbers were expected, got complex128"),
        (np.full((3, 16, 128, 171), "x"), "real numbers were expected, got <U1"),
    ],
)
def test_means_of_other_shapes_are_refused(tmp_path, volume, problem):
    torch.save(released_c3d("caffe"), tmp_path / "c3d.pickle")
    np.save(tmp_path / "mean.npy", volume, allow_pickle=True)
    with pytest.raises(DataError, match=problem):
        read_c3d(tmp_path / "c3d.pickle", tmp_path / "mean.npy")


def test_files_that_are_not_c3ds(tmp_path):
    mean_volume(tmp_path)
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "short.pickle")
    (tmp_path / "text.npy").write_text("nothing of the kind")
    with pytest.raises(DataError, match=r"short.pickle: expected C3D's layers conv1a to fc7, got .* conv1a.bias"):
        read_c3d(tmp_path / "short.pickle", tmp_path / "c3d_mean.npy")
    with pytest.raises(DataError, match="there is no such file"):
        read_c3d(tmp_path / "missing.pickle", tmp_path / "c3d_mean.npy")
    torch.save(released_c3d("caffe"), tmp_path / "c3d.pickle")
    for name in ("text.npy", "missing.npy"):
        with pytest.raises(DataError, match=rf"mean .*{name}: expected a volume"):
            read_c3d(tmp_path / "c3d.pickle", tmp_path / name)
