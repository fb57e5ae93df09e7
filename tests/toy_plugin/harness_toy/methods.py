"""Methods that log each fit to `$TOY_LOG`, and then do what their name says."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import torch
from torch import nn

from harness import DivergedError, NetworkEncoder, NetworkMethod, Promise
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


class ForgetsEval(Counted):
    card = CARDS["forgets_eval"]

    def fit(self, backbone, train, session):
        encoder = super().fit(backbone, train, session)
        encoder.module.train()
        return encoder


class CannotLoad(Counted):
    card = CARDS["cannot_load"]

    def fit(self, backbone, train, session):
        network = backbone.build(seed=session.budget.seed)
        size = backbone.card.dim
        return NetworkEncoder(nn.Sequential(network, nn.Linear(size, size)), backbone.inputs)


class DropsOut(NetworkMethod):
    """Its encoder is no network of the harness, and nobody tells its modules that training is over."""

    card = CARDS["drops_out"]

    def promise(self, backbone):
        return Promise(views=(backbone.inputs.view,), shape=(backbone.card.dim,))

    def fit(self, backbone, train, session):
        return Bare(backbone)

    def load(self, backbone, folder):
        return Bare(backbone)


class Bare:
    def __init__(self, backbone):
        self.network = backbone.build(seed=0)
        self.promise = Promise(views=(backbone.inputs.view,), shape=(backbone.card.dim,))

    @torch.no_grad()
    def encode(self, batch):
        return self.network(batch.clips.float() / 255)

    def save(self, folder):
        pass
