"""Stored encoder whose features one process writes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.encoders.frozen import CachedEncoder
from harness.store.locks import lock

if TYPE_CHECKING:
    from harness.cards import View, WholeVideo
    from harness.interfaces import Split
    from harness.store.features import Array
    from harness.values import Encoding


class LockedEncoder(CachedEncoder):
    """A cached encoder of a store, which takes the lock of features that it writes.

    `units.encode` takes the same lock, and no encoder of this class.
    """

    def _stored(self, key: str, split: Split, view: View | WholeVideo, encoding: Encoding) -> Array:
        if self._folder is None:
            return super()._stored(key, split, view, encoding)
        if (stored := self._read(key, split, view)) is not None:  # also from a store that cannot be written
            return stored
        with lock(self._folder.parent, f"features-{key}"):
            return super()._stored(key, split, view, encoding)
