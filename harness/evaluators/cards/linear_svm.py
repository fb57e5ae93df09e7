"""The linear SVM's card."""

from __future__ import annotations

from harness.cards import EvaluatorCard, Paper
from harness.evaluators.cards.accuracy import MEAN_CLASS, TOP1, TOP5

LINEAR_SVM = EvaluatorCard(
    name="linear_svm",
    summary="One linear support vector machine a class on frozen features: is the class linearly readable?",
    paper=Paper(
        title="Scaling and benchmarking self-supervised visual representation learning",
        authors="Priya Goyal, Dhruv Mahajan, Abhinav Gupta, Ishan Misra",
        year=2019,
        venue="ICCV",
        url="https://arxiv.org/abs/1905.01235",
    ),
    protocol=(
        "Goyal et al. 2019: one-vs-rest linear SVM with squared hinge on features of length 1, positives weighted "
        "twice, C by cross-validation. Here: features averaged over clips and crops; C from 1e-3 to 1e3; 3-fold "
        "group-disjoint cross-validation inside train by top-1 accuracy; refit on all of train"
    ),
    metrics=(TOP1, TOP5, MEAN_CLASS),
)
