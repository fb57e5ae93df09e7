"""Cards of the built-in methods: references, weights and models from elsewhere."""

from __future__ import annotations

from harness.cards import MethodCard

RANDOM_INIT = MethodCard(
    name="random_init",
    summary="an untrained network: what the architecture gives without learning",
    reads=frozenset({"backbone", "seed"}),
)

PRETRAINED = MethodCard(
    name="pretrained",
    summary="the weights of a file: a checkpoint of whatever origin, measured like everything else",
    reads=frozenset({"backbone"}),
)

FEATURES = MethodCard(
    name="features",
    summary="vectors of a file, computed elsewhere: nothing is fitted, and what they read cannot be checked",
    reads=frozenset(),
)

MTEB = MethodCard(
    name="mteb",
    summary="a model of MTEB by name and revision: it learnt elsewhere, and chooses frames of whole videos itself",
    reads=frozenset(),
)

SUPERVISED = MethodCard(
    name="supervised",
    summary="cross-entropy on the training labels: the upper reference of the same network and budget",
    supervised=True,
)
