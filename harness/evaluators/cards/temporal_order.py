"""The card of the test for temporal order."""

from __future__ import annotations

from harness.cards import EvaluatorCard, Metric, Paper

TEMPORAL_ORDER = EvaluatorCard(
    name="temporal_order",
    summary="The accuracy lost when every clip's frames are shuffled: does the encoder use time?",
    paper=Paper(
        title="Action recognition based on efficient deep feature learning in the spatio-temporal domain",
        authors="Farzad Husain, Babette Dellen, Carme Torras",
        year=2016,
        venue="IEEE Robotics and Automation Letters",
    ),
    protocol=(
        "Husain et al. 2016, Fig. 4: the accuracy of a network trained on shuffled frames, mean of two trainings. Here "
        "the encoder stays as it is: top-1 accuracy of the evaluator linear_probe on clips in order, less that of the "
        "same probe, chosen and fitted anew, when the frames of every clip of train and test are shuffled, each clip's "
        "in an order of its own; mean of two shufflings"
    ),
    metrics=(
        Metric(
            id="top1_lost",
            title="Top-1 accuracy lost by shuffling frames",
            unit="%",
            higher_is_better=True,
            bounds=(-1.0, 1.0),
            statistic="mean",
        ),
        Metric(
            id="top1",
            title="Top-1 accuracy of clips in order",
            unit="%",
            higher_is_better=True,
            bounds=(0.0, 1.0),
            statistic="mean",
        ),
        Metric(
            id="top1_shuffled",
            title="Top-1 accuracy of shuffled clips",
            unit="%",
            higher_is_better=True,
            bounds=(0.0, 1.0),
            statistic="mean",
        ),
    ),
)
