"""5-Contexts: what a person wearing a camera sees in five places."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.datasets import cards, locations
from harness.datasets.folders import media, visible
from harness.datasets.listed_files import Bad, ListedFile, read_split
from harness.errors import DataError, unknown

if TYPE_CHECKING:
    from harness.cards import DatasetCard
    from harness.datasets.splits import VideoSplit


class FiveContexts:
    """Five contexts of a person's day, filmed by four wearable cameras: short videos to train on, long ones to test.

    Source: Furnari, Farinella and Battiato, "Recognizing personal contexts from egocentric images", 2015: car, coffee
    vending machine, office, TV and home office; 20 videos of 10 s to train on, 8 to 10 minutes each to test on.

    Expected: `<folder>/train/<context>/<camera>.*` and `<folder>/test/<context>/<camera>.*`. This layout is the
    harness's own: rename the files of the publication to it. Any contexts and cameras will do; those of train are the
    classes, in the order of their names.

    The context is the label `action`, the camera the label `camera`. Videos have no group, so that each counts for
    itself: person, places and cameras are the same in train and test, by the protocol of the paper.

    Args:
        bad: what becomes of videos that cannot be used.
    """

    card: ClassVar[DatasetCard] = cards.FIVE_CONTEXTS

    def __init__(self, bad: Bad = "error") -> None:
        self.bad: Bad = bad

    def split(self, name: str) -> VideoSplit:
        """The labelled split `name`, `train` or `test`; the first call decodes every video once.

        Raises:
            UsageError: when there is no such split, or nothing says where the data set lies.
            DataError: when folders or videos are missing or wrong.
        """
        if name not in self.card.splits:
            raise unknown("split", name, self.card.splits)
        folder = locations.located(self.card.name)
        files = {
            side: [
                (context.name, path)
                for context in visible(folder / side)
                if context.is_dir()
                for path in media(visible(context))
            ]
            for side in self.card.splits
        }
        contexts = tuple(sorted({context for context, _ in files["train"]}))
        cameras = tuple(sorted({path.stem for _, path in files["train"]}))
        for context, path in files["test"]:
            if context not in contexts or path.stem not in cameras:
                msg = f"{path}: no video of train/ has this context, or this camera; rename it, or take it away"
                raise DataError(msg)
        found = [
            ListedFile(
                path=path.relative_to(folder).as_posix(),
                labels={"action": contexts.index(context), "camera": cameras.index(path.stem)},
            )
            for context, path in files[name]
        ]
        classes = {"action": contexts, "camera": cameras}
        return read_split(name, folder, found, classes, dataset=self.card.name, bad=self.bad)
