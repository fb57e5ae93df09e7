"""Maps on disk: computed once, whole or not at all, shared by content."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.backbones.small_2d import Small2D
from harness.cards import View
from harness.datasets.split_views import Subset
from harness.errors import DataError
from harness.testing import CountingSplit, MovingSquares
from harness.values import Box
from harness.video.anonymous import content_name
from harness.video.loader import video_clips
from harness.video.transforms import normalise
from harness_vgg3d import maps as module
from harness_vgg3d.maps import FrameMaps
from harness_vgg3d.trunk import Trunk

INPUTS = replace(Small2D.inputs, view=View(frames=5, stride="uniform", size=32, resize=37))
TRAIN = Subset(MovingSquares().split("train"), range(7))


def frame_maps(seed=0):
    return FrameMaps(Trunk(Small2D().build(seed=seed), "feature_map", 32).eval(), INPUTS)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    return tmp_path


def test_they_are_those_of_the_centre_crop_in_half_precision(home):
    ours = frame_maps()
    read = ours.of(TRAIN).read([4, 0, 4])
    assert (read.shape, read.dtype) == ((3, 128, 5, 4, 4), torch.float16)
    assert torch.equal(read[0], read[2])
    for row, video in enumerate([4, 0]):
        expected = ours.network(normalise(video_clips(TRAIN, video, INPUTS.view), INPUTS))[0]
        torch.testing.assert_close(read[row].float(), expected, rtol=1e-3, atol=1e-3)


def test_a_video_takes_two_bytes_a_number(home):
    paths = frame_maps().of(TRAIN).paths
    assert all(path.stat().st_size == 128 + 2 * 128 * 5 * 4 * 4 for path in paths)


def test_what_is_there_is_not_computed_again(home):
    counting = CountingSplit(TRAIN)
    first = frame_maps().of(Subset(counting, [0, 1, 2]))
    assert counting.frames_read == 3 * 5
    again = frame_maps().of(counting)
    assert counting.frames_read == 7 * 5
    assert again.paths[:3] == first.paths


def test_a_kill_leaves_whole_files_and_the_rest_is_computed_after_it(home, monkeypatch):
    saved, calls = np.save, []

    def dying(file, values):
        calls.append(1)
        if len(calls) == 4:
            file.write(b"half")
            raise KeyboardInterrupt
        saved(file, values)

    monkeypatch.setattr(module.np, "save", dying)
    with pytest.raises(KeyboardInterrupt):
        frame_maps().of(TRAIN)
    monkeypatch.undo()
    monkeypatch.setenv("HARNESS_HOME", str(home))
    assert len(list(home.rglob("*.npy"))) == 3
    assert not list(home.rglob("*.tmp"))
    counting = CountingSplit(TRAIN)
    frame_maps().of(counting)
    assert counting.frames_read == 4 * 5


def test_processes_share_the_work(home):
    counting = CountingSplit(TRAIN)
    frame_maps().of(counting, rank=1, world=3)
    assert counting.frames_read == 2 * 5
    names = {f"{content_name(TRAIN.videos[video])}.npy" for video in (1, 4)}
    assert {path.name for path in home.rglob("*.npy")} == names


def test_a_share_is_the_same_when_another_process_has_written_its_own(home):
    first, second = (frame_maps().of(TRAIN, rank=rank, world=2) for rank in range(2))
    assert first.paths == second.paths
    assert all(path.exists() for path in second.paths)


def test_folds_share_files_and_networks_do_not(home):
    ours = frame_maps()
    whole, part = ours.of(TRAIN), ours.of(Subset(TRAIN, [5, 2]))
    assert part.paths == (whole.paths[5], whole.paths[2])
    assert frame_maps(seed=1).folder != ours.folder
    changed = FrameMaps(ours.network, replace(INPUTS, view=replace(INPUTS.view, frames=6)))
    assert changed.folder != ours.folder
    assert frame_maps().folder == ours.folder


def test_a_changed_network_has_other_maps(home):
    ours = frame_maps()
    before = ours.folder
    statistics = next(one for one in ours.network.modules() if isinstance(one, torch.nn.BatchNorm2d))
    statistics.running_mean += 1
    assert ours.folder != before


def test_computing_changes_nothing_of_the_network(home):
    ours = frame_maps()
    before = {name: tensor.clone() for name, tensor in ours.network.state_dict().items()}
    ours.network.train()
    ours.of(TRAIN)
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.network.state_dict().items())


def test_numbers_too_large_for_half_precision_name_the_video(home):
    ours = frame_maps()
    with torch.no_grad():
        [one for one in ours.network.modules() if isinstance(one, torch.nn.BatchNorm2d)][-1].weight.fill_(1e6)
    with pytest.raises(DataError, match=r"the frame maps of video 'train-00' are NaN or infinite as float16"):
        ours.of(TRAIN)
    assert not list(home.rglob("*.npy"))


def test_a_full_disk_is_said_before_anything_is_written(home, monkeypatch):
    usage = module.shutil.disk_usage(home)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DataError, match=r"frame maps of 0\.0 GB in .*: set HARNESS_HOME to a larger disk"):
        frame_maps().of(TRAIN)
    assert not list(home.rglob("*.npy"))


def test_a_damaged_file_is_named(home):
    stored = frame_maps().of(TRAIN)
    stored.paths[2].write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=rf"^{stored.paths[2]}: the maps .* delete the file and run again"):
        stored.read([2])


def test_layers_of_equal_weights_and_shape_have_maps_of_their_own(home):
    """A ReLU has no weights, and shows in no shape."""
    network = torch.nn.Sequential(torch.nn.Conv3d(3, 4, (1, 3, 3)), torch.nn.ReLU(), torch.nn.AvgPool3d((1, 2, 2)))
    folders = {FrameMaps(Trunk(copy.deepcopy(network), layer, 32), INPUTS).folder for layer in "012"}
    assert len(folders) == 3


def test_maps_of_other_frames_are_named(home):
    stored = frame_maps().of(TRAIN)
    np.save(stored.paths[2], np.zeros((3, 4, 4, 128), np.float16))
    with pytest.raises(DataError, match=r"expected maps of 5 frames as float16, got \(3, 4, 4, 128\) float16; delete"):
        stored.read([2])


def test_videos_of_unknown_content_are_told_apart_by_their_names(home):
    nameless = replace(
        MovingSquares().split("train"),
        videos=tuple(replace(video, content="") for video in MovingSquares().split("train").videos),
    )
    paths = frame_maps().of(Subset(nameless, range(3))).paths
    assert len(set(paths)) == 3


def test_parts_of_one_picture_have_maps_of_their_own(home):
    """Two people in one photograph differ in their boxes alone."""
    video = TRAIN.videos[0]
    boxes = [None, Box(0, 0, 16, 16), Box(8, 8, 24, 24)]
    videos = tuple(replace(video, id=str(number), box=box) for number, box in enumerate(boxes))
    people = replace(MovingSquares().split("train"), videos=videos)
    paths = frame_maps().of(people).paths
    assert len(set(paths)) == 3
    renamed = replace(people, videos=tuple(replace(video, id=f"other-{video.id}") for video in videos))
    assert frame_maps().of(renamed).paths == paths
