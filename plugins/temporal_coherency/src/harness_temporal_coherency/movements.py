"""Sensitivity of an encoder: movement of its vectors when a frame is changed.

`python -m harness_temporal_coherency.movements KEY` prints it for the encoder of a stored run, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from harness.cards import WholeVideo
from harness.errors import HarnessError, UsageError
from harness.system import progress
from harness.values import VideoBatch
from harness_temporal_coherency.losses import euclidean
from harness_temporal_coherency.sampling import lengths, quadruplets, read_roles

if TYPE_CHECKING:
    from harness.interfaces import FrozenEncoder, Split

WINDOW, GAP = 1, 20
TINT = 0.08


def movements(encoder: FrozenEncoder, split: Split, *, count: int = 200, seed: int = 0) -> dict[str, float]:
    """Measure mean distances between unit vectors of a frame and of a changed one.

    They are shares of the distance to another video's frame. The changes: the next frame of its video in its place; the
    frame 20 later; no colours; red and blue scaled by 8 % in opposite directions; moved aside by 5 of 64 pixels;
    mirrored. `nearest_of_group` is the share of videos whose nearest other video is of their group; a video without one
    is a group of its own, and where none has one the share is left out.

    Args:
        encoder: of single frames, or of clips that may have one frame.
        split: labelled, of at least two videos.
        count: frames.
        seed: of their choice.

    Raises:
        DataError: when a video does not decode.
        UsageError: when the encoder is shown whole videos.
    """
    view = encoder.promise.view
    if isinstance(view, WholeVideo):
        msg = "expected an encoder of clips, got one that is shown whole videos"
        raise UsageError(msg)
    generator = torch.Generator().manual_seed(seed)
    examples = quadruplets(lengths(split), count, WINDOW, GAP, generator)
    roles = read_roles(split, view, examples, 0.0, generator).to(encoder.device)
    frames, following, later, others = roles.chunk(4)
    tinted = frames.float()
    direction = torch.randint(2, (count, 1, 1, 1), generator=generator).to(tinted) * 2 - 1
    tinted[:, 0] *= 1 + TINT * direction
    tinted[:, 2] *= 1 - TINT * direction
    changed = {
        "next_frame": following,
        "later_frame": later,
        "grey": frames.float().mean(1, keepdim=True).expand_as(frames).round().to(torch.uint8),
        "tinted": tinted.round().clamp(max=255).to(torch.uint8),
        "moved": frames.roll(round(5 * view.size / 64), -1),
        "mirrored": frames.flip(-1),
    }
    here = _unit(encoder, frames)
    apart = euclidean(here, _unit(encoder, others)).mean()
    shares = {name: float(euclidean(here, _unit(encoder, clips)).mean() / apart) for name, clips in changed.items()}
    if any(video.group for video in split.videos):
        shares["nearest_of_group"] = _nearest_of_group(encoder, split)
    return shares


def _unit(encoder: FrozenEncoder, clips: Tensor) -> Tensor:
    return normalize(encoder.encode(VideoBatch(clips)), dim=1)


def _nearest_of_group(encoder: FrozenEncoder, split: Split) -> float:
    vectors = normalize(encoder.features(split).vectors, dim=1)
    nearest: list[int] = (vectors @ vectors.mT).fill_diagonal_(-2).argmax(1).tolist()
    groups = [video.group or f"\0{video.id}" for video in split.videos]
    return sum(groups[other] == group for group, other in zip(groups, nearest, strict=True)) / len(groups)


def main(arguments: list[str]) -> None:
    """Print the movements of the encoder of a run, given the start of its key."""
    from harness.execution import restore
    from harness.plugins.manager import Plugins
    from harness.store.runs import Store
    from harness.system import paths

    if len(arguments) != 1:
        msg = f"give the key of a run, or its first digits, got {len(arguments)} arguments"
        raise UsageError(msg)
    plugins, store = Plugins(), Store(paths.store())
    run = store.find(arguments[0])
    shares = movements(restore.frozen(plugins, store, run), restore.dataset(plugins, run).split("test"))
    sys.stdout.write(json.dumps({"method": run.identity.method.label, **shares}) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except HarnessError as problem:
        progress.say(f"movements: {problem}")
        sys.exit(problem.exit_code)
