"""Data sets that show the same videos or images under several names."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SharedSource:
    """Data sets of one source, and the statement that says so."""

    names: frozenset[str]
    """Names in lower case without punctuation."""
    relation: str


SHARED = (
    SharedSource(
        frozenset({"kinetics", "kinetics400", "kinetics600", "kinetics700", "kinetics7002020", "avakinetics"}),
        "editions of Kinetics share videos",  # Carreira et al. 2018 and 2019; AVA-Kinetics: Li et al. 2020
    ),
    SharedSource(
        frozenset({"ucf50", "ucf101", "ucf10124", "thumos14"}),
        "shares videos with UCF101",  # Soomro et al. 2012 extend UCF50; THUMOS'14 trains on UCF101
    ),
    SharedSource(frozenset({"hmdb51", "jhmdb"}), "J-HMDB is a part of HMDB51"),  # Jhuang et al. 2013
    SharedSource(
        frozenset({"imagenet", "imagenet1k", "imagenet21k", "imagenet22k"}), "editions of ImageNet share images"
    ),
    SharedSource(
        frozenset({"mocapactions", "mocapactionsunbiased"}), "both variants perform the same recorded motions"
    ),
)
"""Facts that are known for sure; what is not here may share videos, too."""
SHORT = {
    "k400": "kinetics400",
    "k600": "kinetics600",
    "k700": "kinetics700",
    "in1k": "imagenet1k",
    "ssv2": "somethingsomethingv2",
    "sthv2": "somethingsomethingv2",
}


def shared_sources(learnt_from: str, measured: str) -> dict[str, str]:
    """Tell which data sets that weights learnt from show what is measured on.

    Args:
        learnt_from: names, joined by `+`.
        measured: name of a data set.

    Returns:
        A statement for each of the names that does; empty where none is known to.

    >>> shared_sources("ImageNet + Kinetics-400", "kinetics600")
    {'Kinetics-400': 'editions of Kinetics share videos'}
    >>> shared_sources("ucf101", "ucf101"), shared_sources("ssv2", "ucf101")
    ({'ucf101': 'the data measured on'}, {})
    """
    other = _plain(measured)
    relations = {name.strip(): _relation(_plain(name), other) for name in learnt_from.split("+")}
    return {name: relation for name, relation in relations.items() if relation}


def _relation(name: str, other: str) -> str:
    if name == other:
        return "the data measured on"
    return next((source.relation for source in SHARED if {name, other} <= source.names), "")


def _plain(name: str) -> str:
    plain = re.sub("[^a-z0-9]", "", name.lower())
    return SHORT.get(plain, plain)
