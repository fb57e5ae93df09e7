"""Losses of embedded videos against a memory bank: instances and clusters."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid

IMAGENET_Z = 2876934.2
"""Normaliser that the released code has for ImageNet's images."""
IMAGENET = 1_281_167
"""Images of ImageNet's training set."""

Normaliser = Literal["first_batch", "scaled", "released"]
"""Source of the normaliser Z of noise-contrastive estimation.

- `first_batch`: N times the mean of exp(d m / tau) over the entries that the first batch meets, kept from then on.
- `scaled`: `IMAGENET_Z` scaled to the number of videos; 2.2 N, which random unit vectors of length 128 have too.
- `released`: `IMAGENET_Z` itself, whatever the number of videos.
"""


def softmax_loss(vectors: Tensor, bank: Tensor, videos: Tensor, temperature: float = 0.07) -> Tensor:
    """Negative log likelihood of each video among all of the bank, (B,).

    Args:
        vectors: (B, D) of length 1.
        bank: (N, D), rows of length 1.
        videos: (B,) int64 rows of the vectors' videos.
        temperature: tau.

    Source: Tokmakov, Hebert and Schmid 2020, eq. 2.

    >>> softmax_loss(torch.tensor([[1.0, 0.0]]), torch.eye(2), torch.tensor([0]), temperature=1.0)
    tensor([0.3133])
    """
    return cross_entropy(vectors @ bank.mT / temperature, videos, reduction="none")


def sampled_softmax_loss(vectors: Tensor, own: Tensor, noise: Tensor, count: int, temperature: float = 0.07) -> Tensor:
    """Negative log likelihood with a denominator estimated from a sample, (B,).

    The sum over the N - 1 other entries is (N - 1) / k times that over a sample of k.

    Args:
        vectors: (B, D) of length 1.
        own: (B, D) entries of the vectors' videos.
        noise: (B, k, D) entries of others.
        count: N, entries of the bank.
        temperature: tau.

    Source: Tokmakov, Hebert and Schmid 2020, section 4.2, "negative samples for approximating the denominator".
    """
    first, others = _logits(vectors, own, noise, temperature)
    others = others + math.log((count - 1) / noise.shape[1])
    return torch.cat([first[:, None], others], dim=1).logsumexp(1) - first


def nce_loss(
    vectors: Tensor, own: Tensor, noise: Tensor, count: int, log_z: Tensor, temperature: float = 0.07
) -> Tensor:
    """Noise-contrastive estimation of the instance softmax, (B,).

    -log h(own) - sum over k noise entries of log(1 - h), where h = p / (p + k / N) and p = exp(d m / tau) / Z.

    Args:
        vectors: (B, D) of length 1.
        own: (B, D) entries of the vectors' videos.
        noise: (B, k, D) entries drawn uniformly.
        count: N, entries of the bank.
        log_z: log of the normaliser, ().
        temperature: tau.

    Source: Wu, Xiong, Yu and Lin, "Unsupervised feature learning via non-parametric instance discrimination", CVPR
    2018, eq. 7; the released code of Tokmakov et al.
    """
    first, others = _logits(vectors, own, noise, temperature)
    shift = log_z + math.log(noise.shape[1] / count)
    return -logsigmoid(first - shift) - logsigmoid(shift - others).sum(1)


def log_normaliser(source: Normaliser, count: int, logits: Tensor) -> Tensor:
    """Logarithm of the normaliser Z, ().

    Args:
        source: constant or measurement that Z is.
        count: N, entries of the bank.
        logits: (B, k) similarities over tau of the first batch, for `first_batch`.

    >>> round(log_normaliser("scaled", 1_281_167, torch.zeros(1, 1)).exp().item() / 1_281_167, 3)
    2.246
    """
    if source == "first_batch":
        return logits.detach().flatten().logsumexp(0) - math.log(logits.numel()) + math.log(count)
    z = IMAGENET_Z if source == "released" else IMAGENET_Z * count / IMAGENET
    return logits.new_tensor(math.log(z))


def neighbourhoods(similarities: Tensor, labels: Tensor, videos: Tensor, background: int) -> tuple[Tensor, Tensor]:
    """Find background neighbours of each video, and which of them are close.

    B is the `background` entries with the largest similarity, the video's own as a rule among them; C is the union of
    the clusters that contain the video, one of each clustering.

    Args:
        similarities: (B, N) of the videos' vectors to all entries.
        labels: (m, N) cluster of each entry in m clusterings.
        videos: (B,) int64.
        background: k.

    Returns:
        indices (B, k) int64 of B; a mask (B, k) of those that are in C too.

    Source: Zhuang, Zhai and Yamins, "Local aggregation for unsupervised learning of visual embeddings", ICCV 2019,
    section 3; Tokmakov, Hebert and Schmid 2020, section 3.2.

    >>> similarities = torch.tensor([[1.0, 0.5, 0.9, 0.1]])
    >>> neighbourhoods(similarities, torch.tensor([[0, 0, 1, 1], [0, 1, 2, 0]]), torch.tensor([0]), 3)
    (tensor([[0, 2, 1]]), tensor([[ True, False,  True]]))
    """
    near = similarities.topk(background, dim=1).indices
    same = labels[:, near] == labels[:, videos, None]
    return near, same.any(0)


def aggregation_loss(vectors: Tensor, near: Tensor, close: Tensor, temperature: float = 0.07) -> Tensor:
    """Local aggregation: -log P(C and B | d) / P(B | d) of each video, (B,).

    Where no background neighbour is close the loss is 0, without gradient.

    Args:
        vectors: (B, D) of length 1.
        near: (B, k, D) entries of the background neighbours.
        close: (B, k) bool, those that are close.
        temperature: tau.

    Source: Tokmakov, Hebert and Schmid 2020, eq. 3 and 4; the normaliser of eq. 2 cancels.

    >>> entries = torch.eye(3)[None]
    >>> aggregation_loss(entries[:, 0], entries, torch.tensor([[True, True, False]]), temperature=1.0)
    tensor([0.2382])
    """
    logits = torch.einsum("bd,bkd->bk", vectors, near) / temperature
    counted = close | ~close.any(1, keepdim=True)  # an empty set as the whole one: a ratio of 1
    return logits.logsumexp(1) - logits.masked_fill(~counted, -math.inf).logsumexp(1)


def _logits(vectors: Tensor, own: Tensor, noise: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Similarities over the temperature to the own entry (B,) and the noise (B, k)."""
    return (vectors * own).sum(1) / temperature, torch.einsum("bd,bkd->bk", vectors, noise) / temperature
