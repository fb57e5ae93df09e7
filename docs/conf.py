"""Settings of Sphinx: `sphinx-build -W docs FOLDER` writes the pages, without network."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the extension `generated`, beside this file

project = "video-harness"
author = "The video-harness authors"
release = version = installed("video-harness")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
default_role = "code"  # docstrings mark code by single backticks
autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_sphinx = False
