"""Vectors that were computed elsewhere, as an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.backbones.start import VectorsFile
from harness.cards import Elsewhere
from harness.encoders.vectors_file import FILE, VectorsEncoder
from harness.errors import DataError
from harness.methods.cards import FEATURES
from harness.system.hashing import file_hash
from harness.values import Promise

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Encoder, Session, Split


@dataclass(frozen=True, kw_only=True)
class FileFeatures(VectorsFile):
    """Vectors of a file for the videos that it names.

    The file is one of `harness.encoders.vectors_file`. Nothing is fitted, and no frame is looked at. What was read to
    compute the vectors is stated, and cannot be checked.
    """

    card: ClassVar[MethodCard] = FEATURES

    def promise(self, backbone: Backbone) -> Promise:
        """A vector a video, whose length the file tells."""
        return Promise(views=(Elsewhere(),), shape=(None,))

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Read the file.

        Raises:
            DataError: when it is missing, another than when the suite was planned, or wrong.
        """
        path = Path(self.file)
        if self.sha256 and path.is_file() and file_hash(path) != self.sha256:
            msg = f"features {path}: the file is another than when the suite was planned; run the suite again"
            raise DataError(msg)
        return VectorsEncoder.read(path)

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """The encoder that was saved; the file is not read again."""
        return VectorsEncoder.read(folder / FILE)
