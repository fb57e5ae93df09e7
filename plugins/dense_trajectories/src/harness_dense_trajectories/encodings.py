"""From the descriptors of sets of trajectories to a vector of each set: as a Fisher vector, or as a bag of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from harness_dense_trajectories.bag import bags
from harness_dense_trajectories.fisher import fisher_vectors, normalised
from harness_dense_trajectories.gmm import Gmm
from harness_dense_trajectories.pca import Pca


@dataclass(frozen=True, slots=True)
class Fisher:
    """Fisher vectors by a mixture of the principal components, with power and L2 normalisation."""

    pca: Pca
    gmm: Gmm
    form: Literal["paper", "released"] = "paper"

    @property
    def dim(self) -> int:
        """2 K D."""
        return 2 * self.gmm.means.numel()

    def __call__(self, x: Tensor, segments: Tensor) -> Tensor:
        """(V, dim) vectors of sets of descriptors `x` (N, D), which `segments` (V + 1,) cut apart."""
        part = self.pca.project(x.to(self.gmm.means))
        return normalised(fisher_vectors(part, segments, self.gmm, form=self.form))


@dataclass(frozen=True, slots=True)
class Words:
    """Bags of words, as square roots of shares."""

    centres: Tensor
    """(K, D)."""

    @property
    def dim(self) -> int:
        """K."""
        return len(self.centres)

    def __call__(self, x: Tensor, segments: Tensor) -> Tensor:
        """(V, dim) vectors of sets of descriptors `x` (N, D), which `segments` (V + 1,) cut apart."""
        return bags(x.to(self.centres), segments, self.centres)


Encoding = Fisher | Words
