"""UCF101 as it is published: class folders beside `ucfTrainTestlist/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.datasets import cards
from harness.datasets.action_folds import FoldedDataset
from harness.datasets.ucf_layout import LISTS, class_index, list_files

if TYPE_CHECKING:
    from harness.cards import DatasetCard
    from harness.datasets.listed_files import ListedFile


class UCF101(FoldedDataset):
    """13,320 videos of 101 actions from YouTube, in 25 groups an action.

    Three official splits keep the groups apart.

    Source: Soomro, Zamir and Shah, "UCF101: a dataset of 101 human actions classes from videos in the wild", 2012.

    Expected: `<folder>/<class>/v_<class>_gXX_cYY.avi` (in the folder itself or in `UCF-101`, `UCF101` or `videos` below
    it) and the lists of `<folder>/ucfTrainTestlist/`.
    """

    card: ClassVar[DatasetCard] = cards.UCF101
    lists = LISTS
    places = ("UCF-101", "UCF101", "videos", "")

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read `trainlist0N.txt` or `testlist0N.txt`, and `classInd.txt`."""
        classes = tuple(class_index(self.folder))
        place = self.place(classes)
        videos = self.places[0] if place is None else place
        return list_files(self.folder, name, self.fold, videos=videos), {"action": classes}
