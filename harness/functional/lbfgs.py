"""Search directions of limited-memory BFGS for many functions at once."""

from __future__ import annotations

import torch
from torch import Tensor


class InverseHessians:
    """L-BFGS approximations of the inverse Hessians of P functions of K numbers.

    In the compact form: a step takes one product of the gradient with the pairs that are kept, two triangular systems
    of the history's size, and one product back. In exact arithmetic that is the usual recursion over pairs, which
    reads them twice as often and launches several kernels for each.

    Args:
        gradients: (P, K) at the start.
        history: number of pairs kept, each a step and what it changed in the gradient.
        scale: (P, K), positive; its square is the diagonal from which the approximations start, up to a factor.

    Source: Byrd, Nocedal and Schnabel, "Representations of quasi-Newton matrices and their use in limited memory
    methods", Mathematical Programming 63, 1994, equation 3.1.
    """

    def __init__(self, gradients: Tensor, history: int, scale: Tensor | None = None) -> None:
        problems, numbers = gradients.shape
        self._scale = gradients.new_ones(problems, 1) if scale is None else scale
        gradients = gradients * self._scale
        self._pairs = gradients.new_zeros(problems, history, 2, numbers)
        """Steps and changes of scaled numbers; a new pair replaces the oldest."""
        self._latest = torch.stack([torch.zeros_like(gradients), gradients], 1)
        """Newest change, and the gradient."""
        self._products = gradients.new_zeros(problems, 2, 0, 0, dtype=torch.float64)
        """Products of steps and changes (rows) with changes, oldest first.

    0 for a pair without positive curvature.
    """
        self._projected = gradients.new_zeros(problems, 0, 2, dtype=torch.float64)
        """Products of steps and changes with the gradient, oldest first."""
        self._seen = 0

    def select(self, keep: Tensor) -> InverseHessians:
        """Select the functions where `keep` (P,) holds."""
        selected = object.__new__(InverseHessians)
        selected._scale, selected._pairs, selected._latest = self._scale[keep], self._pairs[keep], self._latest[keep]
        selected._products, selected._projected = self._products[keep], self._projected[keep]
        selected._seen = self._seen
        return selected

    def correct(self, gradients: Tensor) -> None:
        """Replace the gradients (P, K) of the same points by more exact ones."""
        self._latest[:, 1] = gradients * self._scale
        if self._seen:
            self._projected = self._project()[:, 1]

    def update(self, steps: Tensor, gradients: Tensor) -> None:
        """Add `steps` (P, K), which led to `gradients` (P, K).

        A function whose pair shows no positive curvature, which only rounding can cause where it is convex, ignores
        the pair.
        """
        change, gradient = self._latest.unbind(1)
        gradients = gradients * self._scale
        torch.sub(gradients, gradient, out=change)
        gradient.copy_(gradients)
        history = self._pairs.shape[1]
        newest = self._pairs[:, self._seen % history]
        newest[:, 0], newest[:, 1] = steps / self._scale, change
        self._seen += 1
        by_change, self._projected = self._project().unbind(1)  # (P, n, 2) each
        old = self._products[:, :, 1:, 1:] if self._seen > history else self._products
        positive = torch.cat([old[:, 0].diagonal(dim1=1, dim2=2), by_change[:, -1:, 0]], 1) > 0
        by_change = torch.where(positive[:, None] & positive[:, None, -1:], by_change.mT, 0.0)  # (P, 2, n)
        size = by_change.shape[2]
        self._products = by_change.new_zeros(len(steps), 2, size, size)
        self._products[:, :, :-1, :-1] = old
        self._products[:, :, :, -1] = by_change
        self._products[:, 1, -1] = by_change[:, 1]

    def directions(self) -> Tensor:
        """(P, K) minus the products of the inverse Hessians and the gradients."""
        gradient = self._latest[:, 1]
        if not self._seen:
            return -gradient * self._scale
        steps_by_changes, changes = self._products.unbind(1)
        curvature = steps_by_changes.diagonal(dim1=1, dim2=2)
        positive = curvature > 0
        # A pair that is ignored has a row and a column of the identity, and projections of 0.
        upper = steps_by_changes.triu() + torch.diag_embed((~positive).to(curvature))
        by_steps, by_changes = (self._projected * positive[:, :, None])[..., None].unbind(2)  # (P, n, 1) each
        newest = torch.where(positive[:, -1], curvature[:, -1] / changes[:, -1, -1], 1.0)[:, None, None]
        inner = torch.linalg.solve_triangular(upper, by_steps, upper=True)
        middle = curvature[:, :, None] * inner + newest * (changes @ inner - by_changes)
        outer = torch.linalg.solve_triangular(upper.mT, middle, upper=False)
        factors = self._turned(torch.cat([outer, -newest * inner], 2), oldest_first=False)
        kept = self._pairs[:, : factors.shape[1]].flatten(1, 2)
        product = torch.bmm(factors.to(gradient).flatten(1)[:, None], kept)[:, 0]
        return product.addcmul_(newest[:, :, 0].to(gradient), gradient).mul_(self._scale).neg_()

    def _project(self) -> Tensor:
        """Products of change and gradient with the pairs, oldest first.

        (P, 2, n, 2) float64.
        """
        size = min(self._seen, self._pairs.shape[1])
        products = torch.bmm(self._latest, self._pairs[:, :size].flatten(1, 2).mT).to(torch.float64)
        return self._turned(products.view(-1, 2, size, 2).transpose(1, 2), oldest_first=True).transpose(1, 2)

    def _turned(self, of_pairs: Tensor, *, oldest_first: bool) -> Tensor:
        """(P, n, ...) between the order of memory and the order of time."""
        turn = self._seen % self._pairs.shape[1]
        if of_pairs.shape[1] < self._pairs.shape[1] or not turn:
            return of_pairs
        return of_pairs.roll(-turn if oldest_first else turn, 1)
