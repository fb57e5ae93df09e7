"""Resuming: to the bit, past damaged checkpoints, after `kill -9`, and never from another fit's."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import pytest
import torch

from harness.testing.brightness import PredictBrightness, fit_brightness

pytestmark = pytest.mark.usefixtures("often", "one_thread")  # sums of several threads differ in their last digits


class StopError(Exception):
    pass


@dataclass(kw_only=True)
class Interrupted(PredictBrightness):
    def draw(self, *arguments):
        if len(self.drawn) == 35:
            raise StopError
        return super().draw(*arguments)


def interrupt(folder):
    """A fit that ends with an error in draw 35, having stored its step 30."""
    with pytest.raises(StopError):
        fit_brightness(Interrupted(), folder, identity="one")


def test_going_on_equals_never_having_stopped(tmp_path):
    interrupt(tmp_path)
    method = PredictBrightness()
    resumed = fit_brightness(method, tmp_path, identity="one")
    assert len(method.drawn) == 20  # 50 steps, 30 of them in the checkpoint
    assert torch.equal(resumed, fit_brightness(PredictBrightness()))


def test_a_damaged_checkpoint_is_passed_over(tmp_path, capfd):
    interrupt(tmp_path)
    stored = sorted((tmp_path / "checkpoints").iterdir())
    assert len(stored) == 2
    stored[-1].write_bytes(stored[-1].read_bytes()[:-100])
    method = PredictBrightness()
    resumed = fit_brightness(method, tmp_path, identity="one")
    assert "damaged checkpoint" in capfd.readouterr().err
    assert len(method.drawn) == 30
    assert torch.equal(resumed, fit_brightness(PredictBrightness()))


def test_what_a_kill_left_of_a_checkpoint_is_removed(tmp_path):
    interrupt(tmp_path)
    identity = next((tmp_path / "checkpoints").iterdir()).name.split("-")[0]
    names = [f"{identity}-000000031.whole", f".{identity}-000000032.whole.abc.tmp", "other-000000031.whole"]
    for name in names:
        (tmp_path / "checkpoints" / name).touch()
    fit_brightness(PredictBrightness(), tmp_path, identity="one")
    assert [name for name in names if (tmp_path / "checkpoints" / name).exists()] == ["other-000000031.whole"]


def test_checkpoints_of_another_fit_are_left_alone(tmp_path):
    interrupt(tmp_path)
    method = PredictBrightness()
    fit_brightness(method, tmp_path, identity="two")
    assert len(method.drawn) == 50


def test_checkpoints_are_written_in_their_own_folder_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    interrupt(tmp_path / "fit")
    assert len(list((tmp_path / "fit" / "checkpoints").glob("*.pt"))) == 2
    assert not list((tmp_path / "fit" / "checkpoints").glob("*.whole"))
    assert not (tmp_path / "full").exists()


KILLED = """
import os, pathlib, signal, sys
import torch
torch.set_num_threads(1)
from harness.testing.brightness import PredictBrightness, fit_brightness
from harness.training import checkpoints
checkpoints.SECONDS = 0.0
class Killed(PredictBrightness):
    def draw(self, *arguments):
        if len(self.drawn) == 35:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().draw(*arguments)
fit_brightness(Killed(), pathlib.Path(sys.argv[1]), identity="one")
"""


def test_kill_9_in_the_middle_of_a_fit(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == -signal.SIGKILL
    method = PredictBrightness()
    resumed = fit_brightness(method, tmp_path, identity="one")
    assert len(method.drawn) == 20
    assert torch.equal(resumed, fit_brightness(PredictBrightness()))
