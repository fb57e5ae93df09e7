"""Encoders exported and loaded again: by torch alone, by the harness, from the store."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import safetensors.torch
import torch
from typer.testing import CliRunner

import harness
from harness.backbones.small_3d import Small3D
from harness.cli.app import app
from harness.errors import DataError, UsageError
from harness.export import folder as exporting
from harness.export.example import library_example
from harness.plugins.manager import Plugins
from harness.system import paths, plain_yaml
from harness.values import VideoBatch

WITHOUT_HARNESS = """
import sys, torch
sys.modules["harness"] = None
if not torch.version.cuda:  # torchvision's wheels of PyPI lack these operators beside a torch without CUDA
    operators = torch.library.Library("torchvision", "FRAGMENT")
    try:
        torch.ops.torchvision.nms
    except AttributeError:
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
SMALL_3D = Small3D()
FILES = ["README.md", "encoder.json", "example.py", "network.pt2", "weights.safetensors"]


@pytest.fixture
def measured(compute):
    """Compute a suite of one row; gives its runs."""

    def measured(backbone, method="random_init", evaluators=("knn",), **changes):
        return compute(
            {
                "name": "toy",
                "title": "Toy",
                "frames": 512,
                "methods": [method],
                "backbones": [backbone],
                "pretraining": ["blobs"],
                "evaluators": list(evaluators),
                "seeds": [3],
                **changes,
            }
        )

    return measured


@pytest.fixture
def runs(measured):
    """Two evaluations of one fit."""
    return measured("small_3d", "supervised", ["knn", "linear_probe"])


def command(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run_example(folder, pixels):
    """Vectors of these pixels by the example as it stands, in a Python that cannot import the harness."""
    source = (folder / "example.py").read_text()
    drawn = next(line for line in source.splitlines() if line.startswith("pixels ="))
    torch.save(pixels, folder / "pixels.pt")
    lines = [WITHOUT_HARNESS, source.replace(drawn, "pixels = torch.load('pixels.pt')")]
    script = "\n".join([*lines, "torch.save(vectors, 'vectors.pt')"])
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True)
    return torch.load(folder / "vectors.pt")


def test_an_exported_network_gives_its_vectors_with_torch_alone(runs, tmp_path):
    done = command("export", runs[0].key[:8], "-o", tmp_path / "encoder")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [str(tmp_path / "encoder" / name) for name in FILES]
    pixels = torch.randint(256, (3, 3, 16, 64, 64), dtype=torch.uint8)
    vectors = harness.load_encoder(tmp_path / "encoder").encode(VideoBatch(pixels))
    torch.testing.assert_close(run_example(tmp_path / "encoder", pixels), vectors)


def test_a_librarys_network_is_its_own_again(measured, tmp_path):
    [run] = measured({"name": "timm:test_resnet", "frames": 2, "size": 64})
    written = harness.export_encoder(run.key, tmp_path / "encoder")
    assert [path.name for path in written] == [name for name in FILES if name != "network.pt2"]
    pixels = torch.randint(256, (2, 3, 2, 64, 64), dtype=torch.uint8)
    vectors = harness.load_encoder(tmp_path / "encoder").encode(VideoBatch(pixels))
    torch.testing.assert_close(run_example(tmp_path / "encoder", pixels), vectors, rtol=1e-4, atol=1e-5)


def test_the_card_says_what_the_network_started_from(measured, tmp_path):
    torch.save(SMALL_3D.build(seed=1).state_dict(), tmp_path / "a.pth")
    weights = {"weights": str(tmp_path / "a.pth"), "learnt_from": "kinetics400", "labels": True}
    [run] = measured("small_3d", {"name": "pretrained", **weights})
    harness.export_encoder(run.key, tmp_path / "encoder")
    card = (tmp_path / "encoder" / "README.md").read_text()
    assert "It read no labels. Its network started from a.pth, learnt from kinetics400 with labels." in card
    state = safetensors.torch.load_file(tmp_path / "encoder" / "weights.safetensors")
    assert all(torch.equal(state[name], tensor) for name, tensor in SMALL_3D.build(seed=1).state_dict().items())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("torchvision:shufflenet_v2_x0_5", {"frames": 2, "size": 64, "over_time": "sequence"}),
        ("torchvision:r3d_18", {"frames": 4, "size": 32}),
        ("r3d_18", {}),
    ],
)
def test_torchvisions_networks_are_too(tmp_path, name, options):
    backbone = Plugins(points=[]).backbones.build(name, options)
    encoder = harness.NetworkEncoder.of(backbone.build(seed=1), backbone)
    encoder.save(tmp_path)
    view = backbone.inputs.view
    (tmp_path / "example.py").write_text(library_example(backbone.inputs, view, backbone.recipe))
    pixels = torch.randint(256, (2, 3, view.frames, view.size, view.size), dtype=torch.uint8)
    torch.testing.assert_close(run_example(tmp_path, pixels), encoder.encode(VideoBatch(pixels)), rtol=1e-4, atol=1e-5)


def test_the_store_and_the_folder_give_one_encoder(runs, tmp_path):
    harness.export_encoder(runs[1].key, tmp_path / "encoder")
    batch = VideoBatch(torch.randint(256, (2, 3, 16, 64, 64), dtype=torch.uint8))
    one, other = harness.load_encoder(tmp_path / "encoder"), harness.load_encoder(runs[1].key)
    assert one.promise == other.promise
    assert torch.equal(one.encode(batch), other.encode(batch))
    scores = harness.evaluate(one, "blobs", ["knn"], seed=3)["knn"].scores
    assert scores == next(run for run in runs if run.identity.evaluator.name == "knn").scores


def test_the_folder_keeps_the_precision_of_the_store(measured, tmp_path):
    (run,) = measured("small_3d", precision="bf16")
    harness.export_encoder(run.key, tmp_path / "encoder")
    batch = VideoBatch(torch.randint(256, (2, 3, 16, 64, 64), dtype=torch.uint8))
    one, other = harness.load_encoder(tmp_path / "encoder"), harness.load_encoder(run.key)
    assert torch.equal(one.encode(batch), other.encode(batch))
    exact = one.encode(batch)
    one.precision = "fp32"
    shown, other_precision = run_example(tmp_path / "encoder", batch.clips), one.encode(batch)
    assert (shown - exact).norm() < (shown - other_precision).norm() / 2
    assert not torch.equal(one.encode(batch), other.encode(batch))
    assert "Its network was fitted in bf16. It encodes in bf16." in (tmp_path / "encoder" / "README.md").read_text()


def test_an_encoder_that_computes_in_a_precision_of_its_own_is_shown_so(measured, tmp_path):
    (run,) = measured("small_3d", precision="bf16")
    encoder = harness.load_encoder(run.key)
    encoder.precision = "fp32"
    exporting._write(tmp_path / "encoder", encoder, [run], Plugins())
    text = (tmp_path / "encoder" / "README.md").read_text()
    assert "was fitted in bf16." in text
    assert "encodes in bf16" not in text
    assert "autocast" not in (tmp_path / "encoder" / "example.py").read_text()
    assert harness.load_encoder(tmp_path / "encoder").precision == "bf16"  # as the suite asked the method for


def test_the_card_has_the_hubs_metadata_scores_and_provenance(runs, tmp_path):
    harness.export_encoder(runs[0].key, tmp_path / "encoder")
    text = (tmp_path / "encoder" / "README.md").read_text()
    metadata = plain_yaml.parse(text.split("---\n")[1])
    [model] = metadata["model-index"]
    assert model["name"] == "supervised / small_3d"
    [result] = model["results"]
    assert result["dataset"]["split"] == "test"
    measured = {metric["name"]: metric["value"] for metric in result["metrics"]}
    for run in runs:
        name = f"{run.identity.evaluator.label}: Top-1 accuracy, %"
        assert measured[name] == pytest.approx(100 * run.score("top1").value)
    assert metadata["datasets"] == ["blobs"]
    for line in (
        "It read labels.",
        "Seed 3",
        runs[0].fit_key,
        runs[0].provenance["libraries"]["torch"],
        "import harness",
        "\n# supervised / small\\_3d\n",
        "\n| linear\\_probe | blobs | Top-1 accuracy, % |",
    ):
        assert line in text
    assert (tmp_path / "encoder" / "example.py").read_text() in text
    assert json.loads((tmp_path / "encoder" / "encoder.json").read_text())["key"] == runs[0].fit_key


def test_the_current_folder_may_be_where_it_goes(runs, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = command("export", runs[0].key, "-o", ".")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == FILES
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == FILES


def test_bad_input_is_one_line_and_leaves_nothing(runs, tmp_path, monkeypatch):
    def refused(*arguments):
        done = command("export", *arguments)
        assert done.stdout == ""
        return done.exception

    assert "no run or fit starts with it" in str(refused("ffffffff", "-o", tmp_path / "new"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    error = refused(runs[0].key, "-o", tmp_path / "full")
    assert isinstance(error, UsageError)
    assert str(error) == f"{tmp_path / 'full'}: has files already; give a new folder"

    def fail(*arguments):
        raise DataError("full disk")

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "model_card", fail)
        assert str(refused(runs[0].key, "-o", tmp_path / "new")) == "full disk"
    with monkeypatch.context() as patch:
        patch.setattr(exporting, "expect_hub", fail)
        refused(runs[0].key, "-o", tmp_path / "new")
    shutil.rmtree(paths.store() / "fits")
    assert "its encoder is not stored here" in str(refused(runs[0].key, "-o", tmp_path / "new"))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name not in {"home", "fits.log"}) == ["full"]

    with pytest.raises(DataError, match=r"has no encoder\.json"):
        harness.load_encoder(tmp_path / "full")
    (tmp_path / "full" / "encoder.json").write_text("{}")
    with pytest.raises(DataError, match="not the record of an exported encoder"):
        harness.load_encoder(tmp_path / "full")
