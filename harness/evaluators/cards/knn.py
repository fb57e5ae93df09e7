"""The nearest neighbours' card."""

from __future__ import annotations

from harness.cards import EvaluatorCard, Metric, Paper, Point
from harness.evaluators.cards.accuracy import TOP1

NEIGHBOURS = (1, 10, 20, 100, 200)
"""How many vote, of the metrics beside the primary one."""


def _top1(k: int) -> Metric:
    return Metric(
        id=f"top1_{k}",
        title=f"Top-1 accuracy, {k} neighbour{'' if k == 1 else 's'}",
        unit="%",
        higher_is_better=True,
        bounds=(0.0, 1.0),
        statistic="mean",
        point=Point(curve="top-1", axis="neighbours that vote", at=k),
    )


KNN = EvaluatorCard(
    name="knn",
    summary="A vote of the nearest training videos: are neighbours of one class?",
    paper=Paper(
        title="Unsupervised feature learning via non-parametric instance discrimination",
        authors="Zhirong Wu, Yuanjun Xiong, Stella X. Yu, Dahua Lin",
        year=2018,
        venue="CVPR",
        url="https://arxiv.org/abs/1805.01978",
    ),
    protocol=(
        "Wu et al. 2018, section 3.4: cosine similarity s, votes exp(s / 0.07), train as gallery and test as queries; "
        "20 neighbours after Caron et al. 2021 (DINO) unless the option k says otherwise"
    ),
    metrics=(TOP1, *(_top1(k) for k in NEIGHBOURS)),
)
