"""Conformance checks of the encoders that methods return."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from harness.cards import View, WholeVideo
from harness.encoders.frozen import fingerprint
from harness.encoders.layers import output_of
from harness.encoders.network import prepared
from harness.interfaces import Trainable
from harness.testing.checking import TOLERANCE, distance, expect
from harness.testing.fits import MethodSubject, check_fit
from harness.values import Inputs, VideoBatch
from harness.video.transforms import normalise


def check_vectors(subject: MethodSubject) -> None:
    """Vectors are finite (B, dim) float32 on the device of the clips."""
    subject.requires(check_fit)
    vectors, count = subject.vectors, len(subject.clips)
    wanted = (count, *subject.encoder.promise.shape)
    got = (
        f"{tuple(vectors.shape)} {vectors.dtype} on {vectors.device}" if isinstance(vectors, Tensor) else repr(vectors)
    )
    expect(
        got == f"{wanted} torch.float32 on {subject.clips.device}",
        expected=f"{wanted} torch.float32 on {subject.clips.device} for {count} clips",
        got=got,
        remedy="encode(batch) gives each clip one float32 vector of the promised shape",
    )
    broken = int((~torch.isfinite(vectors)).flatten(1).any(1).sum())
    expect(
        not broken,
        expected="finite vectors",
        got=f"NaN or infinite numbers in {broken} of {count}",
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
    """Encoding the same clips again gives the same vectors.

    The network of an encoder that offers one is in evaluation mode.
    """
    subject.requires(check_vectors, check_offers)
    encoder = subject.encoder
    if "trainable" in encoder.promise.offers:
        module = cast("Trainable", encoder).module
        training = [name or "the network" for name, part in module.named_modules() if part.training]
        expect(
            not training,
            expected="a network in evaluation mode",
            got=f"training mode in {', '.join(training[:3])}",
            remedy="call module.eval() before fit returns the encoder",
        )
    difference = distance(encoder.encode(subject.batch()), subject.vectors)
    expect(
        difference <= TOLERANCE,
        expected="the same vectors for the same clips",
        got=f"a difference of {difference:.1%} when encoding them again",
        remedy="nothing may be random in encode: no dropout, no random crop",
    )


def check_unchanged(subject: MethodSubject) -> None:
    """Encoding changes neither the encoder nor the clips."""
    subject.requires(check_repeatable)
    encoder, batch = subject.encoder, subject.batch()
    before, flow = fingerprint(encoder), subject.shown.flow
    encoder.encode(batch)
    expect(
        torch.equal(batch.clips, subject.clips)
        and (batch.flow is None or flow is None or torch.equal(batch.flow, flow)),
        expected="encode to leave the batch's clips alone",
        got="other pixels in them afterwards",
        remedy="do not work in place",
    )
    encoder.encode(VideoBatch(255 - batch.clips, None if batch.flow is None else -batch.flow))
    difference = distance(encoder.encode(batch), subject.vectors)
    expect(
        fingerprint(encoder) == before and difference <= TOLERANCE,
        expected="encoding to leave the encoder as it is",
        got="other weights or buffers"
        if fingerprint(encoder) != before
        else f"vectors that differ by {difference:.1%}",
        remedy="keep running statistics and counters out of encode",
    )


def check_batch_invariance(subject: MethodSubject) -> None:
    """The vector of a clip does not depend on the other clips of its batch.

    It is the same in batches of 1, of 3 and of 7.
    """
    subject.requires(check_unchanged)
    count = len(subject.clips)
    for size in (1, 3):
        parts = [subject.batch(slice(start, start + size)) for start in range(0, count, size)]
        vectors = [subject.encoder.encode(part) for part in parts]
        difference = distance(torch.cat(vectors), subject.vectors)
        expect(
            difference <= TOLERANCE,
            expected=f"the same vectors in batches of {size} and of {count}",
            got=f"a difference of {difference:.1%}",
            remedy="do not normalise over the batch; batch statistics belong into training only",
        )


def check_content(subject: MethodSubject) -> None:
    """Vectors of different videos differ."""
    subject.requires(check_vectors)
    expect(
        len(subject.clips) == 1
        or distance(subject.vectors[1:], subject.vectors[:1].expand_as(subject.vectors[1:])) > 1e-6,
        expected="different vectors for different videos",
        got=f"the same for all of {len(subject.clips)}",
        remedy="look whether encode uses the clips, and whether the fit collapsed",
    )


def check_layout(subject: MethodSubject) -> None:
    """The backbone's network gets normalised RGB clips, (B, C, T, H, W).

    Tried with clips of one colour and with brightness ramps along one axis. An encoder that does not run the
    backbone's network, or feeds it something else than frames, is not held to this.
    """
    subject.requires(check_vectors)
    view = subject.encoder.promise.view
    if isinstance(view, WholeVideo):
        return
    of_backbone = subject.backbone.inputs
    streams = [of_backbone] if isinstance(of_backbone, Inputs) else [*of_backbone.values()]
    pictures = [stream for stream in streams if stream.kind == "rgb"]
    if len({(stream.mean, stream.std, stream.scale, stream.order) for stream in pictures}) == 1:
        for inputs in _inputs(subject, coloured(view)):
            expect_colour(inputs, pictures[0])
    for inputs in _inputs(subject, brightening(view)):
        expect_axis(inputs, 2, "time")
    for inputs in _inputs(subject, shaded(view)):
        expect_axis(inputs, 3, "height")


def _inputs(subject: MethodSubject, clips: Tensor) -> list[Tensor]:
    """Encode `clips` and return the network's inputs that have three channels."""
    watched = subject.fitted.backbone
    watched.kept = []
    try:
        still = torch.zeros(1, 2, *clips.shape[2:], device=subject.device)
        subject.encoder.encode(VideoBatch(clips.to(subject.device), None if subject.shown.flow is None else still))
        return [inputs for inputs in watched.kept if inputs.ndim == 5 and inputs.shape[1] == 3]
    finally:
        watched.kept = None


def check_offers(subject: MethodSubject) -> None:
    """The encoder has the network and the layers that its promise offers."""
    subject.requires(check_vectors)
    encoder, promise = subject.encoder, subject.encoder.promise
    expect(
        "pretext" not in promise.offers or isinstance(getattr(encoder, "pretext", None), nn.Module),
        expected="an encoder that offers 'pretext' to keep the network of its task under this name",
        got=type(encoder).__name__,
        remedy="store the network with the encoder, or take 'pretext' out of the promise",
    )
    if "trainable" not in promise.offers:
        return
    expect(
        hasattr(encoder, "module") and hasattr(encoder, "inputs"),
        expected="an encoder that offers 'trainable' to have a module and its inputs",
        got=type(encoder).__name__,
        remedy="return a harness.NetworkEncoder, or take 'trainable' out of the promise",
    )
    network = cast("Trainable", encoder)
    two = subject.batch(slice(2))
    count, clips = len(two), prepared(two, network.inputs)
    with torch.no_grad():
        got = tuple(copy.deepcopy(network.module).eval()(clips).shape)
        expect(
            got == (count, *promise.shape),
            expected=f"the module to give {(count, *promise.shape)} for {count} clips",
            got=got,
            remedy="promise the shape that the module gives",
        )
        for layer in promise.layers:
            output_of(copy.deepcopy(network.module).eval(), layer, clips)
        if promise.spatial:
            maps = output_of(copy.deepcopy(network.module).eval(), promise.spatial, clips)
            expect(
                maps.ndim in (4, 5),
                expected=f"the spatial layer {promise.spatial!r} to give maps",
                got=tuple(maps.shape),
                remedy="name a layer whose output is (B, c, h, w) or (B, c, t, h, w)",
            )
        if promise.token_layer:
            tokens = output_of(copy.deepcopy(network.module).eval(), promise.token_layer, clips)
            expect(
                tokens.ndim > 2 or len(tokens) > count,
                expected=f"layer {promise.token_layer!r} to give several tokens for each of {count} clips",
                got=tuple(tokens.shape),
                remedy="name a layer whose output is (B, N, c), (B, c, h, w) or (B, c, t, h, w)",
            )


def check_stored(subject: MethodSubject) -> None:
    """A stored encoder, loaded again, gives equal vectors.

    The method that loads it was never fitted.
    """
    subject.requires(check_repeatable)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subject.encoder.save(folder)
        loaded = subject.fresh.load(subject.given, folder)
        vectors = loaded.encode(subject.batch())
    expect(
        loaded.promise == subject.encoder.promise,
        expected=f"the loaded encoder to be what was stored: {subject.encoder.promise}",
        got=loaded.promise,
        remedy="store everything that the promise depends on",
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
"""Colour of three different channel values, so that no two can be confused."""

NEAR = 0.02
"""Largest difference of equal network inputs, as a share of the largest value."""


def coloured(view: View) -> Tensor:
    """Clip (1, C, T, H, W) uint8 of the one colour `RGB`."""
    colour = torch.tensor(RGB, dtype=torch.uint8).view(1, 3, 1, 1, 1)
    return colour.expand(1, 3, view.frames, view.size, view.size).contiguous()


def brightening(view: View) -> Tensor:
    """Grey clip (1, C, T, H, W) uint8 of plain frames, each brighter than the last."""
    return _ramp(view.frames, view).view(1, 1, -1, 1, 1).expand(1, 3, -1, view.size, view.size).contiguous()


def shaded(view: View) -> Tensor:
    """Grey clip (1, C, T, H, W) uint8 of plain rows, each brighter than the one above."""
    return _ramp(view.size, view).view(1, 1, 1, -1, 1).expand(1, 3, view.frames, -1, view.size).contiguous()


def _ramp(steps: int, view: View) -> Tensor:
    return torch.linspace(0, 255, steps).round().to(torch.uint8)


def expect_colour(inputs: Tensor, wanted: Inputs) -> None:
    """Fail the calling check when inputs made of `coloured` show a known mistake.

    Mistakes are mixed channels, the order B, G, R, and values that are not normalised. Inputs that are neither right
    nor known to be wrong pass: the encoder may feed its network differences of frames, say.

    Args:
        inputs: (N, 3, T, H, W) float, as the network got them.
        wanted: inputs of its backbone.

    Raises:
        UnmetError: when there is a mistake.
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
    right = normalise(raw, wanted).flatten()
    mistakes = {
        "its channels in the order B, G, R": (normalise(raw.flip(1), wanted).flatten(), right.flip(0)),
        "values from 0 to 255": (raw.flatten().float(),),
        "values from 0 to 1 without the mean and std of the backbone's inputs": (raw.flatten() / 255,),
    }
    for mistake, values in mistakes.items():
        expect(
            _near(middle, right) or not any(_near(middle, wrong) for wrong in values),
            expected="an RGB clip to reach the network as RGB, normalised with mean and std of the backbone's inputs",
            got=mistake,
            remedy="use harness.video.transforms.normalise on the batch's clips",
        )


def _near(values: Tensor, wanted: Tensor) -> bool:
    return bool((values - wanted).abs().max() <= NEAR * wanted.abs().max())


def expect_axis(inputs: Tensor, axis: int, varies: str) -> None:
    """Fail the calling check when inputs vary most along another axis than `axis`.

    Args:
        inputs: (N, 3, T, H, W) float, as the network got them for a clip that varies along one axis only.
        axis: the axis along which they have to vary most.
        varies: name of that axis: "time", "height" or "width".

    Raises:
        UnmetError: when they vary more along another axis.
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
    """Mean absolute deviation of the values from their mean along `axis`."""
    return float((inputs - inputs.mean(axis, keepdim=True)).abs().mean())
