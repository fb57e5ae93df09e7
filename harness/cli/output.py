"""Standard output of a verb: what the verb writes, and nothing that others print."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, TextIO

from harness.system.text import without_escapes

REPEATED = 2**20
"""Bytes, printed past Python, that are shown."""

_reserved: list[TextIO] = []


def write(text: str) -> None:
    """Write text of a verb to standard output.

    Terminal escapes are left out, control characters and what its encoding lacks spelt out.

    Raises:
        OSError: when it cannot be written: a full disk, a closed pipe.
    """
    stream = _stream()
    encoding = _encoding(stream)
    stream.write(without_escapes(text).encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def takes(text: str) -> bool:
    """Tell whether standard output can say all of a text."""
    try:
        text.encode(_encoding(_stream()))
    except UnicodeEncodeError:
        return False
    return True


def amount(size: float) -> str:
    """Write bytes in the unit that leaves one to four digits.

    >>> amount(512), amount(1024), amount(2_345_678)
    ('512 B', '1.0 KiB', '2.2 MiB')
    """
    power = min(max(int(size).bit_length() - 1, 0) // 10, 4)
    unit = ("B", "KiB", "MiB", "GiB", "TiB")[power]
    return f"{size / 1024**power:.{1 if power else 0}f} {unit}"


@contextlib.contextmanager
def reserved() -> Iterator[None]:
    """Keep standard output for `write` in the block; what others print goes to stderr.

    Libraries that print past Python are heard once the block ends; their escapes, too, are left out.
    """
    with contextlib.ExitStack() as stack:
        own = sys.stdout
        if _is_descriptor(own):
            own = stack.enter_context(_descriptor_kept(own))
        _reserved.append(own)
        stack.callback(_reserved.pop)
        printed = _Printed()
        stack.callback(printed.end)
        stack.enter_context(contextlib.redirect_stdout(printed))
        yield


class _Printed(io.TextIOBase):
    """Standard output of everybody else: whole lines are said on stderr."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self._line = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            _say(line)
        return len(text)

    def end(self) -> None:
        """Say what has no line's end."""
        if self._line:
            self.write("\n")


def _stream() -> TextIO:
    stream = _reserved[-1] if _reserved else sys.stdout
    return io.StringIO() if stream is None else stream  # None: started without a standard output


def _encoding(stream: TextIO) -> str:
    return getattr(stream, "encoding", None) or "utf-8"


def _is_descriptor(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.fileno() == 1
    except (OSError, ValueError):  # a stream in memory, or closed
        return False


@contextlib.contextmanager
def _descriptor_kept(stream: TextIO) -> Iterator[TextIO]:
    """Put a file in the place of descriptor 1, and give a stream to what it was."""
    stream.flush()
    kept = os.dup(1)
    # A file rather than a pipe, whose reader would wait for a library that prints without letting others run.
    with tempfile.TemporaryFile() as printed, os.fdopen(kept, "w", encoding=stream.encoding) as own:
        os.dup2(printed.fileno(), 1)
        try:
            yield own
        finally:
            stream.flush()  # what was printed to it by its other name, `sys.__stdout__`
            os.dup2(kept, 1)
            _repeat(printed)


def _repeat(printed: IO[bytes]) -> None:
    size = printed.seek(0, os.SEEK_END)
    printed.seek(0)
    for line in printed.read(REPEATED).decode(errors="backslashreplace").splitlines():
        _say(line)
    if size > REPEATED:
        _say(f"... and {size - REPEATED:,} bytes more")


def _say(line: str) -> None:
    from harness.system import progress  # loads rich, which quick answers do without

    progress.say(without_escapes(line))
