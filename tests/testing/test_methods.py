"""The kit on methods: a good one passes, one with a single defect fails exactly the check that is about it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.cards import MethodCard
from harness.encoders.network import NetworkEncoder, NetworkMethod
from harness.system.seeding import seeded
from harness.testing import MovingSquares, TinyBackbone, checks_for, failures, methods
from harness.testing.cheats import LooksAtOthers, ReadsOrder
from harness.testing.fits import FRAMES
from harness.video.transforms import normalise

CARD = MethodCard(name="spread", summary="Spreads the vectors of a batch.")


class Spread(NetworkMethod):
    """A method of the smallest kind: it wants vectors of different videos to differ."""

    card = CARD

    def fit(self, backbone, train, session):
        network = backbone.build(seed=session.budget.seed).train()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        generator = torch.Generator().manual_seed(session.budget.seed)
        with seeded(session.budget.seed):
            for _ in range(self.steps(backbone, session.budget)):
                clips = self.clips(train, backbone.inputs.view, generator)
                loss = -network(normalise(clips, backbone.inputs)).var(0).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return NetworkEncoder.of(network, backbone)

    def steps(self, backbone, budget):
        return budget.frames // (16 * backbone.inputs.view.frames)

    def clips(self, train, view, generator):
        chosen = torch.randint(len(train), (16,), generator=generator).tolist()
        frames = range(0, view.frames * view.stride, view.stride)
        clips = torch.stack([train.read(index, list(frames), short_side=view.size) for index in chosen])
        return clips[:, :, : view.size, : view.size].permute(0, 4, 1, 2, 3)


class NeverEnds(Spread):
    card = CARD

    def steps(self, backbone, budget):
        return 3 * super().steps(backbone, budget)


class EndsWithItsBatch(Spread):
    """Takes one step more when the last one does not use up the budget."""

    card = CARD

    def steps(self, backbone, budget):
        return -(-(budget.frames + 1) // (16 * backbone.inputs.view.frames))


class Epochs(Spread):
    """Reads every frame once into a cache and shows them again and again: reads little, shows much."""

    card = CARD

    def steps(self, backbone, budget):
        self.cache = {}
        return 20

    def clips(self, train, view, generator):
        if "clips" not in self.cache:
            self.cache["clips"] = super().clips(train, view, generator)
        return self.cache["clips"]


class ReadsAhead(Spread):
    """Decodes whole videos to show eight frames of each: reads much, shows little."""

    card = CARD

    def clips(self, train, view, generator):
        for index in range(len(train)):
            train.read(index)
        return super().clips(train, view, generator)


class ReadsEverything(Spread):
    """Learns the mean colour of all videos, and trains no network."""

    card = CARD

    def fit(self, backbone, train, session):
        network = backbone.build(seed=session.budget.seed)
        means = torch.stack([train.read(index).float().mean() for index in range(len(train))])
        with torch.no_grad():
            network[3].bias += means.mean() / 255
        return NetworkEncoder.of(network, backbone)


class Raises(Spread):
    card = CARD

    def fit(self, backbone, train, session):
        return [][session.budget.seed]


class NoEncoder(Spread):
    card = CARD

    def fit(self, backbone, train, session):
        return super().fit(backbone, train, session).module


class PromisesAnotherShape(Spread):
    card = CARD

    def promise(self, backbone):
        return replace(super().promise(backbone), shape=(8,))


class PromisesLayers(Spread):
    card = CARD

    def promise(self, backbone):
        return replace(super().promise(backbone), layers=("0", "3"))


class LooksForLabels(Spread):
    card = CARD

    def clips(self, train, view, generator):
        self.label = train.videos[0].labels.get("action", 0)
        return super().clips(train, view, generator)


class LooksForGroups(Spread):
    card = CARD

    def clips(self, train, view, generator):
        self.groups = {video.group for video in train.videos}
        return super().clips(train, view, generator)


class LooksForClassesAndSaysNothing(Spread):
    card = CARD

    def clips(self, train, view, generator):
        try:
            self.classes = train.classes["action"]
        except Exception:
            self.classes = ()
        return super().clips(train, view, generator)


class LooksForPaths(Spread):
    card = CARD

    def clips(self, train, view, generator):
        self.folders = {Path(video.path).parent for video in train.videos}
        return super().clips(train, view, generator)


class LooksForFileSizes(Spread):
    card = CARD

    def clips(self, train, view, generator):
        self.sizes = [video.path.stat().st_size for video in train.videos if video.path.exists()]
        return super().clips(train, view, generator)


class LooksForVideosLeftOut(Spread):
    card = CARD

    def clips(self, train, view, generator):
        self.others = list(train.left_out)
        return super().clips(train, view, generator)


class CopiesRecords(Spread):
    """Passes records on without looking at their labels, which is nobody's harm."""

    card = CARD

    def clips(self, train, view, generator):
        self.videos = [replace(video, fps=1.0) for video in train.videos]
        return super().clips(train, view, generator)


class RemembersFits(Spread):
    card = CARD
    fits = 0

    def steps(self, backbone, budget):
        self.fits += 1
        return self.fits


class DrawsFromTheProcess(Spread):
    card = CARD

    def clips(self, train, view, generator):
        with torch.random.fork_rng():
            generator.manual_seed(int(np.random.default_rng().integers(2**31)))
        return super().clips(train, view, generator)


class Prints(Spread):
    card = CARD

    def steps(self, backbone, budget):
        print("training ...")  # noqa: T201 - the defect
        return super().steps(backbone, budget)


class SeedsNumpy(Spread):
    card = CARD

    def steps(self, backbone, budget):
        np.random.seed(budget.seed)  # noqa: NPY002 - the defect
        return super().steps(backbone, budget)


class DrawsFromPython(Spread):
    card = CARD

    def steps(self, backbone, budget):
        self.lucky = random.random() < 0.5
        return super().steps(backbone, budget)


class ForgetsGradientMode(Spread):
    card = CARD

    def fit(self, backbone, train, session):
        encoder = super().fit(backbone, train, session)
        torch.set_grad_enabled(False)
        return encoder


class InheritedCard(Spread):
    pass


BROKEN = {
    InheritedCard: ("check_card", "no card in the body of the class"),
    Raises: ("check_fit", "it raised IndexError: list index out of range"),
    NoEncoder: ("check_fit", "expected fit to return an encoder: promise, encode(batch) and save(folder), got"),
    PromisesAnotherShape: ("check_fit", "shape=(16,)"),
    PromisesLayers: ("check_fit", "expected the encoder that promise(backbone) says before the fit"),
    LooksForLabels: ("check_unlabelled", "got a look at a video's labels"),
    LooksForGroups: ("check_unlabelled", "got a look at a video's group"),
    LooksForClassesAndSaysNothing: ("check_unlabelled", "got a look at its classes"),
    LooksForPaths: ("check_unlabelled", "got a look at a video's path"),
    LooksForFileSizes: ("check_unlabelled", "got a look at a video's path"),
    LooksForVideosLeftOut: ("check_unlabelled", "got a look at the videos left out"),
    ReadsOrder: ("check_order", "it reads the class from the order of the videos"),
    LooksAtOthers: ("check_whole_videos", "another one without the other videos"),
    NeverEnds: (
        "check_budget",
        f"at most {FRAMES} frames shown to the network (and the rest of a batch of 128), got 2304",
    ),
    Epochs: ("check_budget", "got 2560"),
    ReadsEverything: ("check_budget", f"at most {FRAMES} frames read (and the rest of a video of 24)"),
    RemembersFits: ("check_seed", "two fits with seed 0 to give equal vectors"),
    DrawsFromTheProcess: ("check_seed", "two fits with seed 0 to give equal vectors"),
    Prints: ("check_traces", "nothing on stdout while fitting, got 'training ...\\n'"),
    SeedsNumpy: ("check_traces", "a change of NumPy's random state"),
    DrawsFromPython: ("check_traces", "a change of Python's random state"),
    ForgetsGradientMode: ("check_traces", "a change of torch's gradient mode"),
}


@pytest.mark.parametrize("method", [Spread(), ReadsAhead(), EndsWithItsBatch(), CopiesRecords()])
def test_a_good_method_passes(method):
    assert failures(method) == {}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_defect_is_found_by_its_check_alone(broken):
    check, message = BROKEN[broken]
    found = failures(broken())
    assert list(found) == [check]
    assert found[check].startswith(f"method '{broken.card.name}' fails {check}: ")
    assert message in found[check]


def test_a_slow_fit_is_found(monkeypatch):
    monkeypatch.setattr("harness.testing.fits.SECONDS", 0.0)
    found = failures(Spread())
    assert list(found) == ["check_fit"]
    assert "within 0 seconds" in found["check_fit"]


def test_every_check_of_the_fit_has_a_method_that_fails_it():
    known = {check.name for check in checks_for(Spread()) if check.function not in methods.encoders.CHECKS}
    assert {check for check, _ in BROKEN.values()} == known


def reading(*parts):
    """A method that reads everything, and says that it reads these parts alone."""
    return type("SaysLess", (Spread,), {"card": replace(CARD, reads=frozenset(parts))})()


@pytest.mark.parametrize(
    ("method", "check", "message"),
    [
        (reading("backbone", "pretraining", "budget"), "check_seed", "two fits with another seed, which the card does"),
        (reading("backbone", "pretraining", "seed"), "check_seed", "two fits with another budget, which the card does"),
        (reading("backbone", "budget", "seed"), "check_fit", "uses len() of its pretraining, and its card says that"),
        (reading("pretraining", "budget", "seed"), "check_fit", "add 'backbone' to `reads` of the card"),
    ],
)
def test_a_part_of_the_fit_that_the_card_does_not_name_is_found(method, check, message):
    found = failures(method)
    assert list(found) == [check]
    assert message in found[check]


class NeedsLabels(Spread):
    card = MethodCard(name="needs-labels", summary="Reads labels.", supervised=True)

    def clips(self, train, view, generator):
        assert train.labelled
        self.labels = [video.labels["action"] for video in train.videos]
        return super().clips(train, view, generator)


def test_a_supervised_method_gets_labels_and_is_not_asked_to_go_without():
    assert failures(NeedsLabels()) == {}
    assert not {"check_unlabelled", "check_order"} & {check.name for check in checks_for(NeedsLabels())}


class Wider(TinyBackbone):
    card = replace(TinyBackbone.card, name="wider")
    inputs = replace(TinyBackbone.inputs, view=replace(TinyBackbone.inputs.view, size=40))


class OnlyEightVideos(MovingSquares):
    card = replace(MovingSquares.card, name="eight")

    def split(self, name):
        split = super().split(name)
        return replace(split, videos=split.videos[:8], frames=split.frames[:8])


def test_backbone_and_data_can_be_chosen():
    assert failures(Spread(), backbone=Wider(), data=OnlyEightVideos()) == {}
