"""Models that MTEB has registered: their metadata, and themselves."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from typing import Any, NoReturn

from harness.backbones import _torchvision
from harness.bridges.mteb import expect_mteb
from harness.errors import DataError, HarnessError, PluginError, UsageError, out_of_memory
from harness.system.seeding import seeded

MOVING = frozenset({"HEAD", "latest", "main", "master"})
"""Revisions that are other weights tomorrow."""
REMOTE_CODE = "trust_remote_code"


def registered(name: str, revision: str, package: str) -> Any:
    """MTEB's metadata of a model that gives a vector of a video.

    Args:
        name: in MTEB.
        revision: the one that MTEB has.
        package: whose code is in the key of the fit, beside MTEB's own models.

    Raises:
        UsageError: when mteb is not installed, has no such model, or another or no fixed revision of it, or the model
            takes no videos, gives no vectors, or is a service.
        PluginError: when the model's code lies in neither of both.
    """
    expect_mteb()
    _torchvision.models()  # which MTEB imports, also beside a torch without CUDA
    from mteb.models.model_implementations import MODEL_REGISTRY

    videos = {own: meta for own, meta in MODEL_REGISTRY.items() if "video" in meta.modalities}
    if name not in videos:
        near = difflib.get_close_matches(name, videos, n=2, cutoff=0.6)
        meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        msg = f"MTEB has {'no such model' if name not in MODEL_REGISTRY else 'no videos for model'} {name!r}{meant}"
        raise UsageError(msg)
    meta = videos[name]
    problem = ""
    if not meta.revision or meta.revision in MOVING:
        problem = f"MTEB fixes no revision of it, but says {meta.revision!r}"
    elif meta.revision != revision:
        problem = f"expected the revision that MTEB has, {meta.revision!r}, got {revision!r}"
    elif "dense" not in meta.model_type or meta.loader is None:
        problem = f"it gives no vector of a video ({', '.join(meta.model_type)})"
    elif "API" in meta.framework:
        problem = "it is a service, whose weights nobody can fix"
    if problem:
        msg = f"model {name!r} of MTEB: {problem}"
        raise UsageError(msg)
    module = getattr(meta.loader, "func", meta.loader).__module__
    if module.partition(".")[0] not in ("mteb", package):
        msg = (
            f"model {name!r} of MTEB: its code is in {module}, which no key knows; subclass "
            "harness.bridges.models.method.MtebMethod in that package, see docs/mteb.md"
        )
        raise PluginError(msg)
    return meta


def load(name: str, revision: str, package: str, device: str) -> Any:
    """Load a model, without running code of its repository.

    MTEB may download its weights.

    Raises:
        UsageError, PluginError: as `registered`; UsageError also when it needs libraries that are not installed, or
            code of its repository.
        DataError: when it does not load.
    """
    meta = registered(name, revision, package)
    options = {REMOTE_CODE: False} if REMOTE_CODE in meta.loader_kwargs else {}
    try:
        with _own_code(name), seeded(0):  # the same weights each time, also those that a checkpoint lacks
            return meta.load_model(device=device, **options)
    except HarnessError:
        raise
    except ImportError as error:
        msg = f"model {name!r} of MTEB needs what is not installed: {_one_line(error)}"
        raise UsageError(msg) from error
    except Exception as error:
        if out_of_memory(error):
            raise
        msg = f"model {name!r} of MTEB does not load: {type(error).__name__}: {_one_line(error)}"
        raise DataError(msg) from error


@contextlib.contextmanager
def _own_code(name: str) -> Iterator[None]:
    """Refuse to run code of a repository, which some loaders of MTEB ask for."""
    from transformers import dynamic_module_utils

    def refuse(*_: Any, **__: Any) -> NoReturn:
        msg = f"model {name!r} of MTEB needs code of its repository to be run, which could do anything"
        raise UsageError(msg)

    run = dynamic_module_utils.get_class_in_module
    dynamic_module_utils.get_class_in_module = refuse
    try:
        yield
    finally:
        dynamic_module_utils.get_class_in_module = run


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
