"""The TensorBoard log of a training."""

from __future__ import annotations

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from harness.testing.brightness import PredictBrightness, fit_brightness


def test_loss_rate_and_speed_are_written(tmp_path):
    fit_brightness(PredictBrightness(), tmp_path)
    log = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {*log.Tags()["scalars"]} == {"loss", "lr", "frames_per_second"}
    assert [event.step for event in log.Scalars("loss")] == [10, 20, 30, 40, 50]
    assert log.Scalars("loss")[-1].value < log.Scalars("loss")[0].value


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
