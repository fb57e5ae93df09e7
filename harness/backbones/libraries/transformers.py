"""Video networks of transformers, and its image networks on each frame."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from harness.backbones.cards import TRANSFORMERS, LibraryCard, model_card
from harness.backbones.libraries.anatomy import examine, on_meta, remove
from harness.backbones.libraries.forwarding import OverTime, on_frames, replace_forward
from harness.backbones.libraries.importing import import_library, unknown_model
from harness.cards import View
from harness.errors import UsageError, unknown
from harness.system import paths
from harness.system.hashing import digest
from harness.system.seeding import seeded
from harness.values import Inputs

FILES = ("config.json", "preprocessor_config.json", "video_preprocessor_config.json")
"""Files that say what a network is, and what it is shown."""
FRAMES = ("num_frames", "frames_per_clip")
"""Names of the frames of a clip in configurations of video networks."""
SIZE = ("image_size", "crop_size")
"""Names of the size of a frame in configurations."""
DERIVED = ("out_features", "out_indices", "stage_names")
"""Parts of a configuration that follow from the depth, and are of detectors."""
CLASS_TOKENS = ("cls_token", "class_embedding", "class_token")
"""Names of the parameter that is the first token."""

Pool = Literal["class", "mean"]


class Transformers:
    """Network of transformers, by `AutoConfig` and `AutoModel`.

    Its weights are random. A video network sees a clip as a whole; an image network is applied to each frame. Mean,
    standard deviation and short side are those of the processor that lies beside the configuration, else ImageNet's.

    Args:
        model: a folder with `config.json`, a name on the Hub that is in the local cache, or a type of model such as
            `videomae`, which is built with the library's defaults.
        frames: of a clip; those of the configuration when None, 8 for image networks.
        stride: from one of them to the next; `uniform` spreads them over the video.
        size: of a frame in pixels; that of the configuration when None.
        over_time: of an image network, `mean` of the frames' vectors, or their `sequence`.
        pool: `class` token, or `mean` of the others; the class token when None, where there is one.
        options: of the configuration.

    Raises:
        UsageError: when transformers is not installed, there is no such model here, or an option is unknown.
    """

    library: ClassVar[LibraryCard] = TRANSFORMERS

    def __init__(
        self,
        model: str,
        /,
        *,
        frames: int | None = None,
        stride: int | Literal["uniform"] = 4,
        size: int | None = None,
        over_time: OverTime = "mean",
        pool: Pool | None = None,
        **options: Any,
    ) -> None:
        files = _files(model)
        config = _config(model, files)
        frames_name, size_name = (
            next((name for name in names if hasattr(config, name)), "") for names in (FRAMES, SIZE)
        )
        if over_time != "mean" and frames_name:
            msg = f"option over_time is of image networks; {model!r} of transformers sees a clip as a whole"
            raise UsageError(msg)
        chosen = dict(options)
        if frames_name and frames is not None:
            chosen[frames_name] = frames
        if size_name and size is not None:
            chosen[size_name] = [size, size] if isinstance(getattr(config, size_name), list | tuple) else size
        self._config = _changed(model, config, chosen)
        self._is_video, self._over_time, self._pool = bool(frames_name), over_time, pool
        seen = _Processing.of(files, video=self._is_video)
        side = _side(getattr(self._config, size_name)) if size_name else size or seen.crop
        view = View(
            frames=getattr(self._config, frames_name) if frames_name else frames or 8,
            stride=stride,
            size=side,
            resize=round(seen.short_side * side / seen.crop),
        )
        self.inputs = Inputs(view=view, mean=seen.mean, std=seen.std, scale=seen.scale, order=seen.order)
        self.content = _content(files)
        network = on_meta(self._create)
        self._anatomy = examine(network, view, _blocks(network))
        kind = "" if self._is_video else f" on each frame, {over_time} over time"
        self.card = model_card(
            TRANSFORMERS,
            Path(model).name,
            f"{type(network).__name__} of transformers{kind}, randomly initialised",
            self._anatomy,
        )

    def build(self, *, seed: int) -> nn.Module:
        """Build a new network, normalised float clips (B, 3, T, H, W) -> (B, *shape)."""
        with seeded(seed):
            network = self._create()
        remove(network, self._anatomy.unused)
        return network

    def converted(self, file: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of a file, which has the names of the release that wrote it."""
        transformers = import_library(TRANSFORMERS, "transformers")
        kind: Any = type(on_meta(self._create))
        with _silent(transformers.logging):
            network, told = kind.from_pretrained(
                None,
                config=self._config,
                state_dict=dict(file),
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        reshaped = {name: torch.empty(shape) for name, shape, _ in told["mismatched_keys"]}
        unexpected = {name: file.get(name, torch.empty(0)) for name in told["unexpected_keys"]}
        lost = reshaped.keys() | set(told["missing_keys"])
        renamed = {name: tensor for name, tensor in network.state_dict().items() if name not in lost}
        return {**renamed, **reshaped, **unexpected}

    def _create(self) -> nn.Module:
        auto = import_library(TRANSFORMERS, "transformers").AutoModel
        network: nn.Module = auto.from_config(self._config, dtype=torch.float32, trust_remote_code=False)
        has_class = any(name.endswith(CLASS_TOKENS) for name, _ in network.named_parameters())
        if self._pool == "class" and not has_class:
            msg = f"option pool='class': {type(network).__name__} of transformers has no class token; expected 'mean'"
            raise UsageError(msg)
        extra = has_class + (getattr(self._config, "num_register_tokens", None) or 0)
        mean = self._pool == "mean" or not has_class
        forward = partial(_vectors, extra=extra, mean=mean, arguments=_arguments(network))
        if self._is_video:
            return replace_forward(network, partial(_clip_vectors, forward=forward))
        return on_frames(network, self._over_time, forward)


@contextlib.contextmanager
def _silent(logging: Any) -> Iterator[None]:
    """Silence reports and progress of the library in the block."""
    verbosity, progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if progress:
            logging.enable_progress_bar()


def _clip_vectors(network: nn.Module, clips: Tensor, *, forward: partial[Tensor]) -> Tensor:
    return forward(network, clips.transpose(1, 2))  # (B, T, C, H, W)


def _vectors(network: nn.Module, pixels: Tensor, *, extra: int, mean: bool, arguments: Mapping[str, Any]) -> Tensor:
    """Pool the last hidden state: tokens (N, L, dim), or maps as the network does."""
    output: Any = type(network).forward(network, pixels, **arguments)
    hidden: Tensor = output.last_hidden_state
    if hidden.ndim == 4:
        pooled: Tensor | None = getattr(output, "pooler_output", None)
        return hidden.mean((2, 3)) if pooled is None else pooled.flatten(1)
    return hidden[:, extra:].mean(1) if mean else hidden[:, 0]


def _arguments(network: nn.Module) -> dict[str, Any]:
    """Arguments of the forward pass that leave out what is for pretraining."""
    known = inspect.signature(type(network).forward).parameters
    return {name: True for name in ("skip_predictor",) if name in known}


def _blocks(network: nn.Module) -> tuple[str, ...]:
    """Name the blocks of a network: the members of its outermost list."""
    lists = [(name.count("."), name, one) for name, one in network.named_modules() if isinstance(one, nn.ModuleList)]
    if not lists:
        return ()
    _, name, blocks = min(lists, key=lambda found: found[0])
    return tuple(f"{name}.{number}" for number in range(len(blocks)))


def _files(model: str) -> dict[str, Path]:
    """Files of a model in its folder or the local cache of the Hub; none for a type."""
    hub = import_library(TRANSFORMERS, "huggingface_hub")
    folder = paths.expanded(Path(model))
    if not (folder / FILES[0]).is_file():
        try:
            cached = hub.try_to_load_from_cache(model, FILES[0])
        except ValueError:  # no name of the Hub
            return {}
        if not isinstance(cached, str):
            return {}
        folder = Path(cached).parent
    return {name: folder / name for name in FILES if (folder / name).is_file()}


def _config(model: str, files: Mapping[str, Path]) -> Any:
    """Load the configuration of a model, or make that of a type of model.

    Of a model of images and texts it is that of images.

    Raises:
        UsageError: when there is neither.
    """
    transformers = import_library(TRANSFORMERS, "transformers")
    if files:
        folder = str(files[FILES[0]].parent)
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        return getattr(config, "vision_config", config)
    if model in transformers.CONFIG_MAPPING:
        config = transformers.AutoConfig.for_model(model)
        return getattr(config, "vision_config", config)
    if "/" not in model:
        raise unknown_model(TRANSFORMERS, model, transformers.CONFIG_MAPPING.keys())
    msg = (
        f"model {model!r} of transformers is not here: expected a folder with config.json, or a name that was "
        f"downloaded, as by `hf download {model}`"
    )
    raise UsageError(msg)


def _changed(model: str, config: Any, options: Mapping[str, Any]) -> Any:
    """Change a configuration by options that it knows.

    Raises:
        UsageError: when it does not know one.
    """
    known = config.to_dict()
    for option in options:
        if option not in known:
            raise unknown(f"option of model {model!r} of transformers:", option, known)
    stated = {name: value for name, value in known.items() if name not in DERIVED}
    return type(config).from_dict({**stated, **options})


OPTIONS = (
    *("do_rescale", "offset", "rescale_offset", "do_normalize", "include_top", "do_flip_channel_order"),
    "do_center_crop",
)
"""Switches of processors that change pixels."""
WARPED = 384
"""Pixels from which ConvNeXT's processor crops nothing."""


@dataclass(frozen=True, slots=True)
class _Processing:
    """Pixels that a network is shown, by its processor."""

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    scale: float = 1 / 255
    order: Literal["rgb", "bgr"] = "rgb"
    short_side: int = 224
    crop: int = 224

    @classmethod
    def of(cls, files: Mapping[str, Path], *, video: bool) -> _Processing:
        """Read the processor beside a configuration; ImageNet's without one."""
        if not files.keys() & {*FILES[1:]}:
            return cls()
        transformers = import_library(TRANSFORMERS, "transformers")
        auto = transformers.AutoVideoProcessor if video else transformers.AutoImageProcessor
        processor = auto.from_pretrained(str(files[FILES[0]].parent), local_files_only=True, trust_remote_code=False)
        said = {name for name in OPTIONS if getattr(processor, name, None)}
        mean: tuple[float, ...] = (0.0,) * 3
        std: tuple[float, ...] = (1.0,) * 3
        if "do_normalize" in said:
            mean, std = tuple(processor.image_mean), tuple(processor.image_std)
            if "include_top" in said:  # EfficientNet's divides twice
                std = tuple(one * one for one in std)
        offset = 1.0 if said & {"offset", "rescale_offset"} else 0.0  # pixels from -1 to 1 before that
        side = _short_side(processor.size)
        return cls(
            mean=tuple(one + offset for one in mean),
            std=std,
            scale=processor.rescale_factor if "do_rescale" in said else 1.0,
            order="bgr" if "do_flip_channel_order" in said else "rgb",
            short_side=_enlarged(side, processor),
            crop=_short_side(processor.crop_size) if "do_center_crop" in said else side,
        )


def _enlarged(side: int, processor: Any) -> int:
    """Short side that a frame is resized to by processors that crop a share of it."""
    share, kind = getattr(processor, "crop_pct", None), type(processor).__name__
    if share and not (side >= WARPED and kind.startswith("ConvNext")):
        return int(side / share)
    return int(side * 256 / 224) if kind.startswith("Levit") and processor.size.get("shortest_edge") else side


def _short_side(size: Mapping[str, Any]) -> int:
    return int(size.get("shortest_edge") or min(size["height"], size["width"]))


def _side(size: Any) -> int:
    """Size of a frame, which is square."""
    return int(size[0]) if isinstance(size, list | tuple) else int(size)


def _content(files: Mapping[str, Path]) -> str:
    """Hash what the files say; empty where there are none."""
    said = {name: json.loads(path.read_bytes()) for name, path in files.items()}
    for name in ("_name_or_path", "transformers_version"):
        said.get(FILES[0], {}).pop(name, None)
    return digest(said) if said else ""
