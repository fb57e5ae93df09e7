"""The linear probe's card."""

from __future__ import annotations

from harness.cards import EvaluatorCard, Paper
from harness.evaluators.cards.accuracy import MEAN_CLASS, TOP1, TOP5

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
    metrics=(TOP1, TOP5, MEAN_CLASS),
)
