"""Squares cut out of frames, and the feature maps of them, beside plain loops."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate

from harness.backbones.per_frame import PerFrame
from harness.backbones.small_2d import Small2D
from harness.cards import View
from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError, PluginError, UsageError
from harness.evaluators.pose import feature_maps as module
from harness.evaluators.pose.feature_maps import BATCH, crop, crops, feature_maps, input_size, mapper, squares
from harness.evaluators.pose.frames import Frames
from harness.evaluators.pose.protocol import Pose
from harness.testing import MemorySplit, MovingSquares, UninformedEncoder
from harness.testing.fixtures import TinyBackbone, UntrainedEncoder
from harness.values import Inputs, Video
from harness.video.decode import decode_here, in_use
from harness.video.decode_processes import DecodeProcesses
from harness.video.transforms import normalise

INPUTS = Inputs(view=View(frames=1, size=64), mean=(0.2, 0.3, 0.4))


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_crop(image, corner, side, size):
    """(C, H, W) -> (C, size, size): each pixel a mean weighted by how near the image's pixels are."""
    found = torch.zeros(image.shape[0], size, size, dtype=image.dtype)
    reach = max(side / size, 1.0)
    for v in range(size):
        for u in range(size):
            x, y = (corner[axis] + (place + 0.5) / size * side for axis, place in enumerate((u, v)))
            total, summed = 0.0, torch.zeros(image.shape[0], dtype=image.dtype)
            for row in range(image.shape[1]):
                for column in range(image.shape[2]):
                    weight = max(0.0, 1 - abs(column - x) / reach) * max(0.0, 1 - abs(row - y) / reach)
                    total += weight
                    summed += weight * image[:, row, column]
            if total > 0:
                found[:, v, u] = summed / total
    return found


@pytest.mark.parametrize(
    ("corner", "side", "size"),
    [((-0.5, -0.5), 6.0, 6), ((1.3, 2.1), 4.0, 7), ((-3.0, -2.0), 14.0, 5), ((5.0, 4.0), 6.0, 4)],
)
def test_crop_is_that_of_plain_loops(corner, side, size):
    images = drawn(2, 3, 9, 7)
    corners = torch.tensor([corner, (0.0, 0.0)], dtype=torch.float64)
    sides = torch.tensor([side, 5.0], dtype=torch.float64)
    found = crop(images, corners, sides, size)
    torch.testing.assert_close(found[0], slow_crop(images[0], corner, side, size))
    torch.testing.assert_close(found[1], slow_crop(images[1], (0.0, 0.0), 5.0, size))


def test_the_whole_image_comes_back():
    images = drawn(2, 3, 8, 8)
    whole = crop(images, torch.full((2, 2), -0.5).double(), torch.full((2,), 8.0).double(), 8)
    torch.testing.assert_close(whole, images)


def test_enlarging_is_that_of_torch():
    images = drawn(1, 3, 8, 8)
    found = crop(images, torch.full((1, 2), -0.5).double(), torch.tensor([8.0]).double(), 32)
    torch.testing.assert_close(found, interpolate(images, (32, 32), mode="bilinear", align_corners=False))


def test_shrinking_is_that_of_torch():
    images = drawn(1, 3, 24, 24)
    found = crop(images, torch.full((1, 2), -0.5).double(), torch.tensor([24.0]).double(), 8)
    torch.testing.assert_close(found, interpolate(images, (8, 8), mode="bilinear", antialias=True))


def test_outside_of_the_image_is_nothing():
    found = crop(torch.ones(1, 3, 8, 8), torch.tensor([[4.0, -4.0]]).double(), torch.tensor([8.0]).double(), 8)
    assert (found[0, :, 4:, :3] == 1).all()
    assert (found[0, :, :3] == 0).all()
    assert (found[0, :, :, 4:] == 0).all()


class Pools(nn.Module):
    """Mean colours of squares of `side` pixels."""

    def __init__(self, side=8):
        super().__init__()
        self.side = side

    def forward(self, images):
        return avg_pool2d(images, self.side)


class OfOneSize(Pools):
    def forward(self, images):
        if images.shape[2:] != (64, 64):
            raise ValueError(images.shape)
        return super().forward(images)


def encoder(maps):
    """An encoder whose vectors are the mean of its maps."""
    network = PerFrame(maps, {"pool": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())})
    return NetworkEncoder(network, INPUTS, spatial="feature_map")


def frozen(maps):
    return CachedEncoder(encoder(maps), key="x")


def random_frames(videos=40, per_video=2):
    """More frames than one batch, of small videos of noise, with a square of its own around each."""
    generator = torch.Generator().manual_seed(0)
    pixels = [torch.randint(256, (3, 20, 24, 3), generator=generator, dtype=torch.uint8) for _ in range(videos)]
    listed = [Video(f"v{n}", Path("x.avi"), 3, 12.0, 24, 20) for n in range(videos)]
    n = videos * per_video
    return Frames(
        split=MemorySplit("train", tuple(listed), tuple(pixels), {}),
        videos=torch.arange(videos).repeat_interleave(per_video),
        numbers=torch.tensor([0, 2]).repeat(videos),
        joints=torch.zeros(n, 9, 2).double(),
        scored=torch.ones(n, 9, dtype=torch.bool),
        corners=8 * drawn(n, 2) - 4,
        sides=10 + 10 * drawn(n, seed=1),
        skipped=0,
    )


def test_feature_maps_are_those_of_one_square_after_the_other():
    frames = random_frames()
    assert len(frames) > BATCH
    found = feature_maps(frozen(Pools()), frames, 120)
    assert found.shape == (80, 3, 15, 15)
    assert found.dtype == torch.float32
    for index in (0, 1, BATCH - 1, BATCH, 79):
        frame = frames.split.frames[int(frames.videos[index])][int(frames.numbers[index])]
        image = normalise(frame.permute(2, 0, 1)[None, :, None], INPUTS)[:, :, 0]
        square = crop(image, frames.corners[index : index + 1], frames.sides[index : index + 1], 120)
        torch.testing.assert_close(found[index], avg_pool2d(square, 8)[0])


def test_crops_are_the_normalised_squares():
    frames = random_frames()
    cached = crops(frames, 30, INPUTS)
    assert (cached.shape, cached.dtype, str(cached.device)) == ((80, 3, 30, 30), torch.float16, "cpu")
    for index in (0, 1, BATCH - 1, BATCH, 79):
        frame = frames.split.frames[int(frames.videos[index])][int(frames.numbers[index])]
        image = normalise(frame.permute(2, 0, 1)[None, :, None], INPUTS)[:, :, 0]
        square = crop(image, frames.corners[index : index + 1], frames.sides[index : index + 1], 30)
        torch.testing.assert_close(cached[index], square[0].half())


def test_videos_are_decoded_in_processes(monkeypatch):
    frames, decoders = random_frames(), []
    split = SimpleNamespace(
        name="train",
        videos=frames.split.videos,
        read=lambda *asked: (decoders.append(in_use()), frames.split.read(*asked))[1],
    )
    monkeypatch.setattr(module, "allowed_processors", lambda: 2)
    crops(dataclasses.replace(frames, split=split), 30, INPUTS)
    assert len(decoders) == 40
    assert {type(decoder) for decoder in decoders} == {DecodeProcesses}
    assert in_use() is decode_here


def test_crops_of_mirrored_frames_are_mirrored():
    frames = random_frames(3)
    corners = frames.corners.clone()
    corners[:, 0] = 24 - 1 - (frames.corners[:, 0] + frames.sides)
    pixels = tuple(video.flip(2) for video in frames.split.frames)
    split = MemorySplit("train", frames.split.videos, pixels, {})
    mirrored = crops(dataclasses.replace(frames, corners=corners, split=split), 30, INPUTS)
    torch.testing.assert_close(mirrored.flip(-1), crops(frames, 30, INPUTS), rtol=0, atol=0.01)


def test_a_feature_map_of_another_size_is_resized():
    frames = random_frames(2)
    found = feature_maps(frozen(Pools(2)), frames, 60)
    expected = feature_maps(frozen(Pools(4)), frames, 60)
    assert found.shape == (4, 3, 15, 15)
    torch.testing.assert_close(found.mean((2, 3)), expected.mean((2, 3)), rtol=0, atol=0.02)


def test_squares_in_pixels_of_the_frames():
    frames = random_frames(1)
    frames = dataclasses.replace(frames, corners=torch.full((2, 2), -0.5).double(), sides=torch.tensor([20.0, 20.0]))
    found = squares(frames, torch.tensor([0, 1]), 20, torch.Tensor.float)
    expected = frames.split.frames[0][[0, 2]][:, :, :20].permute(0, 3, 1, 2).float()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("side", "size"), [(2, 30), (8, 120), (16, 240)])
def test_the_input_is_as_large_as_the_stride_asks(side, size):
    assert input_size(frozen(Pools(side))) == (size, (15, 15))


def test_the_input_of_a_built_in_backbone():
    small = NetworkEncoder.of(Small2D().build(seed=0), Small2D())
    assert input_size(CachedEncoder(small, key="x")) == (120, (15, 15))


def test_a_network_of_one_size_gets_its_own():
    assert input_size(frozen(OfOneSize())) == (64, (8, 8))
    assert input_size(frozen(nn.AdaptiveAvgPool2d(3))) == (64, (3, 3))


@pytest.mark.parametrize("size", [None, 256])
@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")]
)
def test_memory_that_runs_out_says_nothing_about_sizes(size, error):
    class Large(Pools):
        def forward(self, images):
            if images.shape[3] > 64:
                raise error
            return super().forward(images)

    with pytest.raises(type(error), match=str(error)):
        input_size(frozen(Large()), size)


def test_a_size_that_is_asked_for_is_taken():
    assert input_size(frozen(Pools(8)), 64) == (64, (8, 8))
    with pytest.raises(UsageError, match=r"expected a size that the encoder's network takes, got 65 \(.*\); choose"):
        input_size(frozen(OfOneSize()), 65)
    with pytest.raises(UsageError, match=r"got 5 \(.*too small.*\); choose another, or none"):
        input_size(frozen(Pools(8)), 5)


def test_the_encoder_is_left_as_it_is():
    tiny = UntrainedEncoder()
    before = {name: tensor.clone() for name, tensor in tiny.module.state_dict().items()}
    feature_maps(CachedEncoder(tiny, key="x"), random_frames(2), 30)
    assert not any(module.training for module in tiny.module.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny.module.state_dict().items())


def test_a_feature_map_is_computed_as_when_evaluated():
    class Doubles(Pools):
        def forward(self, images):
            return super().forward(images) * (2 if self.training else 1)

    network, frames = encoder(Doubles()), random_frames(2)
    network.module.train()
    maps = feature_maps(CachedEncoder(network, key="x"), frames, 120)
    torch.testing.assert_close(maps, feature_maps(frozen(Pools()), frames, 120))


def test_maps_are_computed_in_the_encoders_precision():
    convolution = nn.Conv2d(3, 4, 8, 8)
    network = PerFrame(convolution, {"pool": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())})
    images = drawn(2, 3, 32, 32).float()
    maps = {}
    for precision in ("fp32", "bf16"):
        reduced = CachedEncoder(NetworkEncoder(network, INPUTS, spatial="feature_map", precision=precision), key="x")
        maps[precision] = mapper(reduced)[0](images)
    with torch.autocast("cpu", torch.bfloat16):
        expected = convolution(images)
    assert maps["bf16"].dtype == torch.float32
    assert torch.equal(maps["bf16"], expected.float())
    assert torch.equal(maps["fp32"], convolution(images))
    assert not torch.equal(maps["bf16"], maps["fp32"])


def test_a_map_over_time_is_averaged():
    class Clips(nn.Module):
        def forward(self, clips):
            return torch.cat([clips, 3 * clips], dim=2)

    network = nn.Sequential(nn.AvgPool3d((1, 8, 8)), Clips(), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    averaged = CachedEncoder(NetworkEncoder(network, INPUTS, spatial="1"), key="x")
    frames = random_frames(2)
    torch.testing.assert_close(feature_maps(averaged, frames, 120), 2 * feature_maps(frozen(Pools()), frames, 120))


@pytest.mark.parametrize(
    ("shape", "given"), [(lambda x: x.mean((2, 3)), r"\(4, 3\)"), (lambda x: x[:1], r"\(1, 3, 15, 15\)")]
)
def test_a_feature_map_that_is_none(shape, given):
    class Wrong(Pools):
        def forward(self, images):
            return shape(super().forward(images))

    with pytest.raises(PluginError, match=rf"expected maps \(4, c, h, w\) of layer 'feature_map', got {given}"):
        feature_maps(frozen(Wrong()), random_frames(2), 120)


def test_a_broken_frame_names_its_video():
    class Broken(Pools):
        def forward(self, images):
            maps = super().forward(images).clone()
            maps[-1, 0, 3, 4] = torch.inf
            return maps

    with pytest.raises(DataError, match="of a frame of video 'v2' is NaN or infinite"):
        feature_maps(frozen(Broken()), random_frames(3), 120)


@pytest.mark.parametrize("bare", [UninformedEncoder(), NetworkEncoder(UntrainedEncoder().module, TinyBackbone.inputs)])
def test_an_encoder_without_a_spatial_layer(bare):
    assert Pose.card.needs - bare.promise.offers == {"feature_map"}
    with pytest.raises(PluginError, match="needs an encoder with a spatial layer, got one that promises Promise"):
        mapper(CachedEncoder(bare, key="x"))


def test_a_video_that_does_not_decode(tmp_path):
    split = MovingSquares(tmp_path).split("test")

    class Unreadable(MemorySplit):
        def read(self, index, frames=None, *, short_side=None):
            msg = f"video {self.videos[index].id!r} does not decode"
            raise DataError(msg)

    frames = dataclasses.replace(random_frames(1), split=Unreadable("test", split.videos, split.frames, {}))
    with pytest.raises(DataError, match="'test-00' does not decode"):
        feature_maps(frozen(Pools()), frames, 120)
