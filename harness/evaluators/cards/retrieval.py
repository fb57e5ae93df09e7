"""The card of retrieval."""

from __future__ import annotations

from harness.cards import EvaluatorCard, Metric, Paper, Point

RANKS = (1, 5, 10, 20, 50)


def _recall(k: int) -> Metric:
    return Metric(
        id=f"recall_{k}",
        title=f"R@{k}",
        unit="%",
        higher_is_better=True,
        bounds=(0.0, 1.0),
        statistic="mean",
        point=Point(curve="recall", axis="videos retrieved", at=k),
    )


RETRIEVAL = EvaluatorCard(
    name="retrieval",
    summary="The videos most like a test video: is one of its class among the first few?",
    paper=Paper(
        title="Self-supervised spatiotemporal learning via video clip order prediction",
        authors="Dejing Xu, Jun Xiao, Zhou Zhao, Jian Shao, Di Xie, Yueting Zhuang",
        year=2019,
        venue="CVPR",
    ),
    protocol=(
        "Xu et al. 2019, nearest neighbour retrieval: test videos as queries, train as gallery, cosine similarity of "
        "features averaged over clips; R@k is the share of queries with a video of their class among the k nearest. "
        "With the option gallery: test, each test video searches the others"
    ),
    metrics=tuple(_recall(k) for k in RANKS),
)
