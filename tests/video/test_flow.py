"""Flow of clips, in pixels and in bytes, and its mirror images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from harness.errors import UsageError
from harness.video.flow import SMALLEST, displacement, flip_flow, flow, quantised, reverse_flow

ALGORITHMS = ["farneback", "dis", "tvl1"]
BYTES = torch.arange(1, 256, dtype=torch.uint8)


def pan(count=4, right=2, down=-1, height=64, width=80):
    """(T, H, W, 3) uint8: a soft wall that moves `right` and `down` pixels a frame."""
    wall = np.random.default_rng(0).integers(0, 256, (height + 40, width + 40, 3)).astype(np.uint8)
    wall = cv2.normalize(cv2.GaussianBlur(wall, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    corners = [(20 - down * t, 20 - right * t) for t in range(count)]
    return torch.from_numpy(np.stack([wall[y : y + height, x : x + width] for y, x in corners]))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_pan_is_found_with_its_sign_and_order(algorithm):
    found = flow(pan(), algorithm)
    assert found.shape == (3, 2, 64, 80)
    assert found.dtype == torch.float32
    assert found.is_contiguous()
    centre = found[:, :, 12:-12, 12:-12].mean((2, 3))
    torch.testing.assert_close(centre, torch.tensor([2.0, -1.0]).expand(3, 2), atol=0.05, rtol=0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_grey_frames_and_the_pairs_in_their_order(algorithm):
    frames = torch.cat([pan(2, right=3, down=0), pan(2, right=0, down=2)])
    grey = torch.from_numpy(np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames.numpy()]))
    found = flow(grey, algorithm)
    torch.testing.assert_close(found, flow(frames, algorithm), atol=0.05, rtol=0)
    for number in (0, 2):
        torch.testing.assert_close(found[number], flow(grey[number : number + 2], algorithm)[0], atol=1e-3, rtol=0)
    torch.testing.assert_close(found[0, :, 20:-20, 20:-20].mean((1, 2)), torch.tensor([3.0, 0.0]), atol=0.1, rtol=0)
    torch.testing.assert_close(found[2, :, 20:-20, 20:-20].mean((1, 2)), torch.tensor([0.0, 2.0]), atol=0.1, rtol=0)


def test_a_long_clip_is_computed_in_parts(monkeypatch):
    frames = pan(6)
    whole = flow(frames, "tvl1")
    monkeypatch.setattr("harness.video.tvl1._PIXELS", {"cpu": 2 * 64 * 80})
    torch.testing.assert_close(flow(frames, "tvl1"), whole, atol=1e-3, rtol=0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_smallest_frames(algorithm):
    frames = torch.randint(0, 256, (3, SMALLEST, SMALLEST), generator=torch.Generator().manual_seed(0))
    assert flow(frames.to(torch.uint8), algorithm).isfinite().all()


def test_errors_say_what_is_wrong():
    with pytest.raises(UsageError, match="unknown flow algorithm 'tvl2'; did you mean 'tvl1'"):
        flow(pan(), "tvl2")
    with pytest.raises(ValueError, match=r"uint8, got .* torch\.float32"):
        flow(pan().float(), "dis")
    with pytest.raises(ValueError, match=r"\(T, H, W, 3\) or \(T, H, W\) uint8"):
        flow(pan().permute(0, 3, 1, 2), "dis")
    with pytest.raises(ValueError, match="at least 2 frames"):
        flow(pan(1), "dis")
    with pytest.raises(ValueError, match="at least 16 x 16 pixels"):
        flow(pan(height=15), "dis")


def test_eight_bits_hold_twenty_pixels():
    pixels = torch.linspace(-20, 20, 40_001)
    assert float((displacement(quantised(pixels)) - pixels).abs().max()) <= 10 / 127 + 1e-5
    assert displacement(quantised(torch.tensor([0.0, -0.0, 10 / 128, -10 / 128]))).tolist() == [0.0] * 4
    outside = torch.tensor([-float("inf"), -20.2, 1e9])
    torch.testing.assert_close(displacement(quantised(outside)), torch.tensor([-20.0, -20.0, 20.0]))
    assert torch.equal(quantised(displacement(BYTES)), BYTES)
    with pytest.raises(ValueError, match="NaN"):
        quantised(torch.tensor([0.0, float("nan")]))


@pytest.mark.parametrize("algorithm", ["farneback", "tvl1"])
def test_the_flow_of_the_mirrored_clip_is_the_mirrored_flow(algorithm):
    frames = pan()
    mirrored = flow(frames.flip(2), algorithm)
    torch.testing.assert_close(mirrored, flip_flow(flow(frames, algorithm)), atol=0.1, rtol=0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_flow_of_the_reversed_clip_is_the_reversed_flow(algorithm):
    frames = torch.cat([pan(2, right=3, down=0), pan(2, right=1, down=2)[1:]])
    backwards, expected = flow(frames.flip(0), algorithm), reverse_flow(flow(frames, algorithm))
    centre = (slice(None), slice(None), slice(16, -16), slice(16, -16))
    torch.testing.assert_close(backwards[centre].mean((2, 3)), expected[centre].mean((2, 3)), atol=0.1, rtol=0)


@pytest.mark.parametrize("clip", [torch.randn(2, 5, 2, 6, 7), BYTES[:250].view(1, 5, 2, 5, 5)], ids=["pixels", "bytes"])
def test_twice_is_the_identity_and_the_clip_is_not_written_to(clip):
    before = clip.clone()
    for mirror in (flip_flow, reverse_flow):
        assert not torch.equal(mirror(clip), clip)
        assert mirror(clip).dtype == clip.dtype
        assert torch.equal(mirror(mirror(clip)), clip)
    assert torch.equal(clip, before)


def test_bytes_are_mirrored_as_pixels_are():
    clip = torch.randint(0, 256, (2, 5, 2, 6, 7), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    for mirror in (flip_flow, reverse_flow):
        assert torch.equal(displacement(mirror(clip)), mirror(displacement(clip)))


def test_only_the_horizontal_component_is_negated_by_a_flip():
    clip = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 2, 1, 2)
    assert flip_flow(clip).flatten().tolist() == [-2, -1, 4, 3]
    assert reverse_flow(torch.cat([clip, 2 * clip])).flatten().tolist() == [-2, -4, -6, -8, -1, -2, -3, -4]
