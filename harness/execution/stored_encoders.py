"""Stored encoders of fits, and a check that they can be loaded."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from harness.cards import WholeVideo
from harness.encoders.network import NetworkEncoder
from harness.errors import PluginError, StoreError, out_of_memory
from harness.store import fits
from harness.store.fits import FIT as FIT
from harness.values import VideoBatch

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Encoder, Method
    from harness.values import ComputePrecision, Promise

TOLERANCE = 1e-3
"""Largest relative difference between two encodings of one clip.

The order of sums, which GPUs do not fix, changes some 1e-6.
"""


def load_encoder(folder: Path, method: Method, backbone: Backbone, *, precision: ComputePrecision = "fp32") -> Encoder:
    """The encoder in the folder of a fit; a damaged one is set aside.

    Args:
        folder: of the fit.
        method: of the fit.
        backbone: of the fit.
        precision: in which a backbone's network encodes; an encoder of another kind computes in its own.

    Raises:
        FileNotFoundError: when no complete one is there.
        StoreError: when the files are not as they were saved, or cannot be read.
    """
    if problem := fits.damage(folder):
        msg = f"{fits.put_aside(folder, problem)}; run its suite again to fit it again"
        raise StoreError(msg)
    encoder = method.load(backbone, folder)
    if isinstance(encoder, NetworkEncoder):
        encoder.precision = precision
    return encoder


def expect_promise(promise: Promise, encoder: Encoder, name: str) -> None:
    """Expect an encoder of method `name` to be what the method promised.

    Raises:
        PluginError: when it is not.
    """
    if not promise.kept_by(encoder.promise):
        msg = f"method {name!r} promised {promise} and gave {encoder.promise}"
        raise PluginError(msg)


def expect_loadable(promise: Promise, folder: Path, method: Method, backbone: Backbone, *, device: str) -> None:
    """Check that a saved encoder can be loaded and is repeatable.

    Args:
        promise: of the encoder.
        folder: where the encoder was saved.
        method: never fitted.
        backbone: built anew.
        device: where clips are encoded.

    Raises:
        PluginError: when the encoder cannot be loaded, is not as promised, or encodes one clip in two ways.
    """
    name = method.card.name
    try:
        encoder = method.load(backbone, folder)
    except Exception as error:
        if out_of_memory(error):
            raise
        problem = textwrap.shorten(f"{type(error).__name__}: {error}", 200)
        msg = f"method {name!r} cannot load the encoder that it saved ({problem}); `load` has to read what `save` wrote"
        raise PluginError(msg) from error
    expect_promise(promise, encoder, name)
    _expect_repeatable(encoder, name, device)


def _expect_repeatable(encoder: Encoder, name: str, device: str) -> None:
    """Expect equal vectors of a noisy clip; encoders of whole videos are left alone."""
    view = encoder.promise.view
    if isinstance(view, WholeVideo):
        return
    random = torch.Generator().manual_seed(0)
    size = (view.frames, view.size, view.size)
    clip = torch.randint(256, (1, 3, *size), generator=random, dtype=torch.uint8).to(device)
    batch = VideoBatch(clip, torch.randn(1, 2, *size, generator=random).to(device))
    one, other = encoder.encode(batch), encoder.encode(batch)
    if not torch.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE * float(one.abs().max()), equal_nan=True):
        msg = (
            f"method {name!r} loads an encoder that gives two vectors for one clip, "
            f"{float((one - other).abs().max()):.2g} apart; `load` has to return a network in evaluation mode"
        )
        raise PluginError(msg)
