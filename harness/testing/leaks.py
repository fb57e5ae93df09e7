"""Search of an unlabelled split for words that tell labels, names or paths."""

from __future__ import annotations

import dataclasses
import pickle
import pickletools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from harness.interfaces import Split
from harness.values import Video

SAMPLE = 50
"""Number of videos whose names are searched for."""
DEPTH = 6
"""Attributes of attributes that are looked into."""
_OPAQUE = re.compile(r"[0-9a-f]{8,}(-\d+)?")


def told(split: Split, shown: Split) -> list[str]:
    """Find what an unlabelled split tells: words of the labelled one, by place.

    Searched are public attributes, the repr and the strings of the pickle; the words are names of classes, groups, ids,
    files and their folders.

    Args:
        split: with labels.
        shown: without.
    """
    words = _words(split)
    places = {
        "public attributes": set(_strings(shown, DEPTH)),
        "repr": {text for quoted in re.findall(r"'([^']*)'|\"([^\"]*)\"", repr(shown)) for text in quoted},
        "pickle": _pickled(shown),
    }
    return [
        f"{word!r} in its {place}"
        for place, texts in places.items()
        for word in words
        if any(word in text.lower() for text in texts if not _OPAQUE.fullmatch(text))
    ]


def _words(split: Split) -> list[str]:
    step = max(1, len(split) // SAMPLE)
    words = {name for kinds in (split.classes, split.multilabel_classes) for names in kinds.values() for name in names}
    for video in split.videos[::step]:
        files = [path for path in (video.path, video.joints) if path is not None]
        words |= {video.id, video.group} | {part for path in files for part in (path.stem, path.parent.name)}
    return sorted(word.lower() for word in words if len(word) > 2 and word != split.name)


def _strings(value: Any, depth: int) -> Iterator[str]:
    """Collect the strings in a value, its items and public attributes."""
    if isinstance(value, str | PurePath):
        yield str(value)
    elif depth and isinstance(value, Mapping):
        for one in (*value.keys(), *value.values()):
            yield from _strings(one, depth - 1)
    elif depth and isinstance(value, Sequence) and not isinstance(value, bytes | range):
        for one in value:
            yield from _strings(one, depth - 1)
    elif depth and (dataclasses.is_dataclass(value) or hasattr(type(value), "unlabelled")):
        for name in dir(value):
            if not name.startswith("_") and not callable(attribute := getattr(value, name, None)):
                yield from _strings(attribute, depth - 1)


def _pickled(split: Split) -> set[str]:
    """Strings in the pickle of a split, without names of code."""
    try:
        content = pickle.dumps(split)
    except Exception:  # what cannot be pickled tells nothing there
        return set()
    texts = {argument for _, argument, _ in pickletools.genops(content) if isinstance(argument, str)}
    modules = [sys.modules[text] for text in texts if text in sys.modules]
    fields = {field.name for field in dataclasses.fields(Video)}
    return {
        text
        for text in texts
        if text not in sys.modules
        and text not in fields
        and not hasattr(split, text)
        and not any(hasattr(module, text) for module in modules)
    }
