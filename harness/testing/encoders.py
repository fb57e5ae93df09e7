"""Checks of an encoder."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from harness.cards import BackboneCard, View
from harness.encoders import network
from harness.encoders.frozen import fingerprint
from harness.encoders.network import normalise
from harness.interfaces import Trainable, VideoBatch
from harness.testing.checking import TOLERANCE, distance, expect
from harness.testing.fits import BATCH, MethodSubject, check_fit


def check_vectors(subject: MethodSubject) -> None:
    """Vectors are (B, dim) float32, finite, and on the device of the clips."""
    subject.requires(check_fit)
    vectors, wanted = subject.vectors, (BATCH, subject.encoder.dim)
    got = (
        f"{tuple(vectors.shape)} {vectors.dtype} on {vectors.device}" if isinstance(vectors, Tensor) else repr(vectors)
    )
    expect(
        got == f"{wanted} torch.float32 on {subject.clips.device}",
        expected=f"{wanted} torch.float32 on {subject.clips.device} for {BATCH} clips",
        got=got,
        remedy="encode(batch) gives each clip one float32 vector of length `dim`",
    )
    broken = int((~torch.isfinite(vectors)).any(1).sum())
    expect(
        not broken,
        expected="finite vectors",
        got=f"NaN or infinite numbers in {broken} of {BATCH}",
        remedy="look for a division by zero, such as by the norm of a zero vector",
    )


def check_no_gradient(subject: MethodSubject) -> None:
    """Vectors carry no gradient."""
    subject.requires(check_vectors)
    expect(
        not subject.vectors.requires_grad,
        expected="vectors without gradient",
        got="vectors with requires_grad=True, which keep every activation in memory",
        remedy="decorate encode with @torch.inference_mode()",
    )


def check_repeatable(subject: MethodSubject) -> None:
    """The network is in evaluation mode: encoding the same clips again gives the same vectors."""
    subject.requires(check_vectors)
    encoder = subject.encoder
    if isinstance(encoder, Trainable):
        training = [name or "the network" for name, module in encoder.module.named_modules() if module.training]
        expect(
            not training,
            expected="a network in evaluation mode",
            got=f"training mode in {', '.join(training[:3])}",
            remedy="call module.eval() before fit returns the encoder",
        )
    difference = distance(encoder.encode(VideoBatch(subject.clips.clone())), subject.vectors)
    expect(
        difference <= TOLERANCE,
        expected="the same vectors for the same clips",
        got=f"a difference of {difference:.1%} when encoding them again",
        remedy="nothing may be random in encode: no dropout, no random crop",
    )


def check_unchanged(subject: MethodSubject) -> None:
    """Encoding changes neither the encoder nor the clips it is given."""
    subject.requires(check_repeatable)
    encoder, clips = subject.encoder, subject.clips.clone()
    before = fingerprint(encoder)
    encoder.encode(VideoBatch(clips))
    expect(
        torch.equal(clips, subject.clips),
        expected="encode to leave the batch's clips alone",
        got="other pixels in them afterwards",
        remedy="do not work in place",
    )
    encoder.encode(VideoBatch(255 - clips))
    difference = distance(encoder.encode(VideoBatch(clips)), subject.vectors)
    expect(
        fingerprint(encoder) == before and difference <= TOLERANCE,
        expected="encoding to leave the encoder as it is",
        got="other weights or buffers"
        if fingerprint(encoder) != before
        else f"vectors that differ by {difference:.1%}",
        remedy="keep running statistics and counters out of encode",
    )


def check_batch_invariance(subject: MethodSubject) -> None:
    """A clip's vector does not depend on its batch: encoded alone, among three or among seven, it is the same."""
    subject.requires(check_unchanged)
    for size in (1, 3):
        vectors = [subject.encoder.encode(VideoBatch(part.clone())) for part in torch.split(subject.clips, size)]
        difference = distance(torch.cat(vectors), subject.vectors)
        expect(
            difference <= TOLERANCE,
            expected=f"the same vectors in batches of {size} and of {BATCH}",
            got=f"a difference of {difference:.1%}",
            remedy="do not normalise over the batch; batch statistics belong into training only",
        )


def check_content(subject: MethodSubject) -> None:
    """Vectors depend on the clips: those of different videos differ."""
    subject.requires(check_vectors)
    expect(
        distance(subject.vectors[1:], subject.vectors[:1].expand_as(subject.vectors[1:])) > 1e-6,
        expected="different vectors for different videos",
        got=f"the same for all of {BATCH}",
        remedy="look whether encode uses the clips, and whether the fit collapsed",
    )


def check_layout(subject: MethodSubject) -> None:
    """What reaches the backbone's network is RGB, normalised, in the order (B, C, T, H, W).

    Plain clips show the mistakes that people make. An encoder that does not run the backbone's network, or feeds it
    something else than frames, is not held to this.
    """
    subject.requires(check_vectors)
    view, card = subject.encoder.view, subject.backbone.card
    for inputs in _inputs(subject, coloured(view)):
        expect_colour(inputs, card)
    for inputs in _inputs(subject, brightening(view)):
        expect_axis(inputs, 2, "time")
    for inputs in _inputs(subject, shaded(view)):
        expect_axis(inputs, 3, "height")


def _inputs(subject: MethodSubject, clips: Tensor) -> list[Tensor]:
    """What the network gets when the encoder encodes `clips`, as far as it has three channels."""
    watched = subject.fitted.backbone
    watched.kept = []
    try:
        subject.encoder.encode(VideoBatch(clips.to(subject.device)))
        return [inputs for inputs in watched.kept if inputs.ndim == 5 and inputs.shape[1] == 3]
    finally:
        watched.kept = None


def check_offers(subject: MethodSubject) -> None:
    """The encoder has what the card's `offers` promise."""
    subject.requires(check_vectors)
    offers, encoder = subject.tested.card.offers, subject.encoder
    view, dim = encoder.view, encoder.dim
    if "trainable" in offers:
        clips = torch.zeros(2, 3, view.frames, view.size, view.size, device=subject.device)
        got = _module_shape(encoder.module, clips) if isinstance(encoder, Trainable) else "no attribute `module`"
        expect(
            got == (2, dim),
            expected=f"an encoder that offers 'trainable' to have a module, clips (2, C, T, H, W) -> (2, {dim})",
            got=got,
            remedy="return a harness.NetworkEncoder, or take 'trainable' out of the card's offers",
        )
    if "feature_map" in offers:
        images = torch.zeros(2, 3, view.size, view.size, device=subject.device)
        # Not isinstance(encoder, Spatial): from Python 3.12 on that counts a property that raises as there.
        module = getattr(encoder, "feature_map", None)
        got = "no attribute `feature_map`" if module is None else _module_shape(module, images)
        expect(
            isinstance(got, tuple) and len(got) == 4 and got[0] == 2,
            expected="an encoder that offers 'feature_map' to have one, images (2, C, H, W) -> (2, c, h, w)",
            got=got,
            remedy="give the encoder a `feature_map` module, or take 'feature_map' out of the card's offers",
        )


def _module_shape(module: torch.nn.Module, inputs: Tensor) -> tuple[int, ...]:
    with torch.no_grad():
        return tuple(copy.deepcopy(module).eval()(inputs).shape)


def check_stored(subject: MethodSubject) -> None:
    """An encoder that is stored and loaded, by a method that was never fitted, gives equal vectors."""
    subject.requires(check_repeatable)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network.save(subject.encoder, folder, method=subject.tested)
        loaded = network.load(folder, method=subject.fresh, backbone=subject.backbone)
        vectors = loaded.encode(VideoBatch(subject.clips.clone()))
    expect(
        loaded.view == subject.encoder.view,
        expected=f"the loaded encoder to have the view {subject.encoder.view}",
        got=loaded.view,
        remedy="store it with the weights",
    )
    difference = distance(vectors, subject.vectors)
    expect(
        difference <= TOLERANCE,
        expected="the loaded encoder to give equal vectors",
        got=f"a difference of {difference:.1%}",
        remedy="store everything that encode uses: weights, buffers, codebooks, statistics",
    )


CHECKS = (
    check_vectors,
    check_no_gradient,
    check_repeatable,
    check_unchanged,
    check_batch_invariance,
    check_content,
    check_layout,
    check_offers,
    check_stored,
)


RGB = (200, 100, 50)
"""A colour whose channels cannot be confused."""

NEAR = 0.02
"""Network inputs this near, as a share of the largest, are taken for the same."""


def coloured(view: View) -> Tensor:
    """(1, C, T, H, W) uint8: `RGB` everywhere."""
    colour = torch.tensor(RGB, dtype=torch.uint8).view(1, 3, 1, 1, 1)
    return colour.expand(1, 3, view.frames, view.size, view.size).contiguous()


def brightening(view: View) -> Tensor:
    """(1, C, T, H, W) uint8 grey: every frame plain, each brighter than the one before."""
    return _ramp(view.frames, view).view(1, 1, -1, 1, 1).expand(1, 3, -1, view.size, view.size).contiguous()


def shaded(view: View) -> Tensor:
    """(1, C, T, H, W) uint8 grey: every row plain, each brighter than the one above."""
    return _ramp(view.size, view).view(1, 1, 1, -1, 1).expand(1, 3, view.frames, -1, view.size).contiguous()


def _ramp(steps: int, view: View) -> Tensor:
    return torch.linspace(0, 255, steps).round().to(torch.uint8)


def expect_colour(inputs: Tensor, card: BackboneCard) -> None:
    """End the check that calls this when `inputs`, made of `coloured`, shows a known mistake.

    Inputs that are neither right nor known to be wrong are the encoder's own affair (differences of frames, say).

    Args:
        inputs: (N, 3, T, H, W) float, what the network got.
        card: of its backbone.
    """
    channels = inputs.detach().cpu().float().transpose(0, 1).flatten(1)  # (C, N * T * H * W)
    middle = channels.median(1).values
    same = (channels - middle[:, None]).abs() <= NEAR * float(channels.abs().max().clamp(min=1e-6))
    expect(
        bool((same.float().mean(1) > 0.5).all()),
        expected="each channel of a one-coloured clip to reach the network as one value",
        got="a mixture of the channels",
        remedy="clips are (B, C, T, H, W): permute before you reshape",
    )
    raw = torch.tensor(RGB).view(1, 3, 1, 1, 1)
    right = normalise(raw, card).flatten()
    mistakes = {
        "its channels in the order B, G, R": (normalise(raw.flip(1), card).flatten(), right.flip(0)),
        "values from 0 to 255": (raw.flatten().float(),),
        "values from 0 to 1 without the mean and std of the backbone's card": (raw.flatten() / 255,),
    }
    for mistake, values in mistakes.items():
        expect(
            _near(middle, right) or not any(_near(middle, wrong) for wrong in values),
            expected="an RGB clip to reach the network as RGB, normalised with the mean and std of the backbone's card",
            got=mistake,
            remedy="use harness.encoders.network.normalise on the batch's clips",
        )


def _near(found: Tensor, wanted: Tensor) -> bool:
    return bool((found - wanted).abs().max() <= NEAR * wanted.abs().max())


def expect_axis(inputs: Tensor, axis: int, varies: str) -> None:
    """End the check that calls this when `inputs` vary more along another axis than along `axis`.

    Args:
        inputs: (N, 3, T, H, W) float, what the network got for a clip that varies along one axis only.
        axis: which.
        varies: its name.
    """
    names = {2: "time", 3: "height", 4: "width"}
    variation = {name: _variation(inputs.detach().cpu().float(), other) for other, name in names.items()}
    most = max(variation, key=lambda name: variation[name])
    expect(
        variation[most] <= variation[varies] * 1.01 + 1e-6,
        expected=f"a clip that varies along its {varies} only to reach the network varying along axis {axis}",
        got=f"more variation along axis {[*names.values()].index(most) + 2}, where the network sees {most}",
        remedy="clips are (B, C, T, H, W), the layout that backbones take: do not transpose",
    )


def _variation(inputs: Tensor, axis: int) -> float:
    """How far values lie from their mean along `axis`, on average."""
    return float((inputs - inputs.mean(axis, keepdim=True)).abs().mean())
