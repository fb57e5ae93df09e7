"""Stored encoder whose features one process writes at a time."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from harness.encoders.frozen import CachedEncoder
from harness.execution.origins import write_origin
from harness.store.locks import lock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.cards import View, WholeVideo
    from harness.interfaces import Encoder, Split
    from harness.store.features import Array
    from harness.values import Encoding


class LockedEncoder(CachedEncoder):
    """A cached encoder of a store, which takes the lock of features that it writes.

    `units.encode` takes the same lock, and no encoder of this class.

    Args:
        encoder: what a method gave.
        key: names the encoder in the store.
        code: hash of the code that encodes and of the data set's.
        device: where it encodes.
        folder: of the store's features.
        provenance: of this process, from which features that are written get their origin.
        writes: False keeps what is not stored yet in memory.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        key: str,
        code: str,
        device: str,
        folder: Path,
        provenance: Mapping[str, Any],
        writes: bool,
    ) -> None:
        super().__init__(encoder, key=key, code=code, device=device, folder=folder)
        self._features = folder
        self._provenance = provenance
        self._writes = writes

    def _stored(self, key: str, split: Split, view: View | WholeVideo, encoding: Encoding) -> Array:
        if (stored := self._read(key, split, view)) is not None:  # also from a store that cannot be written
            return stored
        if not self._writes:
            in_memory = copy.copy(self)
            in_memory._folder = None
            return CachedEncoder._stored(in_memory, key, split, view, encoding)
        with lock(self._features.parent, f"features-{key}"):
            features = super()._stored(key, split, view, encoding)
            write_origin(self._features / f"{key}.json", self._provenance)
            return features
