"""Import the libraries of networks, which are installed as extras."""

from __future__ import annotations

import difflib
import importlib
import warnings
from collections.abc import Iterable, Mapping
from importlib import util
from typing import Any

from harness.backbones import _torchvision
from harness.backbones.cards import LibraryCard
from harness.errors import UsageError, unknown


def import_library(card: LibraryCard, module: str) -> Any:
    """Import a module of a library.

    Raises:
        UsageError: when the library is not installed, with the command that installs it.
    """
    if util.find_spec(card.name) is None:
        msg = f"backbones of {card.name} need a library that is not installed: {card.install}"
        raise UsageError(msg)
    _torchvision.models()  # all of them import torchvision
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some of them compile functions in an old way
        return importlib.import_module(module)


def unknown_model(card: LibraryCard, model: str, known: Iterable[str]) -> UsageError:
    """Build the error for a model that a library has not, with the nearest ones.

    >>> from harness.backbones.cards import TIMM
    >>> print(unknown_model(TIMM, "resnet8", ["resnet18", "vit_tiny"]))
    unknown model of timm: 'resnet8'; did you mean 'resnet18'?
    >>> print(unknown_model(TIMM, "zzz", ["resnet18", "vit_tiny"]))
    unknown model of timm: 'zzz'; `harness list backbones timm` lists them
    """
    nearest = difflib.get_close_matches(model, list(known), n=2)
    if nearest:
        return unknown(f"model of {card.name}:", model, nearest)
    return UsageError(f"unknown model of {card.name}: {model!r}; `harness list backbones {card.name}` lists them")


def refuse_options(card: LibraryCard, options: Mapping[str, Any], refused: Iterable[str]) -> None:
    """Refuse options of a library that are not for the user to choose.

    Raises:
        UsageError: when there is one.

    >>> from harness.backbones.cards import TIMM
    >>> refuse_options(TIMM, {"pretrained": True}, ["pretrained"])
    Traceback (most recent call last):
    harness.errors.UsageError: option pretrained of timm is the harness's: a backbone gives vectors of random weights
    """
    for option in refused:
        if option in options:
            msg = f"option {option} of {card.name} is the harness's: a backbone gives vectors of random weights"
            raise UsageError(msg)
