"""Files of TensorBoard's embedding projector, for `tensorboard --logdir FOLDER`."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from harness.embeddings.scatter import scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.pictures.sheet import Frame

LARGEST = 8192
"""Largest side of a sprite image that browsers load as a texture, in pixels."""

SPRITE = 64
"""Side of a thumbnail in it, where so many fit."""


def projector_files(
    vectors: NDArray[np.float32], columns: Mapping[str, Sequence[object]], thumbnails: Frame, *, name: str
) -> dict[str, bytes]:
    """Build the projector's files by name: vectors, metadata, sprites, configuration.

    Args:
        vectors: (N, D) float32.
        columns: for each of at least two headings, N values.
        thumbnails: (N, S, S, 3) uint8 RGB.
        name: what the projector calls them.
    """
    tensors = io.BytesIO()
    np.savetxt(tensors, vectors, fmt="%.9g", delimiter="\t")
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    metadata = "".join("\t".join(" ".join(str(value).split()) for value in row) + "\n" for row in rows)
    image, side = _sprites(thumbnails)
    config = (
        "embeddings {\n"
        f"  tensor_name: {json.dumps(name)}\n"
        '  tensor_path: "tensors.tsv"\n'
        '  metadata_path: "metadata.tsv"\n'
        "  sprite {\n"
        '    image_path: "sprite.png"\n'
        f"    single_image_dim: {side}\n"
        f"    single_image_dim: {side}\n"
        "  }\n"
        "}\n"
    )
    return {
        "tensors.tsv": tensors.getvalue(),
        "metadata.tsv": metadata.encode(),
        "sprite.png": image,
        "projector_config.pbtxt": config.encode(),
    }


def _sprites(thumbnails: Frame) -> tuple[bytes, int]:
    """Draw thumbnails row by row: a square PNG, and the side of each in pixels."""
    across = math.ceil(math.sqrt(len(thumbnails)))
    side = min(SPRITE, LARGEST // across)
    sheet = np.zeros((across, across, side, side, 3), dtype=np.uint8)
    for index, thumbnail in enumerate(thumbnails):
        sheet[divmod(index, across)] = scaled(thumbnail, side)
    png = io.BytesIO()
    Image.fromarray(sheet.swapaxes(1, 2).reshape(across * side, across * side, 3)).save(png, "PNG")
    return png.getvalue(), side
