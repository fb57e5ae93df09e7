"""The metrics of protocols that predict a class.

Shares are stored as fractions in [0, 1]; their unit "%" says how tables show them.
"""

from __future__ import annotations

from harness.cards import Metric

TOP1 = Metric(
    id="top1",
    title="Top-1 accuracy",
    unit="%",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    statistic="accuracy",
)

TOP5 = Metric(
    id="top5",
    title="Top-5 accuracy",
    unit="%",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    statistic="mean",
)

MEAN_CLASS = Metric(
    id="mean_class_accuracy",
    title="Mean class accuracy",
    unit="%",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    statistic="mean_class_accuracy",
)
