"""The two methods as a suite would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from harness import Budget, UsageError
from harness.cards import View
from harness.errors import DivergedError
from harness.testing.brightness import all_weights
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.training import checkpoints
from harness.training.session import TrainingSession
from harness_trajectory_clustering.video_ir import VideoIR
from harness_trajectory_clustering.video_la import VideoLA

FRAMES = TinyBackbone.inputs.view.frames
COUNT = 48


def train():
    return MovingSquares().split("train").unlabelled()


def session(epochs, folder=None, seed=0):
    return TrainingSession(Budget(frames=int(epochs * COUNT * FRAMES), seed=seed), name="la", folder=folder)


def curves(folder, *below):
    log = EventAccumulator(str(folder.joinpath("tensorboard", *below))).Reload()
    return {name: [event.value for event in log.Scalars(name)] for name in log.Tags()["scalars"]}


def test_an_epoch_shows_every_video_once_in_random_crops_and_colours():
    split, view = train(), View(frames=4, size=16)
    drawn = [VideoIR().batch(split, view, 16, step, session(1)) for step in range(3)]
    assert torch.cat([one.targets for one in drawn]).sort().values.tolist() == list(range(COUNT))
    assert drawn[0].inputs.shape == (16, 3, 4, 16, 16)
    assert drawn[0].inputs.dtype == torch.uint8
    again = VideoIR().batch(split, view, 16, 0, session(1))
    assert torch.equal(drawn[0].inputs, again.inputs)
    plain = VideoIR(colour=0.0).batch(split, view, 16, 0, session(1))
    assert torch.equal(plain.targets, again.targets)
    assert not torch.equal(plain.inputs, again.inputs)


def test_colours_of_frames_differ_where_those_of_clips_do_not():
    split, view = train(), View(frames=4, size=16)
    means = {}
    for name, method in (("clip", VideoIR()), ("frame", VideoIR(colour=0.0, frame_colour=0.4))):
        clips = method.batch(split, view, 16, 0, session(1)).inputs.float()
        means[name] = clips.mean((3, 4)).std(2).mean()  # of a channel over the frames of a clip
    assert means["frame"] > 3 * means["clip"]


@pytest.mark.parametrize(
    ("options", "share"),
    [({}, 0.8), ({"objective": "sampled"}, 0.8), ({"objective": "nce", "negatives": 256}, 1.0)],  # of 48 videos
)
def test_instances_are_learnt(options, share, tmp_path):
    method = VideoIR(
        batch_size=16, optimizer="sgd", lr=0.03, colour=0.0, **options
    )  # what tells these videos apart is their colour
    method.fit(TinyBackbone(), train(), session(20, tmp_path))
    logged = curves(tmp_path)
    shares = logged["instance_loss_over_ln_n"]
    assert len(shares) == 19
    assert shares[-1] < share < 1.2 < shares[0]
    assert logged["effective_rank"][-1] > (2 if share < 1 else 1)


def test_clusters_are_learnt_after_a_warm_up(tmp_path, capsys):
    method = VideoLA(batch_size=16, optimizer="sgd", lr=0.1, warm_up=5, clusters=4)
    method.fit(TinyBackbone(), train(), session(20, tmp_path))
    logged = curves(tmp_path)
    assert len(logged["clusters"]) == 15  # of 20 epochs
    assert set(logged["clusters"]) == {4.0}
    assert max(logged["empty_neighbourhoods"]) < 0.5
    assert "la: local aggregation begins in epoch 5, where the instance loss is" in capsys.readouterr().err


def test_the_warm_up_ends_with_the_loss_or_at_half_the_budget(tmp_path, capsys, monkeypatch):
    VideoLA(batch_size=16, optimizer="sgd", lr=1e-6, clusters=4).fit(
        TinyBackbone(), train(), session(6, tmp_path / "late")
    )
    assert len(curves(tmp_path / "late")["clusters"]) == 3
    monkeypatch.setattr("harness_trajectory_clustering.rounds.LEARNT", 10.0)
    VideoLA(batch_size=16, optimizer="sgd", lr=1e-6, clusters=4).fit(
        TinyBackbone(), train(), session(6, tmp_path / "early")
    )
    assert len(curves(tmp_path / "early")["clusters"]) == 5  # all but the first
    assert "begins in epoch 1" in capsys.readouterr().err


def test_without_a_warm_up_the_bank_is_that_of_the_network(tmp_path, capsys):
    VideoLA(batch_size=16, optimizer="sgd", lr=0.03, warm_up=0, clusters=4).fit(
        TinyBackbone(), train(), session(2, tmp_path)
    )
    assert "begins in epoch 0, at once" in capsys.readouterr().err
    assert curves(tmp_path)["empty_neighbourhoods"][0] < 0.3  # a random bank would have most of them empty


@pytest.mark.parametrize(
    ("options", "epochs", "message"),
    [
        ({"clusters": 49}, 1, "clusters must be at most the 48 videos, got 49"),
        ({"background": 100}, 1, "background must be at most the 48 videos, got 100"),
        (
            {"warm_up": 40, "batch_size": 16},
            8,
            "expected a warm_up that leaves an epoch of the 8 that the budget has, .*, got 40",
        ),
        ({"warm_up": 7.5, "batch_size": 16}, 8, "expected a warm_up that leaves an epoch of the 8 that .*, got 7.5"),
        ({"batch_size": 1}, 8, "expected at least 2 clips in a step"),
        ({"prior": True, "tuning": 0.02}, 1, "the budget is 7"),
        ({"prior": True, "tuning": 0.03}, 1, "expected at least 2 clips in a step"),
    ],
)
def test_too_few_videos_or_frames(options, epochs, message):
    """Before anything is computed."""
    with pytest.raises(UsageError, match=message):
        VideoLA(**options).fit(TinyBackbone(), train(), session(epochs))


def test_local_aggregation_begins_in_every_budget(capsys):
    """At the latest at half of it, also where an epoch is two steps and the last is not whole."""
    for batch_size, epochs, begin in ((32, 6, 2), (47, 6, 1), (48, 1, 0)):
        method = VideoLA(batch_size=batch_size, optimizer="sgd", lr=1e-6, clusters=4)
        method.fit(TinyBackbone(), train(), session(epochs))
        assert f"local aggregation begins in epoch {begin}" in capsys.readouterr().err


def test_a_bank_that_is_no_number_has_diverged():
    with pytest.raises(DivergedError, match="memory bank became NaN or infinite; lower its lr"):
        VideoLA(batch_size=16, optimizer="sgd", lr=1e30, warm_up=1, clusters=4).fit(TinyBackbone(), train(), session(4))


def test_many_videos_have_noise_and_few_the_exact_softmax():
    for count, expected in ((16_384, "softmax"), (16_385, "nce")):
        assert VideoIR()._instance_options(range(count)).loss == expected
        assert VideoIR(objective="sampled")._instance_options(range(count)).loss == "sampled"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (VideoIR, {"temperature": 0.0}),
        (VideoIR, {"negatives": 0}),
        (VideoIR, {"bank_momentum": 1.0}),
        (VideoLA, {"clusters": 0}),
        (VideoLA, {"background": 0}),
        (VideoLA, {"tuning": 1.0}),
        (VideoLA, {"warm_up": -1.0}),
        (VideoLA, {"sketch": 0}),
        (VideoLA, {"components": 0}),
        (VideoIR, {"colour": 0.8}),
        (VideoIR, {"frame_colour": -0.1}),
    ],
)
def test_impossible_options(kind, options):
    with pytest.raises(UsageError, match=f"method '{kind.card.name}'"):
        kind(**options)


def weights(method, folder=None, backbone=None, epochs=6):
    return all_weights(method.fit(backbone or TinyBackbone(), train(), session(epochs, folder)))


class Killed(Exception):
    """In place of a signal, so that the test lives."""


@pytest.mark.parametrize("step", [7, 14, 17])
def test_an_interrupted_fit_ends_with_the_same_bits(step, tmp_path, monkeypatch, one_thread):
    """Before, at and after the first clusters of epoch 4, at 3 steps an epoch."""
    method = VideoLA(batch_size=16, optimizer="sgd", lr=0.1, warm_up=4, clusters=4)
    whole = weights(method)
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr("harness.training.loop.EVERY", 1)
    draw = VideoLA.batch

    def killed(self, split, view, size, number, running):
        if number == step:
            raise Killed
        return draw(self, split, view, size, number, running)

    with monkeypatch.context() as patch:
        patch.setattr(VideoLA, "batch", killed)
        with pytest.raises(Killed):
            weights(method, tmp_path)
    assert list((tmp_path / "checkpoints").glob("*.pt"))
    assert torch.equal(weights(method, tmp_path), whole)


PRIOR = {"warm_up": 2, "clusters": 4, "prior": True, "tuning": 0.25, "components": 8, "sketch": 64, "clusterings": 2}


def prior(**options):
    """A method that remembers its loss, and its clusters at the end of each training."""

    class Remembering(VideoLA):
        def _start(self, backbone, train, session):
            network, self.kept = super()._start(backbone, train, session)
            self.labels.append(self.kept.clusterings.labels)
            return network, self.kept

        def train(self, loss, *args, **kwargs):
            self.labels.append(loss.clusterings.labels.clone())
            super().train(loss, *args, **kwargs)
            self.labels.append(loss.clusterings.labels.clone())

    method = Remembering(batch_size=16, optimizer="sgd", lr=0.1, **{**PRIOR, **options})
    Remembering.labels = []
    return method


def test_the_prior_keeps_the_clusters_of_trajectories_and_is_tuned(tmp_path):
    """Squares that move one way have trajectories that do."""
    method = prior()
    method.fit(TinyBackbone(), train(), session(8, tmp_path / "fit"))
    _, before, after, start, tuned = method.labels
    assert torch.equal(before, after)
    assert torch.equal(after, start)
    assert not torch.equal(after, tuned)
    fixed, joint = curves(tmp_path / "fit", "prior"), curves(tmp_path / "fit")
    assert len(fixed["clusters"]) == 4  # of 6 epochs, 2 of them warm-up
    assert len(joint["clusters"]) == 2
    assert 0 < joint["between_cluster_share_of_network"][0] < 1
    again = weights(method, tmp_path / "fit", epochs=8)  # finished stages are loaded
    assert torch.equal(again, weights(method, epochs=8))


def test_tuning_goes_on_with_other_batches(tmp_path, monkeypatch):
    steps = []
    draw = VideoLA.batch

    def noted(self, split, view, size, step, running):
        steps.append(step)
        return draw(self, split, view, size, step, running)

    monkeypatch.setattr(VideoLA, "batch", noted)
    prior().fit(TinyBackbone(), train(), session(8))
    assert sorted(steps) == list(range(24))


@pytest.mark.parametrize("step", [11, 20])
def test_an_interrupted_prior_ends_with_the_same_bits(step, tmp_path, monkeypatch, one_thread):
    """In the stage of the prior's clusters, and in the joint space."""
    whole = weights(prior(), epochs=8)
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    monkeypatch.setattr("harness.training.loop.EVERY", 1)
    draw = VideoLA.batch

    def killed(self, split, view, size, number, running):
        if number == step:
            raise Killed
        return draw(self, split, view, size, number, running)

    with monkeypatch.context() as patch:
        patch.setattr(VideoLA, "batch", killed)
        with pytest.raises(Killed):
            weights(prior(), tmp_path, epochs=8)
    assert torch.equal(weights(prior(), tmp_path, epochs=8), whole)


PLAIN = """
import torch
from harness.video.loader import read_clips
from harness_trajectory_clustering.video_la import VideoLA

class Plain(VideoLA):
    # Clips that depend on the video alone, so that two processes together see what one does.
    def _clips(self, train, view, videos, generator):
        frames = torch.arange(view.frames).expand(len(videos), -1)
        return read_clips(train, videos, frames, size=view.size, generator=None)

    def _start(self, backbone, train, session):
        network, self.loss = super()._start(backbone, train, session)
        return network, self.loss

def fit(session, options):
    from harness.testing.brightness import all_weights
    from harness.testing.fixtures import MovingSquares, PlainBackbone
    method = Plain(batch_size=16, optimizer="sgd", lr=0.01, embedding_norm=False, **options)
    encoder = method.fit(PlainBackbone(), MovingSquares().split("train").unlabelled(), session)
    state = method.loss.state_dict()
    return {"weights": all_weights(encoder)} | {name: state[name] for name in NAMES}

NAMES = "bank.vectors", "clusterings.labels", "sums", "aggregating"
"""

TWO = (
    PLAIN
    + """
import json, pathlib, sys, warnings
from harness.training.session import TrainingSession
from harness.values import Budget

if __name__ == "__main__":  # workers for trajectories are started anew from this file
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    for name, options in json.loads(sys.argv[2]).items():
        session = TrainingSession(Budget(frames=4 * 48 * 8, seed=0), name="la")
        torch.save(fit(session, options), pathlib.Path(sys.argv[1], f"{name}-{session.rank}.pt"))
"""
)


FITS = {"plain": {"warm_up": 2, "clusters": 4}, "prior": {**PRIOR, "warm_up": 1}}


def test_two_processes_have_one_bank_and_learn_what_one_does(tmp_path, one_thread):
    script = tmp_path / "two.py"
    script.write_text(TWO)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    done = subprocess.run(
        [sys.executable, *command, json.dumps(FITS)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("local aggregation begins") == len(FITS)  # one process says it
    for fit, options in FITS.items():
        first, second = (torch.load(tmp_path / f"{fit}-{rank}.pt") for rank in range(2))
        space = {}
        exec(PLAIN, space)
        alone = space["fit"](session(4), options)
        assert bool(alone["aggregating"])
        for name, expected in alone.items():
            assert torch.equal(first[name], second[name]), (fit, name)
            torch.testing.assert_close(first[name], expected, rtol=0, atol=1e-6 if name != "sums" else 1e-3)
