"""Models of MTEB as rows, beside the same network as one of ours."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from harness.bridges import mteb as bridge
from harness.cli.app import app
from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError, PluginError, UsageError
from harness.leaderboard.results_file import load_results
from harness.plugins.manager import Plugins
from harness.system.code import makes_numbers
from harness.testing import MovingSquares, failures

OPTIONS = {"model": "user/squares", "revision": "2", "learnt_from": "chance", "labels": False}
HERE = SimpleNamespace(device="cpu")


def features(encoder, name="test"):
    return CachedEncoder(encoder, key="x").features(MovingSquares().split(name)).vectors


def test_a_run_scores_a_model_as_the_same_network_of_ours(plugin, tmp_path):
    suite = tmp_path / "suite.yaml"
    content = {
        "name": "both",
        "title": "Both",
        "methods": ["there", "here"],
        "backbones": ["small_2d"],
        "pretraining": ["squares"],
        "evaluators": ["knn"],
        "frames": 1,
        "seeds": [0],
    }
    suite.write_text(json.dumps(content))
    outcome = CliRunner().invoke(app, ["run", str(suite), "-o", str(tmp_path / "board")])
    assert outcome.exit_code == 0, outcome.output
    runs = {
        cell.run.identity.method.name: cell.run for cell in load_results(tmp_path / "board" / "results.json").planned
    }
    there, here = runs["there"], runs["here"]
    assert there.scores == here.scores
    assert there.predictions == here.predictions
    assert there.score("top1").value > 0.4  # of chance 0.25: the network sees where the square is
    assert [str(start) for start in there.starts] == ["user/squares@2, learnt from chance without labels"]
    assert (there.sees, here.sees) == ("whole videos", "24×1, 48 px")
    assert "mteb" in there.provenance["libraries"]
    assert "user/squares@2" in (tmp_path / "board" / "table.csv").read_text()


def test_a_model_passes_the_kit(plugin):
    assert failures(plugin.There()) == {}


@pytest.mark.parametrize("taken", ["its own", "ours"])
def test_features_are_those_of_the_network(plugin, monkeypatch, taken):
    ours = NetworkEncoder(plugin.network(), plugin.INPUTS)
    if taken == "ours":  # there and back

        def loader(name, revision, device, **_):
            return bridge.model(ours, name=name, revision=revision, device=device)

        loader.__module__ = plugin.__name__
        monkeypatch.setitem(plugin.MODEL_REGISTRY, plugin.NAME, plugin.META.model_copy(update={"loader": loader}))
    found = features(plugin.There().fit(None, None, HERE))
    torch.testing.assert_close(found, features(ours), atol=1e-6, rtol=1e-6)
    assert found.std(0).min() > 0.01


def test_clips_are_encoded_as_videos(plugin):
    encoder = plugin.There().fit(None, None, HERE)
    clips = torch.stack([MovingSquares().split("test").read(index).permute(3, 0, 1, 2) for index in (0, 5)])
    expected = features(encoder)[[0, 5]]
    torch.testing.assert_close(encoder.encode(SimpleNamespace(clips=clips)), expected)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"modalities": ["text"]}, "no videos for model 'user/squares'"),
        ({"revision": "main"}, "fixes no revision of it, but says 'main'"),
        ({"revision": "3"}, "expected the revision that MTEB has, '3', got '2'"),
        ({"model_type": ["late-interaction"]}, "gives no vector of a video"),
        ({"framework": ["API"]}, "is a service"),
    ],
)
def test_models_that_cannot_be_a_row(plugin, monkeypatch, changed, message):
    monkeypatch.setitem(plugin.MODEL_REGISTRY, plugin.NAME, plugin.META.model_copy(update=changed))
    with pytest.raises(UsageError, match=message):
        plugin.There().promise(None)


def test_a_name_that_mteb_lacks_has_neighbours(plugin):
    with pytest.raises(UsageError, match="no such model 'user/sqares'; did you mean 'user/squares'"):
        plugin.There(model="user/sqares").promise(None)


def test_a_model_of_another_package_is_no_row_of_the_core(plugin):
    with pytest.raises(PluginError, match=r"its code is in harness_from_mteb\.there, which no key knows"):
        Plugins(points=[]).methods.draft("mteb", OPTIONS).promise(None)


def test_lengths_that_mteb_leaves_open_are_found(plugin, monkeypatch):
    monkeypatch.setitem(plugin.MODEL_REGISTRY, plugin.NAME, plugin.META.model_copy(update={"embed_dim": [7, 3]}))
    before = plugin.There().promise(None)
    assert before.shape == (None,)
    assert before.kept_by(plugin.There().fit(None, None, HERE).promise)


def loading(plugin, monkeypatch, loader, **changed):
    loader.__module__ = plugin.__name__
    meta = plugin.META.model_copy(update={"loader": loader, **changed})
    monkeypatch.setitem(plugin.MODEL_REGISTRY, plugin.NAME, meta)
    return plugin.There().fit(None, None, HERE)


def test_a_model_that_chooses_frames_by_their_time_needs_whole_videos(plugin, monkeypatch):
    seen = []

    class Timed(plugin.Model):
        def encode(self, inputs, **_):
            inputs.collate_fn = plugin.FramesCollator(fps=5.0)
            (frames,) = (frames for batch in inputs for frames in batch["video"])
            seen.append(len(frames))
            return frames.float().mean((0, 2, 3))[None]

    encoder = loading(plugin, monkeypatch, Timed)
    split = MovingSquares().split("test").unlabelled()
    (vector,) = dict(encoder.encode_videos(split, range(1, len(split)))).values()
    count = int(24 / split.videos[0].fps * 5)
    assert seen[-1] == count < 24
    chosen = torch.linspace(0, 23, count).round().int().tolist()
    torch.testing.assert_close(vector, split.read(0, chosen).float().mean((0, 1, 2)))
    with pytest.raises(UsageError, match="chooses frames by their time"):
        encoder.encode(SimpleNamespace(clips=torch.zeros(1, 3, 24, 8, 8, dtype=torch.uint8)))


def test_code_of_a_repository_is_never_run(plugin, monkeypatch, tmp_path):
    from transformers import dynamic_module_utils

    def loader(name, revision, **options):
        return dynamic_module_utils.get_class_in_module("A", tmp_path / "a.py")

    with pytest.raises(UsageError, match="needs code of its repository to be run"):
        loading(plugin, monkeypatch, loader)


def test_trust_that_a_model_asks_for_is_not_given(plugin, monkeypatch):
    encoder = loading(
        plugin,
        monkeypatch,
        lambda *given, **options: plugin.Model(*given, **options),
        loader_kwargs={"trust_remote_code": True},
    )
    assert encoder.model.options == {"trust_remote_code": False}


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ImportError("pip install\nthat"), UsageError, "needs what is not installed: pip install that"),
        (OSError("no\nnetwork"), DataError, "does not load: OSError: no network"),
    ],
)
def test_models_that_do_not_load(plugin, monkeypatch, error, kind, message):
    def loader(*_, **__):
        raise error

    with pytest.raises(kind, match=message):
        loading(plugin, monkeypatch, loader)


def test_tokens_are_no_vector(plugin, monkeypatch):
    class Tokens(plugin.Model):
        def encode(self, *inputs, **given):
            return super().encode(*inputs, **given)[:, None]

    with pytest.raises(PluginError, match=r"expected a vector \(1, dim\) of one video"):
        loading(plugin, monkeypatch, Tokens)


def test_without_mteb_a_row_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(bridge.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'video-harness\[mteb\]'"):
        Plugins(points=[]).methods.draft("mteb", OPTIONS).promise(None)


def test_the_code_of_rows_is_in_keys_and_that_of_exports_is_not():
    modules = ("models.method", "models.encoder", "models.decoder", "models.registry", "mteb", "clips")
    assert [makes_numbers(f"harness.bridges.{module}") for module in modules] == [True] * 4 + [False] * 2
