"""Probe video and image files, and folders of frames, by decoding them whole."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import DataError
from harness.system.presence import is_folder
from harness.video import container, matroska
from harness.video.frame_folder import frame_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

REASONS = {
    "missing": "no such file",
    "folder": "a folder, not a file",
    "empty": "a file of 0 bytes",
    "unreadable": "the system does not let it be read, or has no memory for it",
    "not-video": "nothing that FFmpeg knows as a video or image",
    "no-video-stream": "sound, subtitles or data alone",
    "no-frames": "a video of which no frame decodes",
    "truncated": "frames that its video stream should hold are not there",
    "corrupt": "frames decode with errors",
    "frames": "a folder whose images are not the frames of one video, every one of one size",
    "crashed": "the decoder crashed on it",
    "hung": "the decoder did not come to an end",
}
"""Reasons that make a file unusable."""

REMARKS = {
    "one-frame": "an image, or a video of one frame",
    "frame-folder": "a folder of frames, whose rate nothing tells",
    "odd-size": "a width or height that is odd",
    "rotated": "the file asks to be turned",
    "variable-rate": "the time between frames varies, or is not that of the rate the file says",
    "miscounted": "not exactly as many frames decode as its header declares",
}
"""Oddities of files that can be used."""

LOST = 0.05
"""Share of the declared frames (and 2 more) that may be missing.

Headers of whole files are wrong by a few.
"""


SILENT = frozenset(("mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "vp8"))
"""Codecs with packets that show no frame of their own."""


PERIODIC = frozenset(("avi", "mxf"))
"""Containers that count periods, and whose frames have no times of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Contents of a probed video or image file."""

    sha256: str
    frames: int
    """Frames that decode."""
    fps: float
    """Frames per second; 0 where the file does not say."""
    width: int
    height: int
    """Pixels, as shown: after the rotation that the file asks for."""
    bytes: int = 0
    reason: str = ""
    """Key of `REASONS`; empty when the file can be used."""
    message: str = ""
    """The reason in one line, with the file and the remedy."""
    remarks: tuple[str, ...] = ()
    """Keys of `REMARKS`."""
    timed: bool = False
    """The rate was compared with the times of the frames.

    Older releases did not do that.
    """


def unusable(reason: str, message: str) -> Record:
    """Record of a file that cannot be used."""
    return Record(sha256="", frames=0, fps=0.0, width=0, height=0, reason=reason, message=message)


def probe(path: Path) -> Record:
    """Decode the whole file and record its contents.

    A file that cannot be used is no error, but a record with a reason. A crash or an endless loop inside the decoder is
    not caught here: see `harness.datasets.file_index`.
    """
    try:
        if is_folder(path):
            return _folder(path)
        sha256, size = container.digest(path)
        return _decode(path, sha256, size)
    except DataError as error:
        return unusable(error.reason, str(error))
    except OSError as error:
        return unusable("unreadable", f"{path}: cannot be read ({error.strerror}); check its permissions and the disk")


def _folder(path: Path) -> Record:
    """Record of a folder of frames, all of which are decoded."""
    records: list[Record] = []
    for file in frame_files(path):
        record = probe(file)
        if record.reason:
            return unusable(record.reason, record.message)
        if record.frames != 1:
            message = f"{file}: holds {record.frames} pictures, where a frame is one; fetch the folder again"
            return unusable("frames", message)
        records.append(record)
        first = records[0]
        if (record.width, record.height) != (first.width, first.height):
            sizes = f"{record.width} x {record.height} pixels, where the first is {first.width} x {first.height}"
            return unusable("frames", f"{file}: {sizes}; make all frames of one size")
    sha256, size = container.of_frames((record.sha256, record.bytes) for record in records)
    remarks = {"frame-folder", *(remark for record in records for remark in record.remarks)}
    if len(records) > 1:
        remarks.discard("one-frame")
    return dataclasses.replace(
        first, sha256=sha256, frames=len(records), fps=0.0, bytes=size, remarks=tuple(sorted(remarks))
    )


def _decode(path: Path, sha256: str, size: int) -> Record:
    seen = _Walk()
    with container.opened(path) as (file, stream):
        width, height = stream.codec_context.width, stream.codec_context.height  # as `decode` takes it: it may change
        for packet, frames in container.packets(file, stream):
            seen.add(packet, frames)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        per_unit = rate * float(stream.time_base or 0)
        structure = file.format.name
        counts = _counts(seen, structure, stream)
        declared = counts[0].declared if "mov" in structure else stream.frames
    if seen.turns % 2:
        width, height = height, width
    reason, problem = _fault(seen, counts)
    if not reason and "matroska" in structure:
        with container.stored(path) as (content, _):
            if matroska.frames_missing(content, size):
                reason, problem = "truncated", f"{seen.frames} frames decode, others are cut off or overwritten"
    remarks = {
        "one-frame": seen.frames == 1,
        "odd-size": bool(width % 2 or height % 2),
        "rotated": bool(seen.turns),
        "variable-rate": seen.variable(per_unit, periodic=structure in PERIODIC),
        "miscounted": 1 < seen.frames != declared > 1,
    }
    return Record(
        sha256=sha256,
        frames=seen.frames,
        fps=rate,
        width=width,
        height=height,
        bytes=size,
        reason=reason,
        message=f"{path}: {problem}: fetch it again" if reason else "",
        remarks=tuple(name for name, holds in remarks.items() if holds),
        timed=True,
    )


@dataclass
class _Walk:
    """Packets and frames of a stream, from the first to the last."""

    frames: int = 0
    packets: int = 0
    """Those with data that is to be shown."""
    refused: int = 0
    """Packets that the decoder refused."""
    corrupt: int = 0
    """Frames that decoded with errors."""
    half: bool = False
    """The last packet is not all there."""
    end: int = 0
    """Time at which the last packet ends, in units of the stream's time base."""
    turns: int = 0
    times: list[int | None] = field(default_factory=list)
    """Time stamp of each frame."""
    chunks: list[int | None] = field(default_factory=list)
    """Decoding time of each packet: its place where the structure is `PERIODIC`."""

    def add(self, packet: Packet[VideoStream], frames: list[VideoFrame] | None) -> None:
        """Note a packet and the frames that came out with it."""
        if packet.size:
            self.chunks.append(packet.dts)
            self.packets += not packet.is_discard
            self.half = packet.is_corrupt
            self.end = max(self.end, (packet.dts or 0) + (packet.duration or 0))
        self.refused += frames is None
        for frame in frames or ():
            self.frames += 1
            self.corrupt += frame.is_corrupt
            self.turns = container.quarter_turns(frame)
            self.times.append(frame.pts)

    def variable(self, rate: float, *, periodic: bool) -> bool:
        """Tell if frames are not shown at the one rate that the file says.

        The rate of a file may be wrong though all steps between frames are equal: it counts how long the last is shown.
        Where the container counts periods, time stamps are made up of the places of packets, and either may have a gap
        where the other has none.

        Args:
            rate: frames in a unit of the time base.
            periodic: the container counts periods.
        """
        if not periodic:
            return _varies(self.times) or _drifts(self.times, rate)
        return _varies(self.chunks) and _varies(sorted(time for time in self.times if time is not None))


class _Count(NamedTuple):
    """Number that a file declares of its video stream, and the one that was found."""

    declared: int
    found: int

    @property
    def short(self) -> bool:
        return self.found + 2 < self.declared * (1 - LOST)


def _counts(seen: _Walk, structure: str, stream: VideoStream) -> tuple[_Count, ...]:
    """Compare what a file says of its video stream with what was found.

    What it says of its own length is about the longest of all streams, and proves nothing. A table of frames lacks what
    an edit list hides. AVI counts the periods in which a frame was dropped, too.
    """
    table = sum(entry.size > 0 and not entry.is_discard for entry in stream.index_entries)
    found = seen.packets - seen.refused if stream.codec_context.name in SILENT else seen.frames
    periods = {"avi": stream.frames, "mxf": stream.duration or 0}.get(structure, 0)
    rate = (stream.time_base or 0) * (stream.average_rate or 0)
    return _Count(table, found), _Count(periods, max(round(seen.end * rate), seen.frames))


def _fault(seen: _Walk, counts: Sequence[_Count]) -> tuple[str, str]:
    """Reason why a file cannot be used, and its problem in words; empty where it can."""
    if not seen.frames:
        return "no-frames", "no frame decodes"
    if any(count.short for count in counts):
        declared = max(count.declared for count in counts)
        return "truncated", f"the header declares {declared} frames, {seen.frames} decode; the file is cut short"
    if seen.half and seen.frames < seen.packets:
        return "truncated", f"{seen.frames} frames decode, then half of one; the file is cut short"
    if seen.corrupt:
        return "corrupt", f"{seen.corrupt} of {seen.frames} frames decode with errors"
    if seen.refused > 2 + LOST * seen.packets:
        return "corrupt", f"{seen.refused} of {seen.packets} packets do not decode"
    return "", ""


def _varies(times: Sequence[int | None]) -> bool:
    """Tell if frames are shown for different times, as far as these are known."""
    pairs = itertools.pairwise(times)
    steps = np.array([after - before for before, after in pairs if before is not None and after is not None])
    if len(steps) < 2:
        return False
    usual = float(np.median(steps))
    rounding = 1.0 if usual > 1 else 0.0  # of the time base, which is itself the time of a frame in AVI
    return bool(steps.max() - steps.min() > max(rounding, 0.1 * usual))


def _drifts(times: Sequence[int | None], rate: float) -> bool:
    """Tell if the last frame is more than one and a half from where a rate has it.

    As far as its time is known. Files that leave out the last duration are off by one.
    """
    if len(times) < 2 or times[0] is None or times[-1] is None or not rate:
        return False
    return abs((times[-1] - times[0]) * rate - (len(times) - 1)) > 1.5
