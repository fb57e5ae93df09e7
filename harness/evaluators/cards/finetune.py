"""Fine-tuning's card."""

from __future__ import annotations

from harness.cards import EvaluatorCard, Paper
from harness.evaluators.cards.accuracy import MEAN_CLASS, TOP1, TOP5

FINETUNE = EvaluatorCard(
    name="finetune",
    summary="The whole network, trained on with labels: is it a good start?",
    paper=Paper(
        title="Unsupervised learning of video representations via dense trajectory clustering",
        authors="Pavel Tokmakov, Martial Hebert, Cordelia Schmid",
        year=2020,
        venue="ECCV Workshops",
        url="https://arxiv.org/abs/2006.15731",
    ),
    protocol=(
        "Tokmakov et al. 2020, transfer: a linear classifier on a copy of the network, both trained with labels. Here: "
        "AdamW with cosine decay, random clips, crops and mirroring as of the method supervised; the same frames and "
        "the same learning rates for every encoder, of which held-out groups inside train choose one; refit on all of "
        "train; scores averaged over the clips and crops that the option views names"
    ),
    needs=frozenset({"trainable"}),
    metrics=(TOP1, TOP5, MEAN_CLASS),
)
