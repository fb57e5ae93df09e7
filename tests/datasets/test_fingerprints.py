"""Fingerprints of videos: which pictures are nearly the same, and what is remembered."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from harness.datasets import fingerprints as module
from harness.datasets.fingerprints import ALIKE, NEAR, Fingerprints, fingerprints
from harness.datasets.split_views import FrameImages, Subset
from harness.testing import MemorySplit, MovingSquares
from harness.values import Video

RANDOM = np.random.default_rng(0)
COUNT, SIZE = 12, (96, 128)


def scene(seed):
    """A picture of rectangles, (H, W, 3) uint8."""
    random = np.random.default_rng(seed)
    picture = np.full((*SIZE, 3), random.integers(40, 200, 3), np.uint8)
    for _ in range(14):
        top, left = random.integers(0, SIZE[0] - 10), random.integers(0, SIZE[1] - 10)
        height, width = random.integers(10, 50, 2)
        picture[top : top + height, left : left + width] = random.integers(0, 256, 3)
    return picture


def split_of(clips, name="train", contents=None):
    """A split of clips (T, H, W, 3)."""
    videos = [
        Video(
            id=f"{name}-{n}",
            path=None,
            frames=len(clip),
            fps=5.0,
            width=clip.shape[2],
            height=clip.shape[1],
            content=contents[n] if contents else hashlib.sha256(clip.tobytes()).hexdigest(),
            labels={"action": 0},
        )
        for n, clip in enumerate(clips)
    ]
    return MemorySplit(name, tuple(videos), tuple(torch.from_numpy(clip) for clip in clips), {"action": ("a",)})


def film(seed, frames=6):
    """A camera that pans over a scene, (T, H, W, 3)."""
    return np.stack([np.roll(scene(seed), 9 * number, axis=1) for number in range(frames)])


def each(change):
    return lambda clip: np.stack([change(np.ascontiguousarray(frame)) for frame in clip])


CHANGES = {
    "compressed": each(lambda frame: cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 25])[1], 1)),
    "half the size": each(lambda frame: cv2.resize(frame, (SIZE[1] // 2, SIZE[0] // 2), interpolation=cv2.INTER_AREA)),
    "brighter": each(lambda frame: np.clip(frame * 1.15 + 8, 0, 255).astype(np.uint8)),
    "noisy": each(lambda frame: np.clip(frame + RANDOM.normal(0, 8, frame.shape), 0, 255).astype(np.uint8)),
    "every frame twice": lambda clip: clip.repeat(2, axis=0),
}


@pytest.fixture(autouse=True)
def _home(home):
    """A store of its own."""


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_known_again(change):
    clips = [film(seed) for seed in range(COUNT)]
    others = [film(100 + seed) for seed in range(COUNT)]
    copies = [CHANGES[change](clip) for clip in clips[::-1]]
    train = fingerprints(split_of(others + clips))
    similar = fingerprints(split_of(copies, "test")).similar(train)
    assert similar == {index: 2 * COUNT - 1 - index for index in range(COUNT)}


def test_other_videos_are_not_taken_for_copies(textured):
    one, other = (fingerprints(split_of([film(seed) for seed in seeds])) for seeds in (range(40), range(40, 80)))
    assert one.similar(other) == {}
    train, test = map(fingerprints, textured)
    assert test.similar(train) == {}


def test_a_frame_of_a_video_is_found_in_it():
    videos = split_of([film(seed) for seed in range(5)])
    images = FrameImages(Subset(videos, [3, 1]), [(0, 3), (1, 1)])
    assert fingerprints(images).hashes.shape[1] == 1
    assert fingerprints(images).similar(fingerprints(videos)) == {0: 3, 1: 1}
    assert fingerprints(videos).similar(fingerprints(images)) == {3: 0, 1: 1}


def test_frames_that_show_nothing_are_no_copies():
    black = np.zeros((6, *SIZE, 3), np.uint8)
    faded = np.concatenate([film(3)[:4], black[:2]])
    train = fingerprints(split_of([black, film(3), faded]))
    test = fingerprints(split_of([black + 1, faded // 2 * 2], "test"))
    assert set(test.similar(train)) == {1}
    assert test.similar(Fingerprints(train.hashes[[0]], train.thumbnails[[0]])) == {}
    assert fingerprints(split_of([])).similar(train) == {}


def test_parts_give_what_the_whole_gives(monkeypatch):
    clips = [film(seed) for seed in range(COUNT)]
    train, test = fingerprints(split_of(clips)), fingerprints(split_of(clips[3:8], "test"))
    whole = test.similar(train)
    monkeypatch.setattr(module, "CHUNK", 1)
    assert test.similar(train) == whole == {index: index + 3 for index in range(5)}


def slow_similar(ours, theirs):
    """The definition, video by video and bit by bit."""

    def distance(one, other):
        return sum(a != b for a, b in zip(np.unpackbits(one), np.unpackbits(other), strict=True))

    def least(values, worst):
        """The best partner of each frame; the worst of these counts, of the side that has it better."""
        return worst(np.array(values), axis=1), worst(np.array(values), axis=0)

    pairs = {}
    for index in range(len(ours)):
        agreed = {}
        for other in range(len(theirs)):
            bits = [[distance(a, b) for b in theirs.hashes[other]] for a in ours.hashes[index]]
            alike = [
                [np.corrcoef(a, b)[0, 1] for b in theirs.thumbnails[other].astype(float)]
                for a in ours.thumbnails[index].astype(float)
            ]
            bits = min(max(row) for row in least(bits, np.min))
            alike = max(min(row) for row in least(alike, np.max))
            if bits <= NEAR and alike >= ALIKE:
                agreed[other] = alike
        if agreed:
            pairs[index] = max(agreed, key=agreed.get)
    return pairs


def test_pairs_are_those_of_the_definition():
    def random(count, source=None):
        hashes = RANDOM.integers(0, 256, (count, 3, 8), dtype=np.uint8)
        thumbnails = RANDOM.integers(0, 256, (count, 3, module.PIXELS), dtype=np.uint8)
        if source is not None:
            flipped = np.packbits(RANDOM.random((count, 3, 64)) < np.linspace(0, 0.25, count)[:, None, None], axis=-1)
            hashes = source.hashes[:count, [2, 0, 1]] ^ flipped
            noise = RANDOM.normal(0, 1, thumbnails.shape) * np.linspace(0, 40, count)[::-1, None, None]
            thumbnails = np.clip(source.thumbnails[:count, [2, 0, 1]] + noise, 0, 255).astype(np.uint8)
        return Fingerprints(hashes, thumbnails)

    train = random(25)
    test = random(20, train)
    pairs = test.similar(train)
    assert pairs == slow_similar(test, train)
    assert 2 < len(pairs) < 15


def test_each_content_is_read_once(home):
    split = MovingSquares().split("train")
    whole = fingerprints(split)
    (file,) = home.rglob("*.jsonl")
    lines = file.read_text().splitlines()
    assert len(lines) == len(split)
    file.write_text("\n".join(lines[:30]) + "\n" + lines[30][:50])
    read = []

    class Watched(MemorySplit):
        def read(self, index, frames=None, *, short_side=None):
            read.append(index)
            return super().read(index, frames, short_side=short_side)

    watched = Watched(split.name, split.videos, split.frames, split.classes)
    again = fingerprints(watched)
    assert sorted(read) == list(range(30, 48))
    assert np.array_equal(again.hashes, whole.hashes)
    assert np.array_equal(again.thumbnails, whole.thumbnails)


def test_what_has_no_content_is_not_remembered(home):
    split = split_of([film(1), film(2)], contents=["", "x"])
    fingerprints(split)
    (file,) = home.rglob("*.jsonl")
    assert len(file.read_text().splitlines()) == 1
    other = replace(split, frames=split.frames[::-1])
    assert np.array_equal(fingerprints(other).hashes[0], fingerprints(split).hashes[1])
