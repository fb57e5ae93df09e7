"""5-Contexts: a day of a person wearing a camera, in five places."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.datasets import cards
from harness.datasets.folders import media, visible
from harness.datasets.listed_files import ListedFile
from harness.datasets.located import ListedDataset
from harness.errors import DataError
from harness.system.presence import is_folder

if TYPE_CHECKING:
    from harness.cards import DatasetCard


class FiveContexts(ListedDataset):
    """Five contexts of a person's day, filmed by four wearable cameras.

    Short videos to train on, long ones to test.

    Source: Furnari, Farinella and Battiato, "Recognizing personal contexts from egocentric images", 2015: car, coffee
    vending machine, office, TV and home office; 20 videos of 10 s to train on, 8 to 10 minutes each to test on.

    Expected: `<folder>/train/<context>/<camera>.*` and `<folder>/test/<context>/<camera>.*`. This layout is the
    harness's own: rename the files of the publication to it. Any contexts and cameras will do; those of train are the
    classes, in the order of their names.

    The context is the label `action`, the camera the label `camera`. Videos have no group, so that each counts for
    itself: person, places and cameras are the same in train and test, by the protocol of the paper.
    """

    card: ClassVar[DatasetCard] = cards.FIVE_CONTEXTS

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Walk the folders of the contexts."""
        files = {
            side: [
                (context.name, path)
                for context in visible(self.folder / side)
                if is_folder(context)
                for path in media(visible(context))
            ]
            for side in self.card.splits
        }
        contexts = tuple(sorted({context for context, _ in files["train"]}))
        cameras = tuple(sorted({path.stem for _, path in files["train"]}))
        for context, path in files["test"]:
            if context not in contexts or path.stem not in cameras:
                known = f"contexts {', '.join(contexts)} and cameras {', '.join(cameras)}"
                msg = f"{path}: train/ has the {known}, not {context} with {path.stem}; rename it, or take it away"
                raise DataError(msg)
        listed = [
            ListedFile(
                path=path.relative_to(self.folder).as_posix(),
                labels={"action": contexts.index(context), "camera": cameras.index(path.stem)},
            )
            for context, path in files[name]
        ]
        return listed, {"action": contexts, "camera": cameras}
