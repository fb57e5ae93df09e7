"""Decoding in processes of their own.

For about a fifth of the time that a frame takes PyAV holds Python's lock, in many short turns, so that threads of one
process hardly decode faster than one thread. Processes do; the pixels come through a socket.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from harness.errors import DataError
from harness.system.processes import signal_name, without_script
from harness.video import decode, seek_index, tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

PATIENCE = 0.5
"""Seconds of decoding in this process before others are started.

About what their start takes.
"""
_BUFFER = 2**22
"""Bytes that a process may be ahead of who asked for them."""
_LENGTH = struct.Struct("!Q")


class DecodeProcesses:
    """Decoder that hands each file to a process that waits.

    While there is none, it decodes here.

    Args:
        count: processes.
        patience: seconds of decoding here before they are started.
    """

    def __init__(self, count: int, *, patience: float = PATIENCE) -> None:
        self.count = count
        self._patience = patience
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._starting: list[threading.Thread] = []
        self._open = True
        self._owner = os.getpid()

    def __call__(
        self, path: Path, wanted: list[int] | None, short_side: int | None, total: int | None
    ) -> NDArray[np.uint8]:
        """Decode as `decode.decode_here`.

        Raises:
            DataError: also when a process crashes.
            MemoryError: also when a process is killed.
        """
        if os.getpid() != self._owner:  # a fork, beside which the processes still work for their owner
            return decode.decode_here(path, wanted, short_side, total)
        with self._lock:
            process = self._idle.pop() if self._idle else None
        if process is None:
            return self._decode_here(path, wanted, short_side, total)
        try:
            return process.decode(path, wanted, short_side, total)
        finally:
            self._add(process)

    def start(self) -> None:
        """Start the processes, and wait until they wait."""
        self._start()
        for thread in self._starting:
            thread.join()

    def forget(self) -> None:
        """Let the processes that wait forget all files, as if they just started."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.forget()
            self._add(process)

    def close(self) -> None:
        """End the processes; those that decode end when they are done."""
        self._open = False
        for thread in self._starting:
            thread.join()
        with self._lock:
            for process in self._idle:
                process.close()
            self._idle.clear()

    def _decode_here(
        self, path: Path, wanted: list[int] | None, short_side: int | None, total: int | None
    ) -> NDArray[np.uint8]:
        begin = time.perf_counter()
        pictures = decode.decode_here(path, wanted, short_side, total)
        self._patience -= time.perf_counter() - begin
        if self._patience <= 0:
            self._start()
        return pictures

    def _start(self) -> None:
        with self._lock:
            if self._starting or not self._open:
                return
            self._starting = [threading.Thread(target=self._start_one, daemon=True) for _ in range(self.count)]
            for thread in self._starting:
                thread.start()

    def _start_one(self) -> None:
        with contextlib.suppress(EOFError, OSError):  # without it others decode, or this process
            self._add(_Process())

    def _add(self, process: _Process) -> None:
        with self._lock:
            if process.alive and self._open:
                self._idle.append(process)
                return
        process.close()


_shared: list[DecodeProcesses] = []


@contextlib.contextmanager
def in_processes(count: int) -> Iterator[None]:
    """Let `decode` use `count` processes in the block.

    They are kept for the next one.

    Nothing changes for one process, where another decoder than FFmpeg's in this thread is in use, or in a daemonic
    process, which may start none.
    """
    alone = count < 2 or multiprocessing.current_process().daemon
    if alone or not (decode.in_use() is decode.decode_here or isinstance(decode.in_use(), DecodeProcesses)):
        yield
        return
    if not _shared:
        _shared.append(DecodeProcesses(count))
    with decode.decoded_by(_shared[0]):
        yield


class _Process:
    """A process that decodes, at the other end of a socket.

    Raises:
        EOFError, OSError: when it does not start.
    """

    def __init__(self) -> None:
        self.alive = True
        self._socket, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
        with theirs, without_script():
            self._process.start()
        try:
            _receive(self._socket)
        except BaseException:
            self.close()
            raise

    def decode(
        self, path: Path, wanted: list[int] | None, short_side: int | None, total: int | None
    ) -> NDArray[np.uint8]:
        try:
            _send(self._socket, (path, wanted, short_side, total))
            found, counted = _receive(self._socket)
            pictures = np.empty(() if isinstance(found, Exception) else found, np.uint8)
            if not isinstance(found, Exception):
                _receive_into(self._socket, pictures.reshape(-1).data)
        except (EOFError, OSError) as error:
            self.close()
            code = self._process.exitcode or 0
            if code < 0 and "SIGKILL" in signal_name(-code):  # a signal that Windows lacks
                msg = f"{path}: the process that decoded it was killed, as the system does when memory runs out"
                raise MemoryError(msg) from error
            ending = f"exit code {code}" if code >= 0 else signal_name(-code)
            msg = f"{path}: the process that decoded it ended ({ending}); leave the file out of the data set"
            raise DataError(msg) from error
        except BaseException:
            self.close()  # what it still sends is the answer to nothing
            raise
        tally.add(**counted._asdict())
        if isinstance(found, Exception):
            raise found
        return pictures

    def forget(self) -> None:
        try:
            _send(self._socket, None)
            _receive(self._socket)
        except (EOFError, OSError):
            self.close()

    def close(self) -> None:
        self.alive = False
        self._socket.close()
        self._process.join()


def _serve(connection: socket.socket) -> None:
    """Decode what is asked for, until nobody asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too
    cv2.setNumThreads(1)
    with connection, contextlib.suppress(EOFError, OSError):
        _send(connection, os.getpid())
        while True:
            order = _receive(connection)
            if order is None:
                seek_index.forget()
                _send(connection, None)
                continue
            before = tally.total()
            pictures, error = None, None
            try:
                pictures = decode.decode_here(*order)
            except Exception as raised:
                error = raised
            counted = tally.Tally(*(now - then for now, then in zip(tally.total(), before, strict=True)))
            _send(connection, (pictures.shape if pictures is not None else error, counted))
            if pictures is not None:
                connection.sendall(pictures.reshape(-1).data)


def _send(connection: socket.socket, value: Any) -> None:
    content = pickle.dumps(value)
    connection.sendall(_LENGTH.pack(len(content)) + content)


def _receive(connection: socket.socket) -> Any:
    length = bytearray(_LENGTH.size)
    _receive_into(connection, memoryview(length))
    content = bytearray(*_LENGTH.unpack(length))
    _receive_into(connection, memoryview(content))
    return pickle.loads(content)  # noqa: S301 - of a process that this one started, or that started this one


def _receive_into(connection: socket.socket, view: memoryview) -> None:
    """Fill `view`, in one call of the system where all is there.

    Raises:
        EOFError: when the other end is closed.
    """
    while view:
        count = connection.recv_into(view, len(view), socket.MSG_WAITALL)
        if not count:
            raise EOFError
        view = view[count:]
