"""The clustering's card."""

from __future__ import annotations

from typing import Literal

from harness.cards import EvaluatorCard, Metric, Paper


def _agreement(name: str, title: str, statistic: str, unit: Literal["%", "1"] = "1", least: float = 0.0) -> Metric:
    return Metric(id=name, title=title, unit=unit, higher_is_better=True, bounds=(least, 1.0), statistic=statistic)


CLUSTERING = EvaluatorCard(
    name="clustering",
    summary="Clusters of frozen features, found without labels: do they coincide with the classes?",
    paper=Paper(
        title="Unsupervised learning from videos using temporal coherency deep networks",
        authors="Carolina Redondo-Cabrera, Roberto J. López-Sastre",
        year=2019,
        venue="Computer Vision and Image Understanding",
        url="https://arxiv.org/abs/1801.08100",
    ),
    protocol=(
        "Redondo-Cabrera and López-Sastre 2019, discovery: k-means on the test split's features, as many clusters as "
        "classes, conditional entropy H(class | cluster) in bits, mean over 10 runs. Here: one vector a video, or with "
        "the option clips one a clip (a frame, for an encoder of frames), or with stride one every so many frames; "
        "k-means++ starts; features as they are unless the option normalise says otherwise; with algorithm: spectral "
        "after Ng, Jordan and Weiss 2001, the kernel as wide as the median distance"
    ),
    metrics=(
        Metric(
            id="conditional_entropy",
            title="Conditional entropy",
            unit="bits",
            higher_is_better=False,
            statistic="conditional_entropy",
        ),
        _agreement("nmi", "Normalised mutual information", "normalized_mutual_information"),
        _agreement("ami", "Adjusted mutual information", "", least=-1.0),
        _agreement("ari", "Adjusted Rand index", "adjusted_rand_index", least=-1.0),
        _agreement("hungarian_accuracy", "Hungarian accuracy", "matched_accuracy", unit="%"),
        _agreement("purity", "Purity", "purity", unit="%"),
        _agreement("homogeneity", "Homogeneity", "homogeneity"),
        _agreement("completeness", "Completeness", "completeness"),
        Metric(
            id="video_conditional_entropy",
            title="Conditional entropy of videos",
            unit="bits",
            higher_is_better=False,
        ),
    ),
)
