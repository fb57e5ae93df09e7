"""Every codec that PyAV encodes in every container that takes it, read frame by frame as a full decode gives it.

Which pairs there are is asked of the encoders and muxers; a pair that one of them refuses is none.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import pytest

from harness.datasets.folders import VIDEOS
from harness.video import seek_index
from harness.video.decode import decode
from harness.video.probe import probe

from .conftest import drift

CONTAINERS = sorted({*VIDEOS, ".mxf", ".nut"} - {".mpeg"})  # as .mpg
SIZES = ((64, 48), (176, 144), (720, 576))
"""Sizes to try: some encoders take no other than the second or the third."""
COUNT, RATE = 20, 25
SOUNDS = dict.fromkeys((".avi", ".mov", ".mxf"), "pcm_s16le") | dict.fromkeys((".mpg", ".ts"), "mp2")
SOUNDS |= {".ogv": "libopus", ".webm": "libopus", ".wmv": "wmav2"}
FAST = {"libaom-av1": {"cpu-used": "8"}, "libsvtav1": {"preset": "13"}, "libx265": {"preset": "ultrafast"}}
"""Options of encoders that take most of the time else."""
COMMON = ("libsvtav1", "libvpx", "libvpx-vp9", "libx264", "libx265", "mjpeg", "mpeg2video", "mpeg4")


@dataclass(frozen=True)
class Film:
    """How a file is written."""

    b_frames: bool = False
    open_gop: bool = False
    hidden: int = 0
    """Frames before time 0, which an edit list hides where there is one."""
    sound: bool = False
    """As long again as the picture."""
    dropped: bool = False
    """Every fifth frame."""
    rotated: bool = False


FILMS = {
    "plain": Film(),
    "b-frames": Film(b_frames=True),
    "open-gop": Film(b_frames=True, open_gop=True),
    "edit-list": Film(hidden=7),
    "edit-list-b-frames": Film(hidden=7, b_frames=True),
    "longer-sound": Film(sound=True),
    "dropped": Film(dropped=True),
    "rotated": Film(rotated=True),
    "all-at-once": Film(hidden=7, sound=True, dropped=True, rotated=True),
    "all-b-frames": Film(b_frames=True, open_gop=True, hidden=7, sound=True, dropped=True, rotated=True),
}
REFUSALS = (av.FFmpegError, ValueError, TypeError, NotImplementedError)
"""Ways in which PyAV tells that an encoder or muxer does not take something."""


def encoders():
    """Names of the encoders of video, each once."""
    names = set()
    for name in av.codecs_available:
        with contextlib.suppress(av.codec.codec.UnknownCodecError):
            codec = av.codec.Codec(name, "w")
            if codec.type == "video":
                names.add(codec.name)
    return sorted(names)


def pictures(name, size):
    """Frames in a pixel format that the encoder takes."""
    formats = [one.name for one in av.codec.Codec(name, "w").video_formats or ()]
    pixels = formats[0] if formats and "yuv420p" not in formats else "yuv420p"
    made = []
    for picture in drift(COUNT if size[0] < 700 else 9, size[1], size[0]):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(format=pixels)
        frame.time_base = Fraction(1, RATE)
        made.append(frame)
    return made


@contextlib.contextmanager
def as_scheduled():
    """Keep the scheduling of this thread: where it may, SVT-AV1 makes it a real-time one, which starves all others."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


@as_scheduled()
def write(path, codec, frames, film):
    """Write the frames; raises one of `REFUSALS` where that cannot be."""
    options = {"strict": "experimental", "x265-params": "log-level=none:open-gop=" + "01"[film.open_gop]}
    options |= FAST.get(codec, {})
    if codec in ("libx264", "libx264rgb"):
        options["x264-params"] = "open-gop=" + "01"[film.open_gop]
    elif codec in ("mpeg1video", "mpeg2video") and not film.open_gop:
        options |= {"flags": "+cgop", "sc_threshold": "1000000000"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options)
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        context.thread_count, context.gop_size = 1, 6
        context.max_b_frames = 2 if film.b_frames else 0
        if stream.pix_fmt.startswith("yuvj"):
            context.color_range = 2
        if film.rotated:
            stream.set_display_rotation(90)
        sound = add_sound(container, path.suffix) if film.sound else None
        for number, frame in enumerate(frames):
            if not (film.dropped and number % 5 == 3):
                frame.pts = number - film.hidden
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            mux_sound(container, sound, 2 * len(frames) / RATE)


def add_sound(container, suffix):
    """Add a stream of sound; none to a GIF, which has none."""
    if suffix == ".gif":
        return None
    stream = container.add_stream(SOUNDS.get(suffix, "aac"), rate=48000, layout="mono")
    stream.bit_rate = 64_000
    return stream


def mux_sound(container, stream, seconds):
    for start in range(0, int(seconds * 48000), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def full_decode(path):
    """Frames that PyAV gives from the start to the end, turned upright; whether one of them is corrupt."""
    decoded = []
    with av.open(str(path)) as container:
        if not container.streams.video or container.streams.video[0].codec_context is None:
            return [], False
        for packet in container.demux(video=0):
            with contextlib.suppress(av.FFmpegError, ValueError):
                decoded += packet.decode()
    pictures = [np.rot90(one.to_ndarray(format="rgb24"), round(one.rotation / 90) % 4) for one in decoded]
    return pictures, any(one.is_corrupt for one in decoded)


def timed(path, film):
    """Whether the file gives each frame the time that it was written with."""
    rewritten = path.suffix in {".mpg", ".mxf"} and film.dropped  # one frame follows on the other there
    wrapped = path.suffix == ".ogv" and film.hidden  # FFmpeg reads times before 0 as very late ones
    return not (rewritten or wrapped or path.suffix == ".wmv")


def faults(path, film):
    """What is wrong with how the file is read, and how many frames PyAV alone reads, 0 where none are sound."""
    try:
        frames, corrupt = full_decode(path)
    except (av.FFmpegError, IndexError):
        frames, corrupt = [], False
    record = probe(path)
    if not frames or corrupt:
        return ([] if record.reason else ["a reason should be given"]), 0
    if record.reason:
        return [f"{record.reason}: {record.message}"], len(frames)
    found = []
    if record.frames != len(frames):
        found.append(f"{record.frames} frames instead of {len(frames)}")
    uneven = film.dropped or round(record.fps) != RATE  # which FFmpeg guesses for MPEG-1 in a transport stream
    if len(frames) > 2 and timed(path, film) and ("variable-rate" in record.remarks) != uneven:
        found.append(f"remarks {record.remarks}")
    whole = np.stack(frames)
    last = len(frames) - 1
    wanted = ([last, last // 2], [min(2, last), max(0, last - 2)], [(last + 1) // 2], [0])
    if not np.array_equal(decode(path), whole):
        found.append("other frames")
    found += [f"frames {some} sought" for some in wanted if not np.array_equal(decode(path, some), whole[some])]
    seek_index.forget()
    first = [some for some in wanted if not np.array_equal(decode(path, some, total=record.frames), whole[some])]
    return found + [f"frames {some} on a first visit" for some in first], len(frames)


def survey(folder, codecs, film):
    """Faults by pair, and the number of frames of each pair of which PyAV alone reads any."""
    wrong, read = {}, {}
    for codec in codecs:
        for size in SIZES:
            taken = False
            try:
                frames = pictures(codec, size)
            except REFUSALS:
                continue
            for suffix in CONTAINERS:
                path = folder / f"film{suffix}"
                path.unlink(missing_ok=True)
                try:
                    write(path, codec, frames, film)
                except REFUSALS:
                    continue
                if not path.exists():  # an encoder that gives nothing
                    continue
                taken = True
                found, count = faults(path, film)
                if found:
                    wrong[codec, suffix] = found
                elif count:
                    read[codec, suffix] = count
            if taken:
                break
    return wrong, read


@pytest.mark.parametrize(("name", "least"), [("plain", 230), ("all-at-once", 160)])
def test_every_codec_in_every_container(tmp_path, name, least):
    wrong, read = survey(tmp_path, encoders(), FILMS[name])
    assert wrong == {}
    assert len(read) >= least
    assert {suffix for _, suffix in read} == set(CONTAINERS)


@pytest.mark.parametrize("name", [name for name in FILMS if name not in ("plain", "all-at-once")])
def test_common_codecs(tmp_path, name):
    film = FILMS[name]
    wrong, read = survey(tmp_path, COMMON, film)
    assert wrong == {}
    assert len(read) >= 40
    hiding = {suffix for (_, suffix), count in read.items() if count < COUNT}
    if film.hidden:
        assert hiding >= {".mp4", ".mov"}
    elif film.dropped:
        assert set(read.values()) == {COUNT - COUNT // 5}
    else:
        assert not hiding
