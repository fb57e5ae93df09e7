"""Names read from sources are those that the libraries say themselves."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version as installed

import pytest

from harness.backbones import cards
from harness.backbones.libraries import pytorchvideo
from harness.backbones.libraries.importing import import_library
from harness.backbones.libraries.names import model_names, version

LIBRARIES = [cards.PYTORCHVIDEO, cards.TIMM, cards.TORCHVISION, cards.TRANSFORMERS]


@pytest.mark.parametrize("card", LIBRARIES, ids=lambda card: card.name)
def test_versions(card):
    assert version(card) == installed(card.name)


def test_a_library_that_is_not_installed_has_no_models():
    absent = replace(cards.TIMM, name="no-such-library")
    assert (version(absent), model_names(absent)) == ("", [])


def test_timm():
    assert model_names(cards.TIMM) == sorted(import_library(cards.TIMM, "timm").list_models())


def test_torchvision():
    models = import_library(cards.TORCHVISION, "torchvision.models")
    own = [*models.list_models(module=models), *models.list_models(module=models.video)]
    assert model_names(cards.TORCHVISION) == sorted(own)


def test_pytorchvideo():
    assert model_names(cards.PYTORCHVIDEO) == sorted(pytorchvideo.known_models())


def test_transformers():
    """Types that `AutoModelForImageClassification` and `AutoModelForVideoClassification` have."""
    auto = import_library(cards.TRANSFORMERS, "transformers.models.auto.modeling_auto")
    names = {
        *auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
        *auto.MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES,
    }
    found = set(model_names(cards.TRANSFORMERS))
    assert {"videomae", "vjepa2", "vivit", "timesformer", "dinov2"} <= found
    assert found <= names
    assert len(names - found) <= 5
