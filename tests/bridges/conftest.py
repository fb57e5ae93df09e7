"""MTEB where it is installed, and a user's plugin that needs it."""

from __future__ import annotations

import importlib
import os
import warnings
from pathlib import Path

import pytest

from harness.backbones import _torchvision

collect_ignore = ["mteb_plugin"]  # which imports mteb, an extra
PLUGIN = Path(__file__).parent / "mteb_plugin"


@pytest.fixture(scope="session")
def mteb():
    """MTEB, which may warn of what it is made of, and goes to no network."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("mteb", reason="an extra: pip install 'video-harness[mteb]'")
        _torchvision.models()
        importlib.import_module("mteb.models.model_meta")
        importlib.import_module("mteb.abstasks")
        importlib.import_module("mteb.models.sentence_transformer_wrapper")
        importlib.import_module("mteb.models.model_implementations")
        return module


@pytest.fixture
def plugin(mteb, home, monkeypatch):
    """The plugin's module of models; it is installed here and in child processes."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(PLUGIN)
    return importlib.import_module("harness_from_mteb.there")
