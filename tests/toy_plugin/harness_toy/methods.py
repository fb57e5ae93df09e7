"""Methods that log each fit to `$TOY_LOG`, and then do what their name says."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import torch

from harness import DivergedError, NetworkEncoder, NetworkMethod
from harness_toy import CARDS


def log(text: str) -> None:
    with Path(os.environ["TOY_LOG"]).open("a") as file:
        file.write(text + "\n")


class Counted(NetworkMethod):
    card = CARDS["counted"]

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def fit(self, backbone, train, session):
        log(f"{self.card.name} {session.budget.seed}")
        self.act(train)
        network = backbone.build(seed=session.budget.seed)
        for parameter in network.parameters():
            parameter.data.mul_(self.scale)
        return NetworkEncoder.of(network, backbone)

    def act(self, train) -> None:
        pass


class Diverges(Counted):
    card = CARDS["diverges"]

    def act(self, train) -> None:
        msg = "loss became nan at step 3"
        raise DivergedError(msg)


class Raises(Counted):
    card = CARDS["raises"]

    def act(self, train) -> None:
        {}["missing"]


class Exits(Counted):
    card = CARDS["exits"]

    def act(self, train) -> None:
        sys.exit(7)


class RunsOutOfMemory(Counted):
    card = CARDS["runs_out_of_memory"]

    def act(self, train) -> None:
        msg = "tried to allocate everything"
        raise torch.OutOfMemoryError(msg)


class Slow(Counted):
    card = CARDS["slow"]

    def act(self, train) -> None:
        time.sleep(1.0)


class ReadsLabels(Counted):
    card = CARDS["reads_labels"]

    def act(self, train) -> None:
        log(f"labelled={train.labelled} labels={sum(len(video.labels) for video in train.videos)}")
