"""Splits of files and of arrays: reading, flow, hiding labels, manifests."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.datasets.concatenated_split import ConcatenatedSplit
from harness.datasets.split_views import FrameImages, Relabelled, Subset
from harness.datasets.splits import ArraySplit, VideoSplit, describe_images
from harness.errors import DataError
from harness.testing.fixtures import MovingSquares
from harness.testing.leaks import told
from harness.video import frame_cache
from harness.video.anonymous import hidden_order
from harness.video.decode import decode
from harness.video.flow import displacement
from harness.video.flow_cache import FlowCache
from harness.video.transforms import Box

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3)).astype(np.uint8)
VIDEOS = describe_images(Path("batch"), IMAGES, {"action": [0, 1, 1, 0], "coarse": [0, 0, 1, 1]}, prefix="train")
CLASSES = {"action": ("cat", "dog"), "coarse": ("pet", "thing")}
SPLIT = ArraySplit("train", VIDEOS, IMAGES, CLASSES)


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    written = MovingSquares(tmp_path_factory.mktemp("squares")).split("test")
    videos = written.videos[:8]
    return VideoSplit("test", videos, written.classes)


@pytest.fixture(params=["cached", "too large for the cache"])
def limit(request, monkeypatch):
    cache = frame_cache.FrameCache(limit=10**9 if request.param == "cached" else 1000)
    monkeypatch.setattr(frame_cache, "shared", cache)
    return cache


def test_read_gives_the_files_frames_in_any_order(split, limit):
    whole = torch.from_numpy(decode(split.videos[2].path, short_side=32))
    assert torch.equal(split.read(2, short_side=32), whole)
    assert torch.equal(split.read(2, [5, 1, 5], short_side=32), whole[[5, 1, 5]])
    assert split.read(2).shape == (24, 48, 64, 3)


def test_what_is_read_may_be_written_to(split, limit):
    split.read(1, short_side=32).zero_()
    split.read(1, [0, 1], short_side=32).zero_()
    assert split.read(1, [0], short_side=32).float().mean() > 0


def test_a_video_with_fewer_frames_than_promised(split, limit):
    video = dataclasses.replace(split.videos[0], frames=30)
    wrong = dataclasses.replace(split, videos=(video,))
    with pytest.raises(DataError, match="24 decode"):
        wrong.read(0, [29])
    with pytest.raises(DataError, match="24 decode"):
        wrong.read(0)


@pytest.mark.parametrize("frames", [[24], [3, -1]])
def test_frames_that_the_record_does_not_promise(split, limit, frames):
    with pytest.raises(IndexError, match="frames 0 to 23"):
        split.read(0, frames)


def test_threads_read_what_one_thread_reads(split, limit):
    alone = [split.read(index, [2, 20], short_side=32) for index in range(len(split))]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda index: split.read(index % 8, [2, 20], short_side=32), range(32)))
    assert all(torch.equal(frames, alone[index % 8]) for index, frames in enumerate(found))


def test_the_cache_forgets_the_least_recently_used(split):
    cache = frame_cache.FrameCache(limit=3 * 24 * 32 * 43 * 3)
    for index in (0, 1, 2, 0, 3):
        cache.video(split.videos[index].path, 32)
    paths = [path for (path, _), _ in cache._videos]
    assert paths == [str(split.videos[index].path) for index in (2, 0, 3)]


def test_unlabelled_hides_everything_that_tells(split):
    bare = split.unlabelled()
    assert not bare.labelled
    assert bare.classes == {}
    for video, position in zip(bare.videos, hidden_order(split.videos), strict=True):
        assert (video.labels, video.group, video.joints) == ({}, "", None)
        assert (str(video.path), video.path.exists()) == (video.id, False)
        assert torch.equal(bare.read(bare.videos.index(video), [3]), split.read(position, [3]))


def test_ids_tell_nothing_are_unique_and_stay(split):
    twice = dataclasses.replace(split, videos=(split.videos[0], *split.videos))
    ids = [video.id for video in twice.unlabelled().videos]
    assert len(set(ids)) == len(ids)
    assert {video.id for video in split.unlabelled().videos} < set(ids)
    relabelled = dataclasses.replace(split.videos[0], id="left", labels={"action": 1}, group="left")
    assert dataclasses.replace(split, videos=(relabelled,)).unlabelled().videos[0].id in ids


def test_an_unlabelled_split_is_as_it_is(split):
    bare = split.unlabelled()
    assert bare.unlabelled() is bare
    assert Subset(bare, [2, 1]).unlabelled().videos == (bare.videos[2], bare.videos[1])


@pytest.fixture
def telling(tmp_path):
    """Files in folders named after their classes, in the order of the classes."""
    squares = MovingSquares(tmp_path / "squares").split("train")
    videos = []
    for video in sorted(squares.videos, key=lambda video: video.labels["action"]):
        direction = squares.classes["action"][video.labels["action"]]
        path = tmp_path / f"moving-{direction}" / f"v_{direction}_{video.group}_{video.id}.avi"
        path.parent.mkdir(exist_ok=True)
        video.path.rename(path)
        videos.append(dataclasses.replace(video, id=path.stem, path=path))
    classes = {"action": tuple(f"moving-{name}" for name in squares.classes["action"])}
    return VideoSplit("train", tuple(videos), classes, left_out={"moving-left/v_left_gone.avi": "missing"})


VIEWS = {
    "itself": lambda split: split,
    "subset": lambda split: Subset(split, range(4, 44)),
    "images": lambda split: FrameImages.evenly(split, 3),
    "images of a subset": lambda split: FrameImages.every(Subset(split, [40, 3, 17, 30]), 5),
    "relabelled": lambda split: Relabelled(split, {"side": {video.id: 0 for video in split.videos}}, {"side": ("A",)}),
    "joined": ConcatenatedSplit,
}


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_public_nor_repr_nor_pickle_tells(telling, tmp_path, monkeypatch, view):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    split = VIEWS[view](telling)
    bare = split.unlabelled()
    assert told(telling, bare) == []
    again = pickle.loads(pickle.dumps(bare))
    assert (again.manifest, tuple(again.videos)) == (bare.manifest, tuple(bare.videos))
    assert torch.equal(again.read(len(bare) - 1, [0]), bare.read(len(bare) - 1, [0]))
    assert copy.deepcopy(bare).manifest == bare.manifest
    for word in ("moving", "left", "down", str(tmp_path)):
        assert word not in re.sub(r"\w+=", "", repr(bare))
    if view != "joined":
        order = hidden_order(split.videos)
        assert [video.content for video in bare.videos] == [split.videos[position].content for position in order]
        assert torch.equal(bare.read(3, [0], short_side=32), split.read(order[3], [0], short_side=32))


@pytest.mark.parametrize("view", ["itself", "subset", "images"])
def test_the_order_tells_nothing_of_the_class_or_the_video(telling, view):
    split = VIEWS[view](telling)
    order = np.array(hidden_order(split.videos))
    labels = np.array([video.labels["action"] for video in split.videos])
    assert abs(np.corrcoef(np.arange(len(order)), order)[0, 1]) < 3 / len(order) ** 0.5
    same = (labels[order][1:] == labels[order][:-1]).mean()
    assert same < 0.5  # 0.25 by chance; 0.9 and more in the order of the list


def test_a_pickle_whose_files_are_gone(telling, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    content = pickle.dumps(telling.unlabelled())
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "another"))
    with pytest.raises(DataError, match="the files of a pickled split cannot be read"):
        pickle.loads(content)


def test_errors_of_hidden_files_name_them_for_people(telling):
    telling.videos[0].path.write_bytes(b"")
    bare = telling.unlabelled()
    with pytest.raises(DataError, match=re.escape(telling.videos[0].path.name)):
        bare.read(hidden_order(telling.videos).index(0))


def test_flow_comes_from_the_cache_that_all_share(split, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    moved = split.flow(2, [5, 1, 5], short_side=32)
    assert (moved.shape, moved.dtype) == ((3, 2, 32, 43), torch.float32)
    assert torch.equal(moved, displacement(FlowCache("tvl1", 32).read(split.videos[2].path, [5, 1, 5])))
    (cached,) = tmp_path.rglob("*.zip")
    kept = cached.stat().st_mtime_ns
    part = Subset(split, [4, 2])
    assert torch.equal(part.flow(1, [5, 1, 5], short_side=32), moved)
    assert cached.stat().st_mtime_ns == kept
    with pytest.raises(DataError, match="24 frames decode"):
        split.flow(2, [23], short_side=32)
    images = FrameImages.evenly(split, 2)
    with pytest.raises(DataError, match="has one frame"):
        images.flow(0, [0], short_side=32)
    half = dataclasses.replace(split.videos[0], box=Box(0, 0, 32, 32))
    with pytest.raises(DataError, match="part of the picture"):
        dataclasses.replace(split, videos=(half,)).flow(0, [0], short_side=32)


def test_manifests_depend_on_what_they_should(split):
    def with_first(**changes):
        first = dataclasses.replace(split.videos[0], **changes)
        return dataclasses.replace(split, videos=(first, *split.videos[1:]))

    relabelled = with_first(labels={"action": 3})
    assert len({split.manifest, relabelled.manifest, with_first(group="x").manifest}) == 3
    assert relabelled.unlabelled().manifest == split.unlabelled().manifest == with_first(id="x").unlabelled().manifest
    assert with_first(frames=23).unlabelled().manifest != split.unlabelled().manifest
    turned = dataclasses.replace(split, videos=split.videos[::-1])
    assert turned.manifest != split.manifest
    assert turned.unlabelled().manifest == split.unlabelled().manifest
    assert with_first(content="other").unlabelled().manifest != split.unlabelled().manifest


def test_sets_of_classes_and_targets_are_part_of_the_manifest(split):
    def with_first(**changes):
        first = dataclasses.replace(split.videos[0], **changes)
        return dataclasses.replace(split, videos=(first, *split.videos[1:]))

    others = [
        split,
        with_first(multilabels={"objects": ()}),
        with_first(multilabels={"objects": (0,)}),
        with_first(targets={"age": 0.0}),
        with_first(targets={"age": 1.5}),
        dataclasses.replace(split, multilabel_classes={"objects": ("cup",)}),
        dataclasses.replace(split, multilabel_classes={"objects": ("bag",)}),
    ]
    assert len({other.manifest for other in others}) == len(others)
    assert {other.unlabelled().manifest for other in others} == {split.unlabelled().manifest}
    bare = others[4].unlabelled()
    assert not any(video.multilabels or video.targets for video in bare.videos)
    assert not others[5].unlabelled().multilabel_classes


def test_manifests_of_data_without_sets_and_targets_stay(split):
    """The hash that stored numbers name, which was made of exactly this before videos could have more."""
    rows = [
        [video.content, video.frames, video.fps, video.id, video.group, sorted(video.labels.items()), ""]
        for video in split.videos
    ]
    text = "".join(json.dumps(part) for part in (*rows, sorted(split.classes.items())))
    assert split.manifest == hashlib.sha256(text.encode()).hexdigest()[:20]
    sha = hashlib.sha256(str(IMAGES.shape).encode() + IMAGES.tobytes())
    images = [[video.id, video.group, sorted(video.labels.items())] for video in VIDEOS]
    sha.update(json.dumps([images, sorted(CLASSES.items())]).encode())
    assert SPLIT.manifest == sha.hexdigest()[:20]


def test_joints_are_part_of_the_manifest(split, tmp_path):
    def with_joints(content):
        path = tmp_path / "a.npz"
        path.write_bytes(content)
        first = dataclasses.replace(split.videos[0], joints=path)
        jointed = dataclasses.replace(split, videos=(first, *split.videos[1:]))
        return jointed.manifest, jointed.unlabelled().manifest

    assert len({split.manifest, with_joints(b"a")[0], with_joints(b"b")[0]}) == 3
    assert with_joints(b"a")[1] == split.unlabelled().manifest
    lost = dataclasses.replace(split.videos[0], joints=tmp_path / "lost.npz")
    with pytest.raises(DataError, match="lost"):
        dataclasses.replace(split, videos=(lost,)).manifest  # noqa: B018


def test_records_of_images():
    video = SPLIT.videos[2]
    assert (video.id, video.labels, video.path) == ("train-00002", {"action": 1, "coarse": 1}, Path("batch"))
    assert (video.frames, video.width, video.height) == (1, 8, 6)


@pytest.mark.parametrize("index", [0, 3, -1])
def test_images_are_read(index):
    whole = SPLIT.read(index)
    assert np.array_equal(whole.numpy(), IMAGES[index][None])
    assert torch.equal(SPLIT.read(index, [0, 0]), whole[[0, 0]])
    assert SPLIT.read(index, []).shape == (0, 6, 8, 3)
    whole.zero_()
    assert SPLIT.read(index).any()  # memory of its own


def test_smaller_is_the_mean_and_larger_linear():
    half = SPLIT.read(1, short_side=3)[0].double()
    means = torch.from_numpy(IMAGES[1]).double().reshape(3, 2, 4, 2, 3).mean((1, 3))
    assert (half - means).abs().max() <= 0.5
    ramp = np.repeat(np.array([0, 100], np.uint8)[None, :, None], 2, 0).repeat(3, 2)[None]
    large = ArraySplit("train", VIDEOS[:1], ramp).read(0, short_side=4)
    assert large[0, 0, :, 0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize("frames", [[1], [0, -1]])
def test_an_image_has_one_frame(frames):
    with pytest.raises(IndexError, match="'train-00000' has frame 0 only"):
        SPLIT.read(0, frames)


def test_the_manifest_covers_pixels_order_and_labels():
    changed = IMAGES.copy()
    changed[3, 5, 7, 2] ^= 1
    one_other_label = (*VIDEOS[:3], describe_images(Path("batch"), IMAGES, {"action": [1] * 4}, prefix="train")[3])
    others = [
        ArraySplit("train", VIDEOS, changed, CLASSES),
        ArraySplit("train", VIDEOS, IMAGES[::-1], CLASSES),
        ArraySplit("train", VIDEOS, IMAGES.reshape(4, 8, 6, 3), CLASSES),
        ArraySplit("train", one_other_label, IMAGES, CLASSES),
        ArraySplit("train", VIDEOS, IMAGES, {**CLASSES, "action": ("dog", "cat")}),
        SPLIT.unlabelled(),
        ArraySplit("train", (dataclasses.replace(VIDEOS[0], targets={"age": 2.0}), *VIDEOS[1:]), IMAGES, CLASSES),
        ArraySplit("train", VIDEOS, IMAGES, CLASSES, multilabel_classes={"objects": ("cup",)}),
    ]
    assert len({SPLIT.manifest, *(other.manifest for other in others)}) == 9
    assert others[3].unlabelled().manifest == SPLIT.unlabelled().manifest
    assert ArraySplit("train", VIDEOS, IMAGES.copy("F"), CLASSES).manifest == SPLIT.manifest


def test_images_without_labels():
    bare = SPLIT.unlabelled()
    assert not bare.labelled
    assert not bare.classes
    assert not any(video.labels or video.group for video in bare.videos)
    assert len({video.id for video in bare.videos} - {video.id for video in SPLIT.videos}) == 4
    assert torch.equal(bare.read(2), SPLIT.read(hidden_order(VIDEOS)[2]))


@pytest.mark.parametrize("images", [IMAGES[:3], IMAGES[..., :2], IMAGES.astype(np.float32), IMAGES[0]])
def test_images_that_do_not_fit(images):
    with pytest.raises(ValueError, match=r"4 videos need images \(4, H, W, 3\) uint8"):
        ArraySplit("train", VIDEOS, images)
