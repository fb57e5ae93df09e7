from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest

from harness.profiling.counters import count
from harness.video import seek_index, tally
from harness.video.container import digest
from harness.video.decode import count_frames, decode
from harness.video.write import write_video


@pytest.fixture
def video(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (10, 32, 48, 3), dtype=np.uint8)
    write_video(tmp_path / "a.avi", frames, fps=25)
    return tmp_path / "a.avi"


def packets(path):
    with av.open(str(path)) as container:
        return [packet.size for packet in container.demux(video=0) if packet.size]


def read(function):
    before = tally.total()
    function()
    after = tally.total()
    return after.frames - before.frames, after.bytes - before.bytes


def test_a_whole_file(video):
    assert read(lambda: decode(video)) == (10, sum(packets(video)))
    assert read(lambda: count_frames(video)) == (10, sum(packets(video)))


def test_a_part_of_a_file_is_less(video):
    def first():
        seek_index.forget()
        decode(video, [2])

    frames, size = read(first)
    assert 3 <= frames < 10
    assert 0 < size < sum(packets(video))


def test_a_digest_reads_the_file(video):
    assert read(lambda: digest(video)) == (0, video.stat().st_size)


def test_threads_count(video):
    def both():
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(decode, [video] * 8))

    assert read(both) == (80, 8 * sum(packets(video)))
    counts = count(both)
    assert (counts.frames_decoded, counts.bytes_read) == (80, 8 * sum(packets(video)))
    assert counts.flat()["frames_decoded"] == 80


def test_additions_of_many_threads_are_not_lost():
    def adding(_):
        for _ in range(2000):
            tally.add(frames=1, bytes=2)

    def work():
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(adding, range(8)))

    assert read(work) == (16_000, 32_000)
