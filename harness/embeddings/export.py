"""Export features as a t-SNE scatter plot, a table and projector files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from harness.embeddings.projector import projector_files
from harness.embeddings.scatter import scatter_plot, thumbnails
from harness.embeddings.tsne import tsne
from harness.evaluators.labelled_features import LabelledFeatures
from harness.system import progress
from harness.system.text import csv_cell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WEB_ID = re.compile(r"-[\w-]+")


def embedding_files(points: LabelledFeatures, frames: Sequence[int], *, title: str, seed: int) -> dict[str, bytes]:
    """Build the files of an embedding, by name.

    The t-SNE as `tsne.png` and `tsne.csv`, and the files of TensorBoard's projector.

    Args:
        points: N videos, clips or frames, with finite vectors.
        frames: the number of the frame that shows each.
        title: what is mapped, in one line.
        seed: of the t-SNE.

    Raises:
        DataError: as in `tsne`, or when a video does not decode.

    Source: the t-SNE figure in Redondo-Cabrera and López-Sastre, "Unsupervised learning from videos using temporal
    coherency deep networks", CVIU 2019.
    """
    vectors = points.vectors.cpu().numpy()
    with progress.bar(f"t-SNE of {len(points)} points", total=1) as bar:
        places = tsne(vectors, seed=seed)
        bar.advance()
    shown = thumbnails(points.split, frames)
    videos = points.split.videos
    columns: dict[str, Sequence[object]] = {
        kind: [names[video.labels[kind]] for video in videos] for kind, names in points.split.classes.items()
    }
    columns |= {"group": points.groups, "video": [video.id for video in videos], "frame": frames}
    return {
        "tsne.png": scatter_plot(shown, places, points.labels.tolist(), points.classes, title),
        "tsne.csv": _table(points, frames, places),
        **projector_files(vectors, columns, shown, name=title),
    }


def subsample(
    points: LabelledFeatures, frames: Sequence[int], count: int, *, seed: int
) -> tuple[LabelledFeatures, list[int]]:
    """Draw at most `count` random samples and their frames, in their order."""
    if len(points) <= count:
        return points, list(frames)
    progress.say(f"{count} of {len(points)} points, drawn at random; --points says how many")
    chosen = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))[:count].sort().values
    return points.select(chosen), [frames[position] for position in chosen.tolist()]


def _table(points: LabelledFeatures, frames: Sequence[int], places: NDArray[np.float32]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("video", "frame", "class", "x", "y"))
    for video, frame, label, (x, y) in zip(
        points.split.videos, frames, points.labels.tolist(), places.tolist(), strict=True
    ):
        # Ids of the web begin with a dash, and are to be found again.
        video_id = video.id if _WEB_ID.fullmatch(video.id) else csv_cell(video.id)
        writer.writerow((video_id, frame, csv_cell(points.classes[label]), f"{x:.6g}", f"{y:.6g}"))
    return text.getvalue().encode()
