"""What is clustered: videos, or clips of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.evaluators.labelled import Labelled, labelled
from harness.evaluators.part import Part
from harness.video.sample import clip_frames

if TYPE_CHECKING:
    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset


def points(
    encoder: FrozenEncoder, data: Dataset, name: str, label: str, clips: int | None
) -> tuple[Labelled, list[int]]:
    """The points of a split, and for each of them the number of a frame that shows it.

    Without `clips` a point is a video, its vector the mean over the encoder's own clips. Else each of so many clips,
    spread evenly over a video, is one (a frame, for an encoder of single frames), with its video's class and group;
    those of a video stand together.

    Raises:
        DataError: as in `labelled`.
    """
    if clips is None:
        videos = labelled(encoder, data, name, label)
        return videos, [video.frames // 2 for video in videos.split.videos]
    wide = encoder.with_clips(clips)
    videos = labelled(wide, data, name, label)
    vectors = wide.features(videos.split).views.view(len(videos), clips, wide.view.crops, -1).mean(2)
    positions = [position for position in range(len(videos)) for _ in range(clips)]
    frames = [
        int(number)
        for video in videos.split.videos
        for number in clip_frames(video.frames, wide.view)[:, wide.view.frames // 2]
    ]
    found = Labelled(
        vectors.flatten(0, 1), videos.labels.repeat_interleave(clips), videos.classes, Part(videos.split, positions)
    )
    return found, frames
