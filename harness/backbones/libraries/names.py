"""Names of the models of installed libraries, read from their sources.

Importing a library takes seconds, which a listing need not pay.
"""

from __future__ import annotations

import re
from importlib import metadata, util
from pathlib import Path

from harness.backbones.cards import LibraryCard


def version(card: LibraryCard) -> str:
    """Version of a library; empty where it is not installed."""
    return metadata.version(card.name) if util.find_spec(card.name) else ""


def model_names(card: LibraryCard) -> list[str]:
    """Names of a library's models in order; none where it is not installed."""
    spec = util.find_spec(card.name)
    folders = spec.submodule_search_locations or [] if spec is not None else []
    files = [file for folder in folders for file in Path(folder).glob(card.sources)]
    names = {
        name for file in files for name in re.findall(card.definition, file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    return sorted(names)
