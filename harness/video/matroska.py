"""Soundness of Matroska and WebM files, which have no table of their frames."""

from __future__ import annotations

from typing import BinaryIO

_HEADER, _SEGMENT, _CLUSTER, _BLOCK = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0xA3


def frames_missing(file: BinaryIO, size: int) -> bool:
    """Tell from the elements of a file if frames are missing.

    It is cut short then, or parts of it are overwritten. The elements of whole clusters follow on each other up to
    where the file says that it ends. A cut behind the last cluster takes no frame away, and a recording whose writer
    could not go back to fill the lengths in says nothing.

    Args:
        file: at its first byte.
        size: of the file, in bytes.
    """
    start = file.tell()
    element, length = _element(file)
    if element != _HEADER or length is None:
        return False
    file.seek(length, 1)
    element, length = _element(file)
    if element != _SEGMENT or length is None:
        return False
    end, clusters = file.tell() - start + length, 0
    while (place := file.tell() - start) < end:
        element, length = _element(file) if place < size else (None, 0)
        if length is None:
            return False
        after = file.tell() + length
        if element == _CLUSTER:
            clusters += 1
            if after - start > size or not _sound(file, after):
                return True
        elif element is None or after - start > size:
            return element is None or not clusters
        file.seek(after)
    return False


def _sound(file: BinaryIO, end: int) -> bool:
    """Tell if elements follow on each other up to `end`; each block names a track."""
    while (place := file.tell()) < end:
        element, length = _element(file)
        if element is None or length is None:
            return False
        place = file.tell() + length
        if element == _BLOCK and file.read(1) == b"\0":
            return False
        file.seek(place)
    return place == end


def _element(file: BinaryIO) -> tuple[int | None, int | None]:
    """Read the start of an element: its kind, None for nothing, and its length.

    The length, in bytes, is None where it is not given.
    """
    element, _ = _number(file, longest=4)
    length, width = _number(file, longest=8)
    if element is None or length is None:
        return None, 0
    length &= (1 << 7 * width) - 1  # without the bit that marks the width
    return element, None if length == (1 << 7 * width) - 1 else length


def _number(file: BinaryIO, longest: int) -> tuple[int | None, int]:
    """Read a number and how many bytes it has, as its leading zeros tell."""
    first = file.read(1)
    width = 9 - first[0].bit_length() if first and first[0] else 9
    if width > longest:
        return None, 0
    rest = file.read(width - 1)
    return (int.from_bytes(first + rest, "big"), width) if len(rest) == width - 1 else (None, 0)
