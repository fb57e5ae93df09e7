"""A model of MTEB as a row: it learnt elsewhere, and is measured as it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch

from harness.backbones.start import Start
from harness.bridges.models import registry
from harness.bridges.models.encoder import RECORD, MtebEncoder
from harness.cards import WholeVideo
from harness.errors import DataError
from harness.methods.cards import MTEB
from harness.values import Promise

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Session, Split


@dataclass(frozen=True, kw_only=True)
class MtebMethod:
    """Model that MTEB has registered, with its weights and its own choice of frames.

    No frame of the training split is looked at, and all seeds are one fit. A model that another package registers there
    is a subclass in that package, so that its code is in the key.
    """

    card: ClassVar[MethodCard] = MTEB

    model: str
    """Name in MTEB, such as `facebook/vjepa2-vitl-fpc64-256`."""
    revision: str
    """Revision that MTEB has of it: of weights a commit, never a branch."""
    learnt_from: str
    """Names of the data sets that it learnt from, joined by `+`."""
    labels: bool
    """True if it learnt from labels or texts."""

    @property
    def origin(self) -> Start:
        """Model and revision, in place of a file of weights."""
        weights = f"{self.model}@{self.revision}"
        return Start(weights=weights, learnt_from=self.learnt_from, labels=self.labels)

    def promise(self, backbone: Backbone) -> Promise:
        """A vector of whole videos, as long as MTEB says; None where it leaves that open.

        Raises:
            UsageError, PluginError: as `registry.registered`.
        """
        length = registry.registered(self.model, self.revision, self._package).embed_dim
        return Promise(views=(WholeVideo(),), shape=(length if isinstance(length, int) else None,))

    def fit(self, backbone: Backbone, train: Split, session: Session) -> MtebEncoder:
        """Load the model, whose weights MTEB may download.

        Raises:
            UsageError, PluginError, DataError: as `registry.load`.
        """
        return self._encoder(session.device)

    def load(self, backbone: Backbone, folder: Path) -> MtebEncoder:
        """Load the model again.

        Raises:
            UsageError, PluginError: as `registry.load`.
            DataError: when the record cannot be read, or the model does not load.
        """
        try:
            device = json.loads((folder / RECORD).read_text(encoding="utf-8"))["device"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{folder}: the stored encoder cannot be read ({error}); delete the folder and run again"
            raise DataError(msg) from error
        return self._encoder(device if torch.cuda.is_available() else "cpu")

    def _encoder(self, device: str) -> MtebEncoder:
        model = registry.load(self.model, self.revision, self._package, device)
        about = {
            "model": self.model,
            "revision": self.revision,
            "mteb": version("mteb"),
            "device": torch.device(device).type,
        }
        return MtebEncoder(model, about, device)

    @property
    def _package(self) -> str:
        return type(self).__module__.partition(".")[0]
