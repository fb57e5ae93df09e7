"""The card of few-shot classification."""

from __future__ import annotations

from harness.cards import EvaluatorCard, Metric, Paper, Point


def _top1(shots: int | None) -> Metric:
    number = "all" if shots is None else str(shots)
    return Metric(
        id=f"top1_{number}",
        title=f"Top-1 accuracy, {number} video{'' if shots == 1 else 's'} a class",
        unit="%",
        higher_is_better=True,
        bounds=(0.0, 1.0),
        statistic="mean",
        point=Point(curve="top-1", axis="training videos a class", at=shots),
    )


FEW_SHOT = EvaluatorCard(
    name="few_shot",
    summary="A linear classifier from a few labelled videos a class: how many labels does the encoder save?",
    paper=Paper(
        title="Scaling and benchmarking self-supervised visual representation learning",
        authors="Priya Goyal, Dhruv Mahajan, Abhinav Gupta, Ishan Misra",
        year=2019,
        venue="ICCV",
        url="https://arxiv.org/abs/1905.01235",
    ),
    protocol=(
        "Goyal et al. 2019, low-shot: n labelled videos a class drawn from train, a linear classifier on frozen "
        "features, all of test; mean over draws. Here: logistic regression on features standardised by the drawn "
        "videos, L2 penalty |W|^2 / 2 beside the summed cross-entropy (scikit-learn's C = 1) for every n; draws are "
        "balanced, nested over n, spread over groups, and the same for every encoder"
    ),
    metrics=tuple(_top1(shots) for shots in (5, 1, 10, 20, None)),
)
