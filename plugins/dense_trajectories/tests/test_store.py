"""Stored encodings: what comes back, and that nothing else does."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from harness.errors import DataError
from harness_dense_trajectories.em import fit_gmm
from harness_dense_trajectories.projections import count_sketch, fit_pca
from harness_dense_trajectories.store import load, save


@pytest.fixture
def fitted():
    x = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    pca = fit_pca(x, dim=3, whiten=True)
    return {"pca": pca, "gmm": fit_gmm(pca.project(x), 2), "sketch": count_sketch(12, 4), "hof.centres": x[:4]}


def test_what_comes_back_is_what_was_stored(fitted, tmp_path):
    save(fitted, tmp_path / "new", {"form": "paper"})
    restored, options = load(tmp_path / "new")
    assert list(restored) == sorted(fitted)
    assert options == {"form": "paper"}
    for name, value in fitted.items():
        assert type(restored[name]) is type(value)
        if isinstance(value, torch.Tensor):
            assert torch.equal(restored[name], value)
            continue
        for field in dataclasses.fields(value):
            one, other = getattr(restored[name], field.name), getattr(value, field.name)
            assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
            assert type(one) is type(other)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["encoding.json", "encoding.safetensors"]


def test_views_and_shared_memory_are_stored(tmp_path):
    """safetensors refuses them as they are."""
    centres = torch.arange(12.0).view(3, 4)
    save({"a": centres, "b": centres.mT}, tmp_path)
    assert torch.equal(load(tmp_path)[0]["b"], centres.mT)


def test_the_same_content_gives_the_same_bytes(fitted, tmp_path):
    for folder in ("a", "b"):
        save(fitted, tmp_path / folder)
    for name in ("encoding.json", "encoding.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_storing_again_replaces(fitted, tmp_path):
    save(fitted, tmp_path)
    save({"centres": torch.ones(1, 2)}, tmp_path)
    assert list(load(tmp_path)[0]) == ["centres"]


def test_every_changed_byte_of_the_tensors_is_noticed(fitted, tmp_path):
    save(fitted, tmp_path)
    path = tmp_path / "encoding.safetensors"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DataError, match=r"has changed .*delete the folder"):
            load(tmp_path)
    path.write_bytes(content)
    load(tmp_path)


def test_every_changed_digit_and_letter_of_the_manifest_is_noticed(fitted, tmp_path):
    save(fitted, tmp_path)
    path = tmp_path / "encoding.json"
    content = path.read_bytes()
    for place in range(len(content)):
        if content[place : place + 1].isalnum():
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(DataError, match="stored encoding"):
                load(tmp_path)


def test_swapped_options_are_noticed(fitted, tmp_path):
    save(fitted, tmp_path)
    path = tmp_path / "encoding.json"
    manifest = json.loads(path.read_text())
    manifest["values"]["pca"]["whiten"] = False
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="has changed"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["encoding.json", "encoding.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"\xff\x00"])
def test_files_that_are_missing_or_something_else(fitted, tmp_path, name, content):
    save(fitted, tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="stored encoding"):
        load(tmp_path)
