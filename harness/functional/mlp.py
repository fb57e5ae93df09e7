"""Classifiers of one hidden layer, many in one batch."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.functional.probes import Parameters, affine
from harness.functional.product import product


def mlp_parameters(dim: int, width: int, classes: int, *, count: int, seed: int) -> Parameters:
    """Parameters of new classifiers, as torch draws those of linear layers.

    Each is (count, ...) float32 on the CPU.

    Args:
        dim: D, length of a vector.
        width: units of the hidden layer.
        classes: C.
        count: how many classifiers.
        seed: of the weights.

    >>> {name: tuple(value.shape) for name, value in mlp_parameters(4, 8, 3, count=2, seed=0).items()}
    {'hidden_weight': (2, 8, 4), 'hidden_bias': (2, 8), 'class_weight': (2, 3, 8), 'class_bias': (2, 3)}
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape: int, inputs: int) -> Tensor:
        return torch.empty(count, *shape).uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)

    return {
        "hidden_weight": uniform(width, dim, inputs=dim),
        "hidden_bias": uniform(width, inputs=dim),
        "class_weight": uniform(classes, width, inputs=width),
        "class_bias": uniform(classes, inputs=width),
    }


def mlp_logits(parameters: Parameters, x: Tensor) -> Tensor:
    """Logits of P classifiers for vectors (B, D) that all share: (P, B, C).

    A linear layer, ReLU, a linear layer.
    """
    return affine(parameters, "class", _hidden(parameters, x))


def mlp_gradients(parameters: Parameters, x: Tensor, targets: Tensor) -> Parameters:
    """Gradients of the mean cross-entropy of each of P classifiers.

    Args:
        parameters: of the classifiers.
        x: (B, D) vectors.
        targets: (B,) int64 classes.
    """
    hidden = _hidden(parameters, x)
    errors = affine(parameters, "class", hidden).softmax(2)
    errors[:, torch.arange(len(x), device=x.device), targets] -= 1
    errors /= len(x)
    back = (errors @ parameters["class_weight"]).mul_(hidden > 0).transpose(0, 1).flatten(1)  # (B, P * width)
    shape = parameters["hidden_weight"].shape
    return {
        "hidden_weight": product(back.mT, x).reshape(shape),
        "hidden_bias": back.sum(0).view(shape[:2]),
        "class_weight": errors.mT @ hidden,
        "class_bias": errors.sum(1),
    }


def _hidden(parameters: Parameters, x: Tensor) -> Tensor:
    """Hidden layer (P, B, width), computed as one product for all classifiers."""
    weight, bias = parameters["hidden_weight"], parameters["hidden_bias"]
    units = product(x, weight.flatten(0, 1).mT, bias.flatten()).relu_()  # (B, P * width)
    return units.view(len(x), *bias.shape).transpose(0, 1)
