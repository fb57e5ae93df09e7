"""Rows of the table: a benchmark each, with the goal that its ratio has."""

from __future__ import annotations

from dataclasses import dataclass

PRODUCTS = "its matrix products alone"
"""Peer that computes nothing else: how much faster ours could become at all."""


@dataclass(frozen=True)
class Row:
    """A benchmark of `benchmarks/`.

    Attributes:
        path: what is measured, and on what.
        test: pytest's name of the benchmark.
        unit: plural of what a call does.
        goal: times as fast as the peer that ours should be.
        judged: the peer that the goal is of; every one where None.
        note: what a reader has to know.
    """

    path: str
    test: str
    unit: str
    goal: float | None = None
    judged: str | None = None
    note: str = ""

    def goal_beside(self, peer: str) -> float | None:
        """Goal for the ratio to one peer."""
        return self.goal if self.judged in (None, peer) and peer != PRODUCTS else None


def _decode(codec: str, stride: int) -> Row:
    path = f"16 frames {stride} apart of 320 x 240, decoded and resized to 112 x 112; {codec}"
    return Row(path, f"test_decode.py::test_decode[{codec}-{stride}-1]", "clips", 1.1)


def _few_shot(spectrum: str, draws: int) -> Row:
    path = f"few-shot, 4 shots x {draws} draws, 101 classes x 512, {spectrum} spectrum"
    return Row(path, f"test_few_shot.py::test_shots_and_draws[{spectrum}-{draws}]", "problems", 6)


def _strengths(spectrum: str, n: int) -> Row:
    path = f"nine strengths, {n:,} x 512, 101 classes, {spectrum} spectrum"
    return Row(path, f"test_linear_probe.py::test_strength_search[{spectrum}-{n}]", "problems", 4, "scikit-learn")


TRAJECTORIES = "other code is under the GPL and not measured here: 11 to 18 frames/s"
ROWS = (
    _decode("h264, a key frame every 12", 1),
    _decode("h264, one key frame", 1),
    _decode("h264, one key frame", 4),
    Row("ten clips of a video, h264, one key frame", "test_clips.py::test_ten_clips[h264]", "clips", 5),
    Row("a data set's middle clips, h264, one key frame", "test_clips.py::test_data_set[h264]", "clips"),
    Row("encode 24 videos, 3 clips each, small_3d", "test_encode.py::test_encode", "clips", 1.2),
    Row(
        "dense trajectories, DIS flow, ORB",
        "test_dense_trajectories.py::test_frames_a_second[orb-dis]",
        "frames",
        note=TRAJECTORIES,
    ),
    Row(
        "dense trajectories, Farneback flow, SIFT",
        "test_dense_trajectories.py::test_frames_a_second[sift-farneback]",
        "frames",
        note=TRAJECTORIES,
    ),
    Row("TV-L1 flow, 320 x 240", "test_flow.py::test_tvl1", "pairs", 3, "OpenCV"),
    Row("k-means, 10 seeds, 10,000 x 512, k = 101, apart", "test_kmeans.py::test_ten_seeds[0.75-1.0]", "runs", 1.8),
    Row("the same, overlapping", "test_kmeans.py::test_ten_seeds[0.5-0.95]", "runs", 1.8),
    Row("EM, 5 iterations, 20,000 x 64, K = 64", "test_gmm.py::test_five_iterations[64-1.0]", "points", 2),
    Row("EM, 5 iterations, 20,000 x 64, K = 256", "test_gmm.py::test_five_iterations[256-1.2]", "points", 2),
    Row("EM to convergence, 5,000 x 64, K = 64", "test_gmm.py::test_from_k_means_to_convergence", "points", 2),
    Row("Fisher vector of 5,000 x 64, K = 256", "test_fisher.py::test_fisher_vectors[1-64]", "videos", 5),
    Row("Fisher vectors of 8 x 5,000 x 64, K = 256", "test_fisher.py::test_fisher_vectors[8-64]", "videos", 5),
    Row("VLAD of 5,000 x 198, 499 concepts", "test_vlad.py::test_beside_numpy", "videos"),
    _few_shot("flat", 20),
    _few_shot("steep", 4),
    _strengths("flat", 9_494),
    _strengths("steep", 2_020),
    Row("seven costs of an SVM, 2,400 x 256, 32 classes", "test_linear_svm.py::test_cost_search", "problems", 10),
    Row("nine MLP probes, 20 steps of 256 x 512, 101 classes", "test_mlp_probe.py::test_grid", "samples", 1),
    Row("200 neighbours of 3,783 among 9,537 x 512", "test_knn.py::test_nearest", "queries", 1.5),
    Row("spectral, 10,000 x 1,024, k = 101", "test_spectral.py::test_graph_of_neighbours", "points", 9),
    Row("R3D-18 forward, 16 x 112 x 112", "test_video_networks.py::test_forward[r3d_18]", "clips"),
    Row("R(2+1)D-18 forward, 16 x 112 x 112", "test_video_networks.py::test_forward[r2plus1d_18]", "clips"),
    Row("a step of R3D-18", "test_training_step.py::test_training_step[supervised-r3d_18]", "clips", 1),
    Row("a step of R(2+1)D-18", "test_training_step.py::test_training_step[supervised-r2plus1d_18]", "clips", 1),
    Row("12 steps of small_2d", "test_training_step.py::test_training_step[supervised-small_2d]", "clips", 1),
)
