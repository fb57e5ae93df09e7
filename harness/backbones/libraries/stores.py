"""Weights that libraries publish, where the libraries keep them on this machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.request import Request, urlopen

import torch

from harness.backbones.cards import PYTORCHVIDEO, TIMM, TORCHVISION, TRANSFORMERS
from harness.backbones.libraries.importing import import_library, unknown_model
from harness.backbones.libraries.pytorchvideo import known_models
from harness.errors import DataError, UsageError, out_of_memory, unknown
from harness.system import files, paths

HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names of weights in repositories of the Hub, the first that is there."""

_HASH = re.compile(r"-([0-9a-f]{8,})\.")
"""Beginning of a file's SHA-256 in its name."""


class Published(Protocol):
    """Weights that a library publishes."""

    def __str__(self) -> str:
        """Address that they come from."""
        ...

    def find(self) -> Path | None:
        """Locate the file on this machine."""
        ...

    def download(self) -> Path:
        """Fetch the file to where the library looks for it."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """File of an address, kept in the cache of `torch.hub`."""

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def place(self) -> Path:
        """Place in the cache."""
        return Path(torch.hub.get_dir()) / "checkpoints" / PurePosixPath(self.url).name

    def find(self) -> Path | None:
        """Locate the file in the cache."""
        return self.place if self.place.is_file() else None

    def download(self) -> Path:
        """Fetch the file into the cache, whole or not at all.

        Raises:
            ValueError: when other bytes come than were to, by their number or by the hash in the file's name.
        """
        size, sha = 0, hashlib.sha256()
        with files.replacing(self.place) as temporary:
            # By this name, as servers refuse Python's own.
            request = Request(self.url, headers={"User-Agent": "torch.hub"})  # noqa: S310  # an address of a library
            with urlopen(request) as answer, temporary.open("wb") as file:  # noqa: S310  # an address of a library
                while block := answer.read(2**20):
                    file.write(block)
                    sha.update(block)
                    size += len(block)
                length = answer.headers.get("Content-Length")
            if length is not None and int(length) != size:
                msg = f"{size} of {length} bytes came"
                raise ValueError(msg)
            named = _HASH.search(self.place.name)
            if named is not None and not sha.hexdigest().startswith(named[1]):
                msg = f"its SHA-256 begins with {sha.hexdigest()[:8]}, not with {named[1]}"
                raise ValueError(msg)
        return self.place


@dataclass(frozen=True, slots=True)
class Repository:
    """Repository of the Hub, kept in its cache, or a folder of the same files."""

    name: str
    files: tuple[str, ...] = HUB_FILES

    def __str__(self) -> str:
        return f"https://huggingface.co/{self.name}"

    def find(self) -> Path | None:
        """Locate the file in the folder or the cache."""
        folder = paths.expanded(Path(self.name))
        inside = [folder / file for file in self.files if (folder / file).is_file()]
        if inside:
            return inside[0]
        hub = import_library(TRANSFORMERS, "huggingface_hub")
        try:
            cached = [hub.try_to_load_from_cache(self.name, file) for file in self.files]
        except ValueError:  # no name of the Hub
            return None
        return next((Path(file) for file in cached if isinstance(file, str)), None)

    def download(self) -> Path:
        """Fetch the first of the files that the repository has."""
        hub = import_library(TRANSFORMERS, "huggingface_hub")
        *others, last = self.files
        for file in others:
            try:
                return Path(hub.hf_hub_download(self.name, file))
            except hub.errors.EntryNotFoundError:
                continue
        return Path(hub.hf_hub_download(self.name, last))


def library_weights(backbone: str, tag: str = "", *, size: int | None = None, download: bool = False) -> Path:
    """Locate the weights that a library publishes for one of its models.

    Args:
        backbone: `library:model`.
        tag: name of the weights, where there are several for a model; the library's default when empty.
        size: of a frame in pixels, where it is not that of the library's default weights.
        download: whether they are fetched where they are not here.

    Raises:
        UsageError: when the backbone is of no library, it publishes no such weights, they are not here, or learnt
            from other pixels than the backbone sees.
        DataError: when they cannot be fetched.
    """
    library, _, model = backbone.partition(":")
    if library not in _PUBLISHED or not model:
        known = ", ".join(sorted(_PUBLISHED))
        msg = f"backbone {backbone!r} is of no library that publishes weights ({known}); name a file in `weights`"
        raise UsageError(msg)
    published = _PUBLISHED[library](model, tag)
    if library == TORCHVISION.name and tag:
        _refuse_other_pixels(model, tag, size)
    path = published.find()
    if path is not None:
        return path
    if not download:
        msg = f"weights of {backbone!r} are not on this machine; `harness run --download` fetches them from {published}"
        raise UsageError(msg)
    try:
        return published.download()
    except Exception as error:
        if out_of_memory(error):
            raise
        problem = " ".join(str(error).split())[:160]
        msg = f"weights of {backbone!r} cannot be fetched from {published} ({type(error).__name__}: {problem})"
        raise DataError(msg) from error


def _of_torchvision(model: str, tag: str) -> Published:
    models = import_library(TORCHVISION, "torchvision.models")
    known = [*models.list_models(module=models.video), *models.list_models(module=models)]
    if model not in known:
        raise unknown_model(TORCHVISION, model, known)
    weights: Any = models.get_model_weights(model)
    if tag and tag not in weights.__members__:
        raise unknown(f"weights of torchvision:{model}:", tag, weights.__members__)
    return Address((weights[tag] if tag else weights.DEFAULT).url)


def _refuse_other_pixels(model: str, tag: str, size: int | None) -> None:
    """Refuse weights of torchvision that learnt from other pixels.

    Other than those of the default weights, which the backbone sees. Frames may be cut out of slightly larger ones.
    """
    weights: Any = import_library(TORCHVISION, "torchvision.models").get_model_weights(model)
    own, usual = weights[tag].transforms(), weights.DEFAULT.transforms()
    if (list(own.mean), list(own.std)) != (list(usual.mean), list(usual.std)):
        msg = f"weights {tag} of torchvision:{model} want pixels normalised in another way than its others; take those"
        raise UsageError(msg)
    wanted, seen = own.crop_size[0], usual.crop_size[0] if size is None else size
    if wanted != usual.crop_size[0] and wanted != seen:
        msg = f"weights {tag} of torchvision:{model} are for frames of {wanted} pixels, not {seen}"
        raise UsageError(f"{msg}; say `size: {wanted}` in the options of the backbone")


def _of_timm(model: str, tag: str) -> Published:
    _refuse_tag(TIMM.name, model, tag)
    timm = import_library(TIMM, "timm")
    name, _, weights = model.partition(".")
    if not timm.is_model(name):
        raise unknown_model(TIMM, name, timm.list_models())
    known = [each.partition(".")[2] for each in timm.list_pretrained(f"{name}.*")]
    if weights and weights not in known:
        raise unknown(f"weights of timm:{name}:", weights, known)
    config = timm.get_pretrained_cfg(model)
    if config is not None and config.hf_hub_id:
        return Repository(config.hf_hub_id, (config.hf_hub_filename,) if config.hf_hub_filename else HUB_FILES)
    if config is None or not config.url:
        msg = f"timm publishes no weights of {model!r}; name a file in `weights`"
        raise UsageError(msg)
    return Address(config.url)


def _of_pytorchvideo(model: str, tag: str) -> Published:
    _refuse_tag(PYTORCHVIDEO.name, model, tag)
    known = known_models()
    if model not in known:
        raise unknown_model(PYTORCHVIDEO, model, known)
    hub = import_library(PYTORCHVIDEO, "pytorchvideo.models.hub")
    module = import_library(PYTORCHVIDEO, getattr(hub, model).__module__)
    addresses = {**getattr(module, "_checkpoint_paths", {}), **getattr(module, "checkpoint_paths", {})}
    if model not in addresses:
        msg = f"pytorchvideo publishes no weights of {model!r}; name a file in `weights`"
        raise UsageError(msg)
    return Address(addresses[model])


def _of_transformers(model: str, tag: str) -> Published:
    _refuse_tag(TRANSFORMERS.name, model, tag)
    return Repository(model)


def _refuse_tag(library: str, model: str, tag: str) -> None:
    if tag:
        msg = f"{library} publishes one file of weights for {model!r}; expected `weights: library`, got tag {tag!r}"
        raise UsageError(msg)


_PUBLISHED: dict[str, Callable[[str, str], Published]] = {
    TORCHVISION.name: _of_torchvision,
    TIMM.name: _of_timm,
    PYTORCHVIDEO.name: _of_pytorchvideo,
    TRANSFORMERS.name: _of_transformers,
}
