"""Names and metadata of our encoders as MTEB writes them."""

from __future__ import annotations

import re
from typing import Any

ORGANISATION = "video-harness"
"""First half of the names of our models there."""


def model_name(method: str, backbone: str | None, key: str) -> str:
    """Name of the model that a fit is.

    >>> model_name("sfa", "timm:vit_small/16", "3f2a41c09b77e0")
    'video-harness/sfa-timm.vit_small.16-3f2a41c09b77'
    """
    parts = [method, *([] if backbone is None else [backbone]), key[:12]]
    return f"{ORGANISATION}/" + "-".join(map(_plain, parts))


def task_name(data: str, evaluator: str) -> str:
    """Name of the task that an evaluator is on a data set; never one of MTEB's own.

    >>> task_name("mocap-actions(size=mini)", "knn(k=5)")
    'VideoHarness-mocap-actions.size.mini-knn.k.5'
    """
    return "-".join(["VideoHarness", *(_plain(label).strip(".") for label in (data, evaluator))])


def metadata_fields(name: str, revision: str, **known: Any) -> dict[str, Any]:
    """All fields that MTEB's metadata of a model must have; None where unknown."""
    unknown = (
        "loader",
        "release_date",
        "languages",
        "n_parameters",
        "memory_usage_mb",
        "max_tokens",
        "embed_dim",
        "license",
        "open_weights",
        "public_training_code",
        "public_training_data",
        "training_datasets",
    )
    return {
        "name": name,
        "revision": revision,
        **dict.fromkeys(unknown),
        "framework": ["PyTorch"],
        "similarity_fn_name": "cosine",
        "use_instructions": False,
        "modalities": ["video"],
        **known,
    }


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", ".", text)
