"""The built-in data sets, and what any data set is made of."""

from __future__ import annotations

from harness.cards import DatasetCard

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
