"""Average precision of all test videos of UCF101's size, beside scikit-learn's of one after the other."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from harness.functional.ranking import average_precision_of_items

TRAIN, TEST, CLASSES = 9_537, 400, 101


def test_average_precision(beside):
    generator = torch.Generator().manual_seed(0)
    similarities = torch.randn(TEST, TRAIN, generator=generator)
    labels = torch.arange(TRAIN) % CLASSES
    asked = torch.randint(CLASSES, (TEST,), generator=generator)
    items = torch.stack([(labels == label).nonzero().flatten()[: TRAIN // CLASSES] for label in range(CLASSES)])
    relevant = torch.zeros(TEST, TRAIN, dtype=torch.bool).scatter_(1, items[asked], True)

    def scikit_learn():
        pairs = zip(relevant.numpy(), similarities.numpy(), strict=True)
        return np.array([average_precision_score(good, row) for good, row in pairs])

    def check(precisions, theirs):
        torch.testing.assert_close(precisions, torch.from_numpy(theirs["scikit-learn"]))

    beside(
        lambda: average_precision_of_items(similarities, items[asked]),
        {"scikit-learn": scikit_learn},
        clips=TEST,
        check=check,
        rounds=3,
    )
