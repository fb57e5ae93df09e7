"""Speed by a clock that is known, and size by hand."""

from __future__ import annotations

import dataclasses
import itertools
import time

import pytest
import torch
from torch import nn

from harness.cards import View
from harness.datasets.splits import VideoSplit
from harness.encoders.frozen import CachedEncoder, fingerprint
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError, UsageError
from harness.evaluators import throughput
from harness.evaluators.throughput import Throughput
from harness.profiling import timing
from harness.profiling.timing import WARM_UP
from harness.system.environment import hardware
from harness.testing import MovingSquares, UninformedEncoder
from harness.testing.fixtures import TinyBackbone, UntrainedEncoder
from harness.values import Promise
from harness.video import frame_cache
from harness.video.decode import decode_here, in_use
from harness.video.decode_processes import DecodeProcesses
from harness.video.loader import cut_clips, video_clips


def evaluate(encoder=None, data=None, **options):
    evaluator = Throughput(**{"batch_size": 4, "repeats": 2, **options})
    return evaluator.evaluate(CachedEncoder(encoder or UntrainedEncoder(), key="x"), data or MovingSquares(), seed=0)


def values(found):
    return {score.metric: score.value for score in found.scores}


def test_what_a_cpu_can_tell(tmp_path):
    found = evaluate(data=MovingSquares(tmp_path))
    expected = {"encode_clips_per_s", "train_clips_per_s", "decode_clips_per_s", "parameters", "operations"}
    expected |= {"encode_waiting"}
    assert set(values(found)) == expected
    assert all(value > 0 for name, value in values(found).items() if name != "encode_waiting")
    assert all(score.baseline is None for score in found.scores)
    assert found.predictions is None
    assert found.conditions == {
        "device": hardware("cpu"),
        "processor": hardware("cpu"),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    assert found.notes["batch_size"] == 4
    for name, (least, most) in found.notes["spread"].items():
        assert least <= values(found)[name] <= most


def test_without_files_nothing_is_decoded_and_without_a_network_nothing_is_counted():
    assert "decode_clips_per_s" not in values(evaluate())
    assert set(values(evaluate(UninformedEncoder()))) == {"encode_clips_per_s"}


def test_operations_and_parameters_of_two_convolutions():
    """`TinyBackbone` on 8 frames of 32 x 32 pixels; a multiply-add counts as 2."""
    found = values(evaluate())
    first = 8 * (4 * 16 * 16) * (3 * 27)  # channels x positions x weights of each
    second = 16 * (2 * 8 * 8) * (8 * 27)
    assert found["operations"] == pytest.approx(2 * (first + second) / 1e9, rel=1e-12)
    assert found["parameters"] == pytest.approx((8 * 81 + 2 * 8 + 16 * 216 + 16) / 1e6, rel=1e-12)


def test_the_median_of_known_times(monkeypatch):
    """Encoding takes 1, 4 and 2 seconds, training 8, 8 and 5."""
    ticks = itertools.chain.from_iterable((0.0, seconds) for seconds in (1.0, 4.0, 2.0, 8.0, 8.0, 5.0))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(ticks))
    found = evaluate(batch_size=8, repeats=3)
    assert values(found)["encode_clips_per_s"] == 4.0
    assert values(found)["train_clips_per_s"] == 1.0
    assert found.notes["spread"] == {"encode_clips_per_s": [2.0, 8.0], "train_clips_per_s": [1.0, 1.6]}


class Slow:
    promise = Promise(views=(View(frames=2, size=16),), shape=(3,))

    def __init__(self):
        self.batches = []

    def encode(self, batch):
        self.batches.append(len(batch))
        time.sleep(0.02)
        return torch.zeros(len(batch), 3)


def test_a_slow_encoder_is_as_slow_as_it_is():
    encoder = Slow()
    found = evaluate(encoder, batch_size=100, repeats=3)  # more clips than the 32 videos have
    assert 500 < values(found)["encode_clips_per_s"] <= 100 / 0.02
    assert encoder.batches == [100] * (WARM_UP + 3)


class Instant(Slow):
    def encode(self, batch):
        return torch.zeros(len(batch), 3)


def test_an_encoder_waits_for_files_as_much_as_it_is_faster_than_they_are_decoded(tmp_path, monkeypatch):
    data = MovingSquares(tmp_path)
    waits = [values(evaluate(encoder, data))["encode_waiting"] for encoder in (Instant(), Slow())]
    assert waits[0] > 0.9
    assert waits[1] < 0.5
    cold = len(timing.files(data.split("test"), 16))
    decoded = []
    monkeypatch.setattr(throughput, "decode", lambda path, *a, **k: decoded.append(path) or original(path, *a, **k))
    evaluate(Instant(), data)
    assert len(decoded) == cold == 16  # 4 batches of 4 clips, each of a file that is decoded anew
    assert "encode_waiting" not in values(evaluate(Instant()))


def test_decoding_is_cold_and_gives_the_loaders_clips(tmp_path, monkeypatch):
    split = MovingSquares(tmp_path).split("test")
    files = VideoSplit("test", split.videos)
    view = View(frames=4, stride=3, size=32, resize=40, clips=2, crops=3)
    assert torch.equal(cut_clips(timing.decoded(split.videos[5], view), view), video_clips(files, 5, view))

    decoded = []
    monkeypatch.setattr(timing, "decode", lambda path, *a, **k: decoded.append(path) or original(path, *a, **k))
    monkeypatch.setattr(frame_cache, "shared", None)
    one = dataclasses.replace(view, clips=1, crops=1)
    encoder = NetworkEncoder(TinyBackbone().build(seed=0), dataclasses.replace(TinyBackbone.inputs, view=one))
    evaluate(encoder, MovingSquares(tmp_path), batch_size=2, repeats=3)
    each = {path: decoded.count(path) for path in decoded}
    assert each == {split.videos[i].path: WARM_UP + 3 for i in (0, 16)}  # two videos have the two clips


def test_decoding_takes_the_processes_of_the_loader_which_forget(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "allowed_processors", lambda: 2)
    decoders, forgotten = [], []
    monkeypatch.setattr(timing, "decode", lambda *a, **k: decoders.append(in_use()) or original(*a, **k))
    forget = DecodeProcesses.forget
    monkeypatch.setattr(DecodeProcesses, "forget", lambda pool: forgotten.append(len(pool._idle)) or forget(pool))
    videos = MovingSquares(tmp_path).split("test").videos[:4]
    for threads in (2, 1):
        assert len(timing.decode_seconds(videos, View(frames=4, size=32), threads=threads, repeats=2, warm_up=1)) == 2
    pool, here = decoders[:12], decoders[12:]
    assert all(isinstance(one, DecodeProcesses) for one in pool)
    assert {*here} == {decode_here}
    assert forgotten == [pool[0].count] * 3


original = timing.decode


class Drawing(nn.Module):
    """A network that draws when it trains, and has a statistic that moves."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.LazyLinear(16), nn.BatchNorm1d(16), nn.Dropout(0.5))
        self.layers(torch.zeros(2, 3, 8, 32, 32))

    def forward(self, clips):
        return self.layers(clips)


def test_the_encoder_and_the_random_state_are_left_alone():
    encoder = NetworkEncoder(Drawing(), TinyBackbone.inputs)
    before, state = fingerprint(encoder), torch.get_rng_state()
    evaluate(encoder)
    assert fingerprint(encoder) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in encoder.module.modules())
    assert not any(parameter.requires_grad for parameter in encoder.module.parameters())


def test_training_is_without_the_encoders_own_weights(monkeypatch):
    """The network that is trained is a copy, and its original lies beside it."""
    mib, held, own = 2**20, iter([50, 57]), []
    monkeypatch.setattr(throughput._Measured, "held", lambda _: next(held))
    monkeypatch.setattr(throughput, "_network", lambda *_, **options: own.append(options["own"]))
    evaluate()
    assert own == [7]
    monkeypatch.setattr(timing, "wait", lambda _: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 30 * mib)
    measured = throughput._Measured(torch.device("cuda"), 2)
    with measured.memory("train", without=7 * mib):
        pass
    assert measured.values["train_memory"] == 23


def test_a_network_without_parameters_cannot_train():
    class Mean(nn.Module):
        def forward(self, clips):
            return clips.mean((2, 3, 4))

    encoder = NetworkEncoder(Mean(), TinyBackbone.inputs)
    assert set(values(evaluate(encoder))) == {"encode_clips_per_s", "parameters"}
    assert values(evaluate(encoder))["parameters"] == 0


class Empty(MovingSquares):
    def split(self, name):
        return dataclasses.replace(super().split(name), videos=(), frames=())


def test_nothing_to_measure_on():
    with pytest.raises(DataError, match="split 'test' of data set 'moving-squares' has no videos"):
        evaluate(data=Empty())


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"repeats": 0}])
def test_impossible_options(options):
    with pytest.raises(UsageError, match="must be at least 1"):
        Throughput(**options)
