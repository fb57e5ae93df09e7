"""AdamW for many problems in one batch, each with rates of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

BETAS = 0.9, 0.999
EPS = 1e-8


class AdamW:
    """AdamW on parameters (P, ...) of P problems; torch's has one rate for a tensor.

    Args:
        parameters: by name, changed in place.
        lrs: (P,) learning rates.
        decays: (P,) weight decays.
        decayed: names of the parameters that decay.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
    """

    def __init__(self, parameters: Mapping[str, Tensor], lrs: Tensor, decays: Tensor, decayed: Collection[str]) -> None:
        self._parameters = parameters
        self._lrs = lrs
        self._decays = decays
        self._decayed = decayed
        self._means = {name: torch.zeros_like(value) for name, value in parameters.items()}
        self._squares = {name: torch.zeros_like(value) for name, value in parameters.items()}
        self._steps = 0

    @torch.no_grad()
    def step(self, gradients: Mapping[str, Tensor], factor: float = 1.0) -> None:
        """Take a step at `factor` times the learning rates."""
        self._steps += 1
        corrections = [1 - beta**self._steps for beta in BETAS]
        rates = self._lrs * factor
        for name, value in self._parameters.items():
            gradient, shape = gradients[name], (-1, *[1] * (value.ndim - 1))
            mean = self._means[name].lerp_(gradient, 1 - BETAS[0])
            square = self._squares[name].mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
            if name in self._decayed:
                value.mul_((1 - rates * self._decays).view(shape))
            size = square.sqrt().div_(corrections[1] ** 0.5).add_(EPS)
            value.sub_(size.reciprocal_().mul_(mean).mul_((rates / corrections[0]).view(shape)))
