"""The standard protocols, and their cards.

Accuracies and purities are stored as fractions in [0, 1]; their unit "%" says how tables show them.
"""

from __future__ import annotations

from harness.cards import EvaluatorCard, Metric, Paper

_TOP1 = Metric(
    id="top1",
    title="Top-1 accuracy",
    unit="%",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    statistic="accuracy",
)

LINEAR_PROBE = EvaluatorCard(
    name="linear_probe",
    summary="A linear classifier on frozen features: is the class linearly readable?",
    paper=Paper(
        title="Do better ImageNet models transfer better?",
        authors="Simon Kornblith, Jonathon Shlens, Quoc V. Le",
        year=2019,
        venue="CVPR",
        url="https://arxiv.org/abs/1805.08974",
    ),
    protocol=(
        "Kornblith et al. 2019: multinomial logistic regression by L-BFGS on frozen features, L2 strength by "
        "validation. Here: features averaged over clips and crops, standardised on train; 9 strengths from 1e-6 to "
        "1e2 beside the mean cross-entropy; 3-fold group-disjoint cross-validation inside train; refit on all of train"
    ),
    metrics=(
        _TOP1,
        Metric(
            id="mean_class_accuracy",
            title="Mean class accuracy",
            unit="%",
            higher_is_better=True,
            bounds=(0.0, 1.0),
            statistic="mean_class_accuracy",
        ),
    ),
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
    metrics=(
        _TOP1,
        Metric(
            id="top1_nearest",
            title="Top-1 accuracy of the nearest neighbour",
            unit="%",
            higher_is_better=True,
            bounds=(0.0, 1.0),
        ),
    ),
)

CLUSTERING = EvaluatorCard(
    name="clustering",
    summary="k-means on frozen features without labels: do the clusters coincide with the classes?",
    paper=Paper(
        title="Unsupervised learning from videos using temporal coherency deep networks",
        authors="Carolina Redondo-Cabrera, Roberto J. López-Sastre",
        year=2019,
        venue="Computer Vision and Image Understanding",
        url="https://arxiv.org/abs/1801.08100",
    ),
    protocol=(
        "Redondo-Cabrera and López-Sastre 2019, discovery: k-means on the test split's features, as many clusters as "
        "classes, conditional entropy H(class | cluster) in bits, mean over 10 runs. Here: one vector a video, "
        "k-means++ starts, features as they are unless the option normalise says otherwise"
    ),
    metrics=(
        Metric(
            id="conditional_entropy",
            title="Conditional entropy",
            unit="bits",
            higher_is_better=False,
            statistic="conditional_entropy",
        ),
        Metric(
            id="nmi",
            title="Normalised mutual information",
            unit="1",
            higher_is_better=True,
            bounds=(0.0, 1.0),
            statistic="normalized_mutual_information",
        ),
        Metric(
            id="purity",
            title="Purity",
            unit="%",
            higher_is_better=True,
            bounds=(0.0, 1.0),
            statistic="purity",
        ),
    ),
)
