"""The kit on data sets: a good one passes, one with a single defect fails exactly the check that is about it."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.cards import DatasetCard
from harness.testing import MemorySplit, MovingSquares, checks_for, failures
from harness.testing.fixtures import FRAMES
from harness.video.anonymous import anonymous, hidden_order

CARD = MovingSquares.card


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("squares")


def with_video(split, index, **changes):
    """The split with one record changed."""
    videos = list(split.videos)
    videos[index] = replace(videos[index], **changes)
    return replace(split, videos=tuple(videos))


class SplitNotNamed(MovingSquares):
    card = CARD

    def split(self, name):
        return replace(super().split(name), name="squares")


class EmptySplit(MovingSquares):
    card = CARD

    def split(self, name):
        split = super().split(name)
        return replace(split, videos=(), frames=()) if name == "test" else split


class AnySplitName(MovingSquares):
    card = CARD

    def split(self, name):
        return super().split(name if name in self.card.splits else "test")


class KeyErrorForUnknownSplit(MovingSquares):
    card = CARD

    def split(self, name):
        return {name: super(KeyErrorForUnknownSplit, self).split(name) for name in self.card.splits}[name]


class MissingFile(MovingSquares):
    card = CARD

    def split(self, name):
        split = super().split(name)
        return with_video(split, 3, path=split.videos[3].path.with_suffix(".gone"))


class ClassOutOfRange(MovingSquares):
    card = CARD

    def split(self, name):
        return with_video(super().split(name), 5, labels={"action": 4})


class NoFrameRate(MovingSquares):
    card = CARD

    def split(self, name):
        return with_video(super().split(name), 5, fps=0.0)


class SameIdTwice(MovingSquares):
    card = CARD

    def split(self, name):
        return with_video(super().split(name), 5, id="one")


class LabelNotOnTheCard(MovingSquares):
    card = CARD

    def split(self, name):
        split = super().split(name)
        return replace(split, classes={**split.classes, "scene": ("in", "out")})


class SharedGroup(MovingSquares):
    card = CARD

    def split(self, name):
        return with_video(super().split(name), 0, group="kitchen")


class Reading(MemorySplit):
    """Reads what `changed` makes of the frames."""

    def read(self, index, frames=None, *, short_side=None):
        return self.changed(super().read(index, frames, short_side=short_side), frames)

    def changed(self, clip, frames):
        return clip

    def unlabelled(self):
        bare = super().unlabelled()
        return type(self)(bare.name, bare.videos, bare.frames, bare.classes, labelled=False)


class ChannelsFirst(Reading):
    def changed(self, clip, frames):
        return clip.permute(0, 3, 1, 2)


class Floats(Reading):
    def changed(self, clip, frames):
        return clip.float() / 255


class SortedFrames(Reading):
    def changed(self, clip, frames):
        return clip if frames is None else clip[torch.argsort(torch.tensor(frames))]


class NoRepeats(Reading):
    def changed(self, clip, frames):
        return clip if frames is None else clip[: len(set(frames))]


class ShortSideIsWidth(MemorySplit):
    def read(self, index, frames=None, *, short_side=None):
        return super().read(index, frames, short_side=short_side and short_side * 3 // 4)


class WithoutFlow(MemorySplit):
    flow = None


class Flowing(MemorySplit):
    """Gives what `changed` makes of the flow."""

    def flow(self, index, frames, *, short_side, device="cpu"):
        return self.changed(super().flow(index, frames, short_side=short_side, device=device))

    def unlabelled(self):
        bare = super().unlabelled()
        return type(self)(bare.name, bare.videos, bare.frames, bare.classes, labelled=False)


class FlowChannelsLast(Flowing):
    def changed(self, flow):
        return flow.permute(0, 2, 3, 1)


class FlowInBytes(Flowing):
    def changed(self, flow):
        return (flow + 128).to(torch.uint8)


class FlowOutOfOrder(Flowing):
    def changed(self, flow):
        return flow.roll(1, 0)


class FlowInTheOldOrder(MemorySplit):
    """Without labels, gives the flow of the video that is at the position with labels."""

    def unlabelled(self):
        split, bare = self, super().unlabelled()

        class Bare(MemorySplit):
            def flow(self, index, frames, *, short_side, device="cpu"):
                return split.flow(index, frames, short_side=short_side)

        return Bare(bare.name, bare.videos, bare.frames, bare.classes, labelled=False)


class ReadFromSplit(MovingSquares):
    """Gives splits of the class `reading`."""

    card = CARD

    def __init__(self, folder, reading):
        super().__init__(folder)
        self.reading = reading

    def split(self, name):
        split = super().split(name)
        return self.reading(split.name, split.videos, split.frames, split.classes)


class AnotherOrderEachTime(MovingSquares):
    card = CARD

    def split(self, name):
        split = super().split(name)
        with torch.random.fork_rng():
            order = torch.randperm(len(split)).tolist()
        return replace(
            split,
            videos=tuple(split.videos[index] for index in order),
            frames=tuple(split.frames[index] for index in order),
        )


class NoisyPixels(MovingSquares):
    card = CARD

    def split(self, name):
        split = super().split(name)
        with torch.random.fork_rng():
            noise = torch.randint(0, 9, split.frames[0].shape, dtype=torch.uint8)
        noisy = replace(split, frames=tuple(frames // 2 + noise for frames in split.frames))
        vars(noisy)["manifest"] = split.manifest
        return noisy


def known(split):
    """The labelled records in the order of the unlabelled ones."""
    return [split.videos[position] for position in hidden_order(split.videos)]


class ClassInId(MemorySplit):
    def unlabelled(self):
        bare = super().unlabelled()
        telling = tuple(
            replace(video, id=f"v_{self.classes['action'][one.labels['action']].title()}_{video.id}")
            for video, one in zip(bare.videos, known(self), strict=True)
        )
        return replace(bare, videos=telling)


class KeepsGroups(MemorySplit):
    def unlabelled(self):
        bare = super().unlabelled()
        grouped = tuple(replace(v, group=one.group) for v, one in zip(bare.videos, known(self), strict=True))
        return replace(bare, videos=grouped)


class KeepsPaths(MemorySplit):
    def unlabelled(self):
        bare = super().unlabelled()
        found = tuple(replace(v, path=one.path) for v, one in zip(bare.videos, known(self), strict=True))
        return replace(bare, videos=found)


class KeepsNames(MemorySplit):
    """Paths lead nowhere, but their names are those of the files."""

    def unlabelled(self):
        bare = super().unlabelled()
        named = tuple(
            replace(v, path=Path("hidden", one.path.name)) for v, one in zip(bare.videos, known(self), strict=True)
        )
        return replace(bare, videos=named)


class KeepsOrder(MemorySplit):
    def unlabelled(self):
        videos = anonymous(self.videos)
        return MemorySplit(self.name, videos, self.frames, {}, labelled=False)


class KeepsReasons(MemorySplit):
    def unlabelled(self):
        return replace(super().unlabelled(), left_out={"video.avi": "missing"})


@dataclasses.dataclass(frozen=True)
class Beside(MemorySplit):
    beside: object = None


class KeepsTheOtherSplit(MemorySplit):
    """Hides labels in records, and has the labelled split as an attribute."""

    def unlabelled(self):
        bare = super().unlabelled()
        return Beside(bare.name, bare.videos, bare.frames, {}, labelled=False, beside=self)


class KeepsNamesInItsPickle(MemorySplit):
    def unlabelled(self):
        bare = super().unlabelled()
        hidden = MemorySplit(bare.name, bare.videos, bare.frames, {}, labelled=False)
        vars(hidden)["_names"] = [video.id for video in self.videos]
        return hidden


class KeepsClasses(MemorySplit):
    def unlabelled(self):
        return replace(super().unlabelled(), classes=self.classes)


class DropsAVideo(MemorySplit):
    def unlabelled(self):
        bare = super().unlabelled()
        return replace(bare, videos=bare.videos[1:], frames=bare.frames[1:])


class LabelsNotInManifest(MemorySplit):
    @property
    def manifest(self):
        return f"{self.name} {self.labelled}"


class LabelsInEveryManifest(MemorySplit):
    def unlabelled(self):
        bare = super().unlabelled()
        return Told(bare.name, bare.videos, bare.frames, {}, labelled=False, told=self.manifest)


@dataclasses.dataclass(frozen=True)
class Told(MemorySplit):
    told: str = ""

    @property
    def manifest(self):
        return f"not {self.told}"


class OneManifestForBothSplits(MemorySplit):
    @property
    def manifest(self):
        return f"{self.labelled} {[video.labels for video in self.videos[:5]]}"


@dataclasses.dataclass(frozen=True)
class KeepsTargets(MemorySplit):
    def unlabelled(self):
        bare = super().unlabelled()
        return replace(bare, videos=tuple(replace(video, targets={"age": 1.0}) for video in bare.videos))


class SetsNotInManifest(MemorySplit):
    @property
    def manifest(self):
        return f"{self.name} {self.labelled} {[(video.labels, video.targets) for video in self.videos]}"


class WithSetsAndTargets(MovingSquares):
    card = replace(CARD, multilabels=("objects",), targets=("age",))

    def __init__(self, folder, split=MemorySplit, **first):
        super().__init__(folder)
        self.kind, self.first = split, first

    def split(self, name):
        split = super().split(name)
        videos = [
            replace(video, multilabels={"objects": ((), (0, 2))[place % 2]}, targets={"age": 0.5 * place})
            for place, video in enumerate(split.videos)
        ]
        videos[0] = replace(videos[0], **self.first)
        return self.kind(
            name, tuple(videos), split.frames, split.classes, multilabel_classes={"objects": ("cup", "bag", "box")}
        )


class Prints(MovingSquares):
    card = CARD

    def split(self, name):
        print(name)  # noqa: T201 - the defect
        return super().split(name)


class InheritedCard(MovingSquares):
    pass


def reading(split):
    return lambda folder: ReadFromSplit(folder, split)


BROKEN = {
    "inherited card": (InheritedCard, "check_card", "no card in the body"),
    "another name": (SplitNotNamed, "check_splits", "got 'squares', labelled True"),
    "empty": (EmptySplit, "check_splits", "split 'test' to have as many videos as its length says, at least one"),
    "any name": (AnySplitName, "check_splits", "to raise UsageError, got a split"),
    "key error": (KeyErrorForUnknownSplit, "check_splits", "to raise UsageError, got KeyError"),
    "missing file": (MissingFile, "check_videos", "a file or folder of frames for video 'train-03'"),
    "class out of range": (ClassOutOfRange, "check_videos", "a class of 'action' from 0 to 3, got 4"),
    "no fps": (NoFrameRate, "check_videos", "to have positive fps, got 0.0"),
    "same id": (SameIdTwice, "check_videos", "every id once, got 'one' 2 times"),
    "unknown label": (LabelNotOnTheCard, "check_videos", "classes of action, as on the card"),
    "shared group": (SharedGroup, "check_groups", "got 'kitchen' in both"),
    "channels first": (reading(ChannelsFirst), "check_read", "(24, 48, 64, 3) torch.uint8, (T, H, W, C), got (24, 3,"),
    "floats": (reading(Floats), "check_read", "got (24, 48, 64, 3) torch.float32"),
    "sorted frames": (reading(SortedFrames), "check_read", "those frames in that order, got other frames"),
    "no repeats": (reading(NoRepeats), "check_read", "got 3 frames"),
    "short side": (reading(ShortSideIsWidth), "check_read", "short_side=24 to give about (24, 32) pixels"),
    "random order": (AnotherOrderEachTime, "check_repeatable", "got other videos or order"),
    "random pixels": (NoisyPixels, "check_repeatable", "got other pixels"),
    "one manifest": (reading(OneManifestForBothSplits), "check_repeatable", "got 1 for 2 splits"),
    "class in id": (reading(ClassInId), "check_unlabelled", "got 'down' in its public attributes, 'left' in its"),
    "keeps paths": (reading(KeepsPaths), "check_unlabelled", "got paths that lead to a file"),
    "keeps names": (reading(KeepsNames), "check_unlabelled", "got 'train-0' in its public attributes"),
    "keeps order": (reading(KeepsOrder), "check_unlabelled", "got 48 videos, others or in another order"),
    "keeps reasons": (reading(KeepsReasons), "check_unlabelled", "got reasons for videos left out"),
    "split beside": (reading(KeepsTheOtherSplit), "check_unlabelled", "got 'down' in its public attributes"),
    "names in the pickle": (reading(KeepsNamesInItsPickle), "check_unlabelled", "got 'train-0' in its pickle"),
    "keeps groups": (reading(KeepsGroups), "check_unlabelled", "got groups"),
    "keeps classes": (reading(KeepsClasses), "check_unlabelled", "got classes"),
    "drops a video": (reading(DropsAVideo), "check_unlabelled", "got 47 videos"),
    "no flow": (reading(WithoutFlow), "check_flow", "it raised TypeError"),
    "flow (T, H, W, 2)": (reading(FlowChannelsLast), "check_flow", "about (3, 2, 32, 43) float32, got (3, 32, 43, 2)"),
    "flow in bytes": (reading(FlowInBytes), "check_flow", "got (3, 2, 32, 43) torch.uint8"),
    "flow out of order": (reading(FlowOutOfOrder), "check_flow", "to be of those frames in that order, got that of"),
    "flow of others": (reading(FlowInTheOldOrder), "check_flow", "to be the same without labels, got another one"),
    "labels not hashed": (reading(LabelsNotInManifest), "check_manifest", "to have another manifest, got the same"),
    "labels always hashed": (reading(LabelsInEveryManifest), "check_manifest", "a manifest that does not depend on"),
    "prints": (Prints, "check_traces", "nothing on stdout"),
}


def test_a_good_data_set_passes(folder):
    assert failures(MovingSquares(folder)) == {}


@pytest.mark.parametrize("defect", BROKEN)
def test_a_defect_is_found_by_its_check_alone(folder, defect):
    broken, check, message = BROKEN[defect]
    found = failures(broken(folder))
    assert list(found) == [check]
    assert found[check].startswith(f"data set 'moving-squares' fails {check}: ")
    assert message in found[check]


class WithJoints(MovingSquares):
    card = DatasetCard(name="jointed", summary="Squares with joints.", joints=True)

    def __init__(self, folder, joints):
        super().__init__(folder)
        self.path = folder / "joints.npz"
        if joints is not None:
            np.savez(self.path, joints=joints, visible=np.ones((FRAMES, 9), bool))

    def split(self, name):
        split = super().split(name)
        return replace(split, videos=tuple(replace(video, joints=self.path) for video in split.videos))


class KeepsJoints(MemorySplit):
    def unlabelled(self):
        bare = super().unlabelled()
        return replace(bare, videos=tuple(replace(video, joints=self.videos[0].joints) for video in bare.videos))


class HandsJointsOn(WithJoints):
    card = WithJoints.card

    def split(self, name):
        split = super().split(name)
        return KeepsJoints(split.name, split.videos, split.frames, split.classes)


def test_joints(folder):
    whole = np.zeros((FRAMES, 9, 2), np.float32)
    assert failures(WithJoints(folder, whole)) == {}
    found = failures(WithJoints(folder, whole[:, :7]))
    assert list(found) == ["check_joints"]
    assert "'joints': ((24, 7, 2), 'float32')" in found["check_joints"]
    found = failures(HandsJointsOn(folder, whole))
    assert list(found) == ["check_unlabelled"]
    assert "got joints" in found["check_unlabelled"]


@pytest.mark.parametrize(
    ("options", "check", "message"),
    [
        ({}, "", ""),
        ({"multilabels": {"objects": (3,)}}, "check_videos", "a set of classes of 'objects' from 0 to 2, ascending"),
        ({"multilabels": {"objects": (2, 0)}}, "check_videos", "ascending, got (2, 0)"),
        ({"multilabels": {"objects": (0, 0)}}, "check_videos", "ascending, got (0, 0)"),
        ({"multilabels": {}}, "check_videos", "ascending, got None"),
        ({"targets": {"age": float("nan")}}, "check_videos", "a finite number for each target of age, got {'age': nan"),
        ({"targets": {}}, "check_videos", "a finite number for each target of age, got {}"),
        ({"split": KeepsTargets}, "check_unlabelled", "got targets"),
        ({"split": SetsNotInManifest}, "check_manifest", "with other multilabels to have another manifest"),
    ],
)
def test_sets_of_classes_and_targets(folder, options, check, message):
    found = failures(WithSetsAndTargets(folder, **options))
    assert list(found) == [check] * bool(check)
    assert message in found.get(check, "")


def test_every_check_has_a_data_set_that_fails_it(folder):
    known = {check.name for check in checks_for(WithJoints(folder, None))}
    assert {check for _, check, _ in BROKEN.values()} | {"check_joints"} == known
