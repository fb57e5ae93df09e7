"""Flow on disk."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.errors import DataError
from harness.system import paths
from harness.system.processes import CrashedError, HungError
from harness.video import flow_cache
from harness.video.decode import decode
from harness.video.flow import displacement, flow, quantised
from harness.video.flow_cache import FlowCache
from harness.video.write import write_video

SIZE = 32


@pytest.fixture
def computed(home, monkeypatch):
    """An empty cache folder, and the videos whose flow was computed, in order."""
    videos = []

    def counted(video):
        videos.append(video.name)
        return count_frames(video)

    count_frames = flow_cache.count_frames
    monkeypatch.setattr(flow_cache, "count_frames", counted)
    return videos


@pytest.fixture
def cache():
    return FlowCache("dis", SIZE)


def test_flow_comes_back_frame_by_frame(files, computed, cache):
    video = files["mpeg4.avi"]
    exact = flow(torch.from_numpy(decode(video, short_side=SIZE)), "dis")
    whole = cache.read(video)
    assert whole.dtype == torch.uint8
    assert whole.shape == exact.shape == (29, 2, 32, 43)
    assert float((displacement(whole) - displacement(quantised(exact))).abs().mean()) < 0.05
    some = cache.read(video, [7, 3, 3, 28])
    assert torch.equal(some, whole[[7, 3, 3, 28]])
    assert cache.read(video, []).shape == (0, 2, 32, 43)
    assert computed == ["mpeg4.avi"]


def test_only_wanted_pictures_are_decoded(files, computed, cache, monkeypatch):
    cache.read(files["mpeg4.avi"], [0])
    pictures = []
    imdecode = flow_cache.cv2.imdecode
    monkeypatch.setattr(flow_cache.cv2, "imdecode", lambda *given: (pictures.append(1), imdecode(*given))[1])
    cache.read(files["mpeg4.avi"], [4, 9, 20])
    assert len(pictures) == 3


def test_threads_that_miss_the_same_flow_compute_it_once(files, computed, cache):
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda _: cache.read(files["mpeg4.avi"]), range(4))
    assert all(other.equal(first) for other in others)
    assert len(computed) == 1


def test_segments_of_a_long_video_join(files, computed, cache, monkeypatch):
    whole = cache.read(files["h264.mp4"])
    cache.path(files["h264.mp4"]).unlink()
    monkeypatch.setattr(flow_cache, "_SEGMENT", 7)
    assert torch.equal(cache.read(files["h264.mp4"]), whole)


def test_the_name_depends_on_all_that_the_flow_depends_on(files, computed, tmp_path, monkeypatch):
    video = files["mpeg4.avi"]
    copy = tmp_path / "copy.avi"
    copy.write_bytes(video.read_bytes())
    name = FlowCache("dis", SIZE).path(video)
    assert FlowCache("dis", SIZE).path(copy) == name
    others = [FlowCache("farneback", SIZE).path(video), FlowCache("dis", 33).path(video)]
    others.append(FlowCache("dis", SIZE).path(files["h264.mp4"]))
    copy.write_bytes(video.read_bytes() + b"\0")
    others.append(FlowCache("dis", SIZE).path(copy))
    monkeypatch.setattr(flow_cache, "decoder", lambda: "another")
    others.append(FlowCache("dis", SIZE).path(video))
    monkeypatch.setattr(flow_cache, "code_hash", lambda module: "another")
    others.append(FlowCache("dis", SIZE).path(video))
    assert len({name, *others}) == 7


def test_motionless_video_stays_exactly_motionless(home, tmp_path):
    write_video(tmp_path / "still.avi", np.full((4, 48, 64, 3), 90, np.uint8), 25)
    for algorithm in ("dis", "tvl1"):
        found = FlowCache(algorithm, SIZE).read(tmp_path / "still.avi")
        assert torch.equal(found, torch.full_like(found, 128))


def test_fast_motion_keeps_its_sign_through_jpeg(files, computed, cache, monkeypatch):
    generator = torch.Generator().manual_seed(0)

    def fast(frames, _):
        return 50.0 * torch.randint(-1, 2, (len(frames) - 1, 2, *frames.shape[1:3]), generator=generator)

    monkeypatch.setattr(flow_cache, "flow", fast)
    found = cache.read(files["mpeg4.avi"])
    assert int(found.min()) == 1
    assert int(found.max()) == 255


def test_no_damage_is_ever_read(files, computed, cache, capsys):
    video = files["mpeg4.avi"]
    whole = cache.read(video)
    path = cache.path(video)
    intact = path.read_bytes()
    random = np.random.default_rng(0)
    assert flow_cache.damage(path) == ""
    damaged = [b"", b"not a zip", intact[: len(intact) // 2], intact[:-1], intact[100:]]
    places = random.integers(0, len(intact), 40)
    damaged += [intact[:place] + bytes([intact[place] ^ 0x55]) + intact[place + 1 :] for place in places]
    for content in damaged:
        path.write_bytes(content)
        assert torch.equal(cache.read(video), whole)
    assert len(computed) > 6 + 20
    assert path.read_bytes() == intact
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(f"{path}: damaged (")]
    aside = paths.store() / "damaged" / "flow"
    assert len(lines) == len(list(aside.iterdir())) == len(computed) - 1
    assert lines[1].endswith(f"; set aside as {aside / path.name}.2; computing the flow of {video} again")
    assert (aside / path.name).read_bytes() == damaged[0]


def test_a_fault_of_the_disk_sets_no_file_aside(files, computed, cache, monkeypatch):
    video = files["mpeg4.avi"]
    cache.read(video)

    def fails(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(flow_cache, "read_member", fails)
    for read in (cache.read, cache._ensure):
        with pytest.raises(OSError, match="Too many open files"):
            read(video)
    assert cache.path(video).exists()
    assert len(computed) == 1


def test_a_file_that_lacks_pictures_is_not_used(files, computed, cache):
    video = files["mpeg4.avi"]
    whole = cache.read(video)
    path = cache.path(video)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "000004.jpg"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert torch.equal(cache.read(video, [0, 5]), whole[[0, 5]])
    assert len(computed) == 2


def test_nothing_is_left_of_a_computation_that_fails(files, computed, cache, monkeypatch):
    def broken(*_):
        raise MemoryError

    monkeypatch.setattr(flow_cache, "flow", broken)
    with pytest.raises(MemoryError):
        cache.read(files["mpeg4.avi"])
    assert not list(cache.path(files["mpeg4.avi"]).parent.iterdir())


def test_errors_name_the_video(files, computed, cache, tmp_path):
    with pytest.raises(DataError, match=r"late\.avi: no such video"):
        cache.read(tmp_path / "late.avi")
    write_video(tmp_path / "single.avi", np.zeros((1, 48, 64, 3), np.uint8), 25)
    with pytest.raises(DataError, match=r"single\.avi: flow needs at least 2 frames"):
        cache.read(tmp_path / "single.avi")
    with pytest.raises(DataError, match=r"mpeg4\.avi: flow from frame 29 on was asked for, but 30 frames decode"):
        cache.read(files["mpeg4.avi"], [29])
    with pytest.raises(ValueError, match="count from 0, got -1"):
        cache.read(files["mpeg4.avi"], [-1])
    with pytest.raises(ValueError, match="at least 16 pixels for flow, got 8"):
        FlowCache("dis", 8)


def test_workers_compute_all_that_can_be_and_the_error_names_what_cannot(files, computed, cache, tmp_path):
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"no video at all")
    with pytest.raises(DataError, match=r"broken\.avi: not a video that FFmpeg can read.*and 1 more videos failed"):
        cache.precompute([broken, files["mpeg4.avi"], tmp_path / "missing.avi", files["h264.mp4"]], workers=2)
    assert cache.path(files["mpeg4.avi"]).exists()
    assert cache.path(files["h264.mp4"]).exists()
    workers_made = cache.path(files["mpeg4.avi"]).read_bytes()
    cache.read(files["mpeg4.avi"])
    assert computed == []
    cache.path(files["mpeg4.avi"]).unlink()
    cache.read(files["mpeg4.avi"])
    assert cache.path(files["mpeg4.avi"]).read_bytes() == workers_made


@pytest.mark.parametrize("error", [CrashedError(7), HungError(2)])
def test_a_worker_that_crashes_or_hangs_is_named(error):
    failure = flow_cache._failure(Path("a.avi"), error)
    assert str(failure).startswith(f"a.avi: its flow is not computed ({error})")


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (CrashedError(-signal.SIGKILL), "the worker crashed (signal 9, SIGKILL)"),
        (MemoryError(), "out of memory"),
        (MemoryError("no room for 3 GB"), "no room for 3 GB"),
    ],
)
def test_a_video_is_not_at_fault_where_memory_runs_out(error, what):
    failure = flow_cache._failure(Path("a.avi"), error)
    assert failure.reason == "unreadable"
    assert str(failure) == f"a.avi: its flow is not computed ({what}); free some memory, and run it again"


def test_what_is_done_survives_a_kill(home, tmp_path):
    random = np.random.default_rng(0)
    videos = [tmp_path / f"{number}.avi" for number in range(6)]
    for video in videos:
        write_video(video, random.integers(0, 256, (24, 96, 128, 3)).astype(np.uint8), 25)
    program = (
        "import pathlib, sys\n"
        "from harness.video.flow_cache import FlowCache\n"
        "if __name__ == '__main__':\n"
        "    FlowCache('tvl1', 96).precompute([pathlib.Path(name) for name in sys.argv[1:]], workers=1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, *map(str, videos)], start_new_session=True)
    slow = FlowCache("tvl1", 96)
    first = slow.path(videos[0])
    while not first.exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = [video for video in videos if slow.path(video).exists()]
    assert 1 <= len(done) < len(videos)
    before = {video: slow.path(video).stat().st_mtime_ns for video in done}
    for path in Path(home, "flow").rglob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            assert len(archive.namelist()) == 24
    slow.precompute(videos, workers=2)
    assert all(slow.path(video).exists() for video in videos)
    assert {video: slow.path(video).stat().st_mtime_ns for video in done} == before
