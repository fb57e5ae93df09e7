"""The TensorBoard log of a training."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from harness.testing.brightness import PredictBrightness, fit_brightness


def test_loss_rate_and_speed_are_written(tmp_path):
    fit_brightness(PredictBrightness(), tmp_path)
    log = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {*log.Tags()["scalars"]} == {"loss", "lr", "frames_per_second", "waiting_for_data"}
    assert [event.step for event in log.Scalars("loss")] == [10, 20, 30, 40, 50]
    assert log.Scalars("loss")[-1].value < log.Scalars("loss")[0].value


@dataclass(kw_only=True)
class Slow(PredictBrightness):
    """Reads each batch in a tenth of a second, in which its step is long done."""

    def draw(self, *arguments):
        time.sleep(0.1)
        return super().draw(*arguments)


@dataclass(kw_only=True)
class Busy(PredictBrightness):
    """Its steps take longer than to read its batches."""

    def build_loss(self, network, dim, train):
        loss = super().build_loss(network, dim, train)
        loss.register_forward_pre_hook(lambda *_: time.sleep(0.05))
        return loss


def test_the_share_of_the_time_that_steps_wait_for_batches_is_logged(tmp_path, capfd):
    for name, method in (("slow", Slow()), ("busy", Busy())):
        fit_brightness(method, tmp_path / name, frames=640)
    slow, busy = (EventAccumulator(str(tmp_path / name / "tensorboard")).Reload() for name in ("slow", "busy"))
    assert all(0.7 < event.value <= 1 for event in slow.Scalars("waiting_for_data"))
    assert busy.Scalars("waiting_for_data")[-1].value < 0.2
    told = capfd.readouterr().err
    assert re.search(r"loss [\d.]+, \d\d+% of the time waiting for data", told)


@pytest.mark.usefixtures("often")
def test_a_resumed_fit_leaves_no_gap_and_no_point_twice(tmp_path):
    class Interrupted(PredictBrightness):
        def draw(self, *arguments):
            if len(self.drawn) == 35:
                raise InterruptedError
            return super().draw(*arguments)

    with pytest.raises(InterruptedError):
        fit_brightness(Interrupted(), tmp_path, identity="one")
    fit_brightness(PredictBrightness(), tmp_path, identity="one")
    log = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in log.Scalars("loss")] == [10, 20, 30, 40, 50]


class Epochs(PredictBrightness):
    """Gives the number of each epoch as a curve."""

    def start_epoch(self, loss, train, epoch):
        return {"epoch": float(epoch)}


def test_curves_of_epochs_stand_beside_the_loss(tmp_path):
    fit_brightness(Epochs(), tmp_path)
    log = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    events = log.Scalars("epoch")
    assert [event.value for event in events] == list(range(len(events)))
    assert len(events) > 1
    steps = [event.step for event in events]
    assert steps == [steps[1] * number for number in range(len(events))]
