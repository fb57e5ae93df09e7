"""Cards of the built-in methods, the references that others are seen beside."""

from __future__ import annotations

from harness.cards import MethodCard

RANDOM_INIT = MethodCard(
    name="random_init",
    summary="an untrained network: what the architecture gives without learning",
    reads=frozenset({"backbone", "seed"}),
)

SUPERVISED = MethodCard(
    name="supervised",
    summary="cross-entropy on the training labels: the upper reference of the same network and budget",
    supervised=True,
)
