"""What is recorded of the environment of a run."""

from __future__ import annotations

import getpass
import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import av
import torch

from harness.system import environment
from harness.system.environment import LIBRARIES, OPTIONAL, decisive, provenance


def test_versions_and_hardware_are_recorded_and_nothing_else():
    recorded = provenance({"harness-toy": "0.2"}, "cpu")
    of_machine = {"python", "system", "hardware", "processors", "threads"}
    assert set(recorded) == {*of_machine, "libraries", "ffmpeg", "plugins", "commit"}
    assert recorded["plugins"] == {"harness-toy": "0.2"}
    assert set(LIBRARIES) <= set(recorded["libraries"]) <= {*LIBRARIES, *OPTIONAL}
    assert recorded["libraries"]["altair"] == version("altair")
    assert recorded["ffmpeg"]["libavcodec"] == ".".join(map(str, av.library_versions["libavcodec"]))
    assert recorded["libraries"]["torch"] == version("torch")
    assert recorded["libraries"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert recorded["hardware"]
    assert json.loads(json.dumps(recorded)) == recorded


def test_compiling_is_recorded_and_decisive_where_it_is_done():
    compiled = provenance({}, "cpu", compiled=True)
    assert compiled["compiler"] == decisive(compiled)["torch.compile"] == "inductor"
    assert "torch.compile" not in decisive(provenance({}, "cpu"))


def test_the_commit_is_that_of_the_checkout_which_the_code_lies_in(monkeypatch, tmp_path):
    (tmp_path / "harness" / "system").mkdir(parents=True)
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "harness" / "system" / "environment.py"))
    commit = environment.commit.__wrapped__
    assert commit() == ""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert commit() == head
    (tmp_path / "harness" / "new.py").touch()
    assert commit() == f"{head}-dirty"


def test_neither_host_nor_user_nor_path_is_recorded(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    monkeypatch.setattr(environment, "_accelerator", environment._accelerator.__wrapped__)
    text = json.dumps({key: value for key, value in provenance({}, "cuda").items() if key != "commit"})
    for private in (platform.node(), str(Path.home()), str(Path.cwd())):
        assert private not in text
    assert f'"{getpass.getuser()}"' not in text


def test_the_versions_of_an_accelerator_are_recorded(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    versions = {"CUDA": "12.8", "cuDNN": "91002", "driver": "570.1"}
    monkeypatch.setattr(environment, "_accelerator", lambda: versions)
    recorded = provenance({}, "cuda:0")
    assert recorded["accelerator"] == versions
    assert versions.items() <= decisive(recorded).items()
    assert decisive(recorded)["hardware"] == "NVIDIA H100"


def test_what_pixels_and_solutions_depend_on_is_decisive_and_nothing_else():
    recorded = provenance({"harness-toy": "0.2"}, "cpu")
    names = ["PyAV", "FFmpeg", "OpenCV", "torch", "torchvision", "NumPy", "hardware", "threads"]
    assert [name for name in decisive(recorded) if name != "torchvision"] == [n for n in names if n != "torchvision"]
    for change in ({"commit": "x"}, {"plugins": {}}, {"processors": 64}, {"python": "3.99"}):
        assert decisive({**recorded, **change}) == decisive(recorded)
    for change in ({"threads": 99}, {"hardware": "other"}, {"ffmpeg": {"libavcodec": "1.2.3"}}):
        assert decisive({**recorded, **change}) != decisive(recorded)
