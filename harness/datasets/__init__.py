"""The built-in data sets, and what any data set is made of."""

from __future__ import annotations

from harness.cards import DatasetCard, Paper

_LABELS = ("action", "scene")
_LICENCE = "Apache-2.0; the motion: see harness/datasets/mocap_actions/NOTICE"

MOCAP_ACTIONS = DatasetCard(
    name="mocap-actions",
    summary="recorded motion of 15 actions, drawn; place and clothes predict the action in most groups",
    licence=_LICENCE,
    labels=_LABELS,
    joints=True,
)

MOCAP_ACTIONS_UNBIASED = DatasetCard(
    name="mocap-actions-unbiased",
    summary="mocap-actions where place and clothes predict nothing: only pose and motion count",
    licence=_LICENCE,
    labels=_LABELS,
    joints=True,
)

UCF101 = DatasetCard(
    name="ucf101",
    summary="13,320 videos of 101 actions in the wild, three splits by group",
    licence="not stated by its authors; the videos are YouTube's",
    paper=Paper(
        title="UCF101: A Dataset of 101 Human Actions Classes From Videos in The Wild",
        authors="Soomro, Zamir, Shah",
        year=2012,
        venue="CRCV-TR-12-01",
        url="https://www.crcv.ucf.edu/research/data-sets/ucf101/",
    ),
    located=True,
)
