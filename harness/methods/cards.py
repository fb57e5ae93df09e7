"""The built-in methods are the two references that every other method is seen beside."""

from __future__ import annotations

from harness.cards import MethodCard

RANDOM_INIT = MethodCard(
    name="random_init", summary="an untrained network: what the architecture gives without learning"
)

SUPERVISED = MethodCard(
    name="supervised",
    summary="cross-entropy on the training labels: the upper reference of the same network and budget",
    supervised=True,
)
