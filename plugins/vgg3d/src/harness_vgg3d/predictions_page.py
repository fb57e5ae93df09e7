"""Page of the five likeliest classes of some test videos."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from harness.evaluators.pictures import COLOUR, with_confusion
from harness.pictures.lettering import Lettering
from harness.pictures.sheet import Frame, sheet

if TYPE_CHECKING:
    from harness.evaluators.labelled_features import LabelledFeatures
    from harness.interfaces import Split
    from harness.values import Evaluation

VIDEOS = 8
"""Videos on a page; half of them right where there are as many."""
LIKELIEST = 5
"""Classes shown of each video."""
HEIGHT, BARS, SPACE = 104, 210, 5
"""Pixels: height of a row, length of a certain bar, room above and below bars."""
LONGEST = 24
"""Characters of a class's name; the rest is cut off."""
TRUE, OTHER, INK = (0, 114, 178), (190, 196, 204), (28, 37, 48)
"""Blue of Okabe and Ito's palette, and greys."""


def with_predictions(evaluation: Evaluation, test: LabelledFeatures, probabilities: Tensor, *, seed: int) -> Evaluation:
    """Add pictures `confusion` and `top-5`, and the note `classes`, to an evaluation.

    With the names of the classes boards sum the confusion of several folds.

    Args:
        evaluation: with predictions.
        test: the N videos.
        probabilities: (N, K).
        seed: of the choice of videos on the page.

    Raises:
        DataError: when a video does not decode.
    """
    evaluation = with_confusion(evaluation, test.classes)
    page = predictions_page(test.split, probabilities, test.labels, test.classes, seed=seed)
    return dataclasses.replace(
        evaluation,
        notes={**evaluation.notes, "classes": list(test.classes)},
        pictures={**evaluation.pictures, "top-5": page},
    )


def predictions_page(
    split: Split, probabilities: Tensor, labels: Tensor, classes: Sequence[str], *, seed: int
) -> bytes:
    """Draw the likeliest classes of some videos as a PNG.

    A row has the true class and its rank, a frame from the middle of the video, and bars with the probabilities of the
    five likeliest classes: the true one blue, a wrong one in the first place vermilion. Videos that are classified
    rightly come first; as far as there are enough, all are of different classes.

    Args:
        split: of N videos.
        probabilities: (N, K).
        labels: (N,) int64.
        classes: K names.
        seed: of the choice of videos.

    Raises:
        DataError: when a video does not decode.

    Source: figures 6 and 7 of Husain, Dellen and Torras 2016, whose videos are selected by hand.
    """
    probabilities, labels = probabilities.cpu(), labels.cpu()
    names = [" ".join(name.split())[:LONGEST] for name in classes]
    order = probabilities.argsort(dim=1, descending=True, stable=True)
    ranks = (order == labels[:, None]).int().argmax(1)
    chosen = choose_videos(ranks == 0, labels, seed=seed)
    frames = [split.read(video, [split.videos[video].frames // 2], short_side=HEIGHT)[0].numpy() for video in chosen]
    rows = []
    for video, frame in zip(chosen, _padded(frames), strict=True):
        true, first = int(labels[video]), order[video, :LIKELIEST]
        bars = _bars(names, first.tolist(), probabilities[video, first].tolist(), true)
        rows.append((f"{names[true]}\nrank {int(ranks[video]) + 1} of {len(names)}", [frame, bars]))
    return sheet(rows, HEIGHT)


def choose_videos(right: Tensor, labels: Tensor, *, seed: int) -> list[int]:
    """Choose positions of at most `VIDEOS` videos, right ones first, at random.

    Those of classes that no other has shown yet are preferred.

    Args:
        right: (N,) bool.
        labels: (N,) int64.
        seed: of the choice.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    hits, misses = order[right[order]].tolist(), order[~right[order]].tolist()
    chosen = _new_classes_first(hits, labels, [])[: max(VIDEOS // 2, VIDEOS - len(misses))]
    return chosen + _new_classes_first(misses, labels, chosen)[: VIDEOS - len(chosen)]


def _new_classes_first(videos: Sequence[int], labels: Tensor, shown: Sequence[int]) -> list[int]:
    """Sort videos by how often their class came before, also among those `shown`."""
    counts = Counter(int(labels[video]) for video in shown)
    times = []
    for video in videos:
        times.append(counts[int(labels[video])])
        counts[int(labels[video])] += 1
    return [video for _, video in sorted(zip(times, videos, strict=True), key=lambda pair: pair[0])]


def _padded(frames: Sequence[Frame]) -> list[Frame]:
    """Frames of one height and width, in the middle of white."""
    scaled = [Image.fromarray(frame) for frame in frames]
    scaled = [one.resize((round(one.width * HEIGHT / one.height), HEIGHT), Image.Resampling.LANCZOS) for one in scaled]
    width = max(one.width for one in scaled)
    padded = []
    for one in scaled:
        picture = Image.new("RGB", (width, HEIGHT), "white")
        picture.paste(one, ((width - one.width) // 2, 0))
        padded.append(np.asarray(picture))
    return padded


def _bars(names: Sequence[str], likeliest: Sequence[int], probabilities: Sequence[float], true: int) -> Frame:
    """Draw a bar for each of the likeliest classes, between its name and its share."""
    step = (HEIGHT - 2 * SPACE) / LIKELIEST
    lettering = Lettering(0.72 * step)
    left = round(max(lettering.width(name) for name in names)) + 12
    picture = Image.new("RGB", (left + BARS + round(lettering.width(" 100 %")) + 8, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    for place, (number, probability) in enumerate(zip(likeliest, probabilities, strict=True)):
        middle = SPACE + (place + 0.5) * step
        colour = TRUE if number == true else COLOUR if place == 0 else OTHER
        end = left + BARS * probability
        ink = TRUE if number == true else INK
        lettering.write(draw, (left - 6, middle), names[number], fill=ink, right=True)
        draw.rectangle((left, middle - 0.32 * step, max(end, left + 1), middle + 0.32 * step), fill=colour)
        lettering.write(draw, (end + 5, middle), f"{probability:.0%}".replace("%", " %"), fill=INK)
    return np.asarray(picture)
