"""Networks with the classifier that they learnt, and encoders that keep it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors
import safetensors.torch
from torch import Tensor, nn

from harness.encoders.network import WEIGHTS, NetworkEncoder
from harness.errors import DataError, out_of_memory
from harness.system import files

if TYPE_CHECKING:
    from harness.values import Inputs, Promise

CLASSIFIER = "classifier.safetensors"
CLASSES = "classes.json"


class ClassifiedNetwork(nn.Module):
    """A network and a linear classifier of its vectors.

    Args:
        network: normalised float clips (B, 3, T, H, W) -> (B, dim).
        classifier: (B, dim) -> (B, classes).
        classes: names of the classes, in the order of the outputs.
    """

    def __init__(self, network: nn.Module, classifier: nn.Linear, classes: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.classifier = classifier
        self.classes = classes

    def forward(self, clips: Tensor) -> Tensor:
        """Logits of clips: (B, 3, T, H, W) -> (B, classes)."""
        logits: Tensor = self.classifier(self.network(clips))
        return logits


class ClassifiedEncoder(NetworkEncoder):
    """The vectors before a classifier as an encoder, which keeps the classifier.

    Args:
        pretext: network and classifier.
        inputs: how pixels become the network's input.
    """

    def __init__(self, pretext: ClassifiedNetwork, inputs: Inputs) -> None:
        super().__init__(pretext.network, inputs)
        self.pretext = pretext.eval().requires_grad_(False)

    @cached_property
    def promise(self) -> Promise:
        """Properties of the encoder."""
        return keeping_classifier(super().promise)

    def save(self, folder: Path) -> None:
        """Write the network as any other, and the classifier beside it."""
        super().save(folder)
        state = {name: tensor.cpu() for name, tensor in self.pretext.classifier.state_dict().items()}
        with files.replacing(folder / CLASSIFIER) as temporary:
            safetensors.torch.save_file(state, temporary)
        files.write_json(folder / CLASSES, list(self.pretext.classes))


def keeping_classifier(promise: Promise) -> Promise:
    """Add to a promise that the network is kept as it was trained."""
    return replace(promise, offers=promise.offers | {"pretext"})


def load_classified(network: nn.Module, inputs: Inputs, folder: Path) -> ClassifiedEncoder:
    """Load what an encoder saved into a network that was built anew.

    Raises:
        DataError: when something is missing, damaged or of another network.
    """
    try:
        network.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
        state = safetensors.torch.load_file(folder / CLASSIFIER)
        classes = tuple(map(str, json.loads((folder / CLASSES).read_text(encoding="utf-8"))))
        classifier = nn.Linear(state["weight"].shape[1], len(classes))
        classifier.load_state_dict(state)
    except (OSError, RuntimeError, ValueError, KeyError, IndexError, TypeError, safetensors.SafetensorError) as error:
        if out_of_memory(error):
            raise
        problem = " ".join(str(error).split())
        msg = f"{folder}: the stored encoder cannot be read ({problem}); delete the folder and run again"
        raise DataError(msg) from error
    return ClassifiedEncoder(ClassifiedNetwork(network, classifier, classes), inputs)
