"""Libraries that are not installed, and their models that are not there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.backbones.cards import TIMM
from harness.backbones.libraries.importing import import_library
from harness.errors import UsageError

ABSENT = replace(TIMM, name="no-such-library", install="pip install 'video-harness[no-such-library]'")


def test_a_library_that_is_not_installed_says_how_to_get_it():
    with pytest.raises(UsageError, match=r"no-such-library need .*: pip install 'video-harness\[no-such-library\]'$"):
        import_library(ABSENT, "no-such-library")


def test_one_that_is():
    assert import_library(TIMM, "timm.data").__name__ == "timm.data"
