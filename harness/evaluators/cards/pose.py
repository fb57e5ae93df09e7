"""The pose protocol's card."""

from __future__ import annotations

from harness.cards import EvaluatorCard, Metric, Paper, Point

THRESHOLDS = (0.1, 0.2, 0.3, 0.4)
"""Of PDJ, in torso diameters."""


def pdj_id(joint: str, threshold: float, diagonal: str = "lsho_rhip") -> str:
    """`pdj_elbow_0.2_lsho_rhip`: the joint, the threshold, and between which joints the torso is measured."""
    return f"pdj_{joint}_{threshold}_{diagonal}"


def _share(name: str, title: str, point: Point | None = None) -> Metric:
    return Metric(
        id=name, title=title, unit="%", higher_is_better=True, bounds=(0.0, 1.0), statistic="mean", point=point
    )


POSE = EvaluatorCard(
    name="pose",
    summary="Heat maps of nine joints from a frozen feature map: does it show where arms are?",
    paper=Paper(
        title="Pose from Action: Unsupervised Learning of Pose Features based on Motion",
        authors="Senthil Purushwalkam, Abhinav Gupta",
        year=2016,
        venue="arXiv",
        url="https://arxiv.org/abs/1609.05420",
    ),
    protocol=(
        "Purushwalkam and Gupta 2016, FLIC: square around the true torso, deconvolution of stride 4 and 1x1 "
        "convolution to nine 60x60 maps, balanced squared error, centroid of the 20 highest pixels, strict PCP, PDJ. "
        "Here: the feature map is frozen; 2 frames a video; square of 3 torso boxes; input size for a 15x15 feature "
        "map, standardised on train; kernel 8, 16 channels, a last bias for each pixel; Adam, 150 steps of 32, cosine; "
        "learning rate 3e-3, 1e-2 or 3e-2 by strict PCP on a group-disjoint fifth of train; refit on all of train; "
        "torso diameter from left shoulder to right hip"
    ),
    needs=frozenset({"feature_map"}),
    metrics=(
        _share("strict_pcp_arms", "Strict PCP, arms"),
        _share("strict_pcp_upper_arm", "Strict PCP, upper arm"),
        _share("strict_pcp_lower_arm", "Strict PCP, lower arm"),
        *(
            _share(
                pdj_id(joint, threshold),
                f"PDJ {joint} @ {threshold}",
                Point(curve=joint, axis="threshold, torso diameters", at=threshold),
            )
            for joint in ("elbow", "wrist")
            for threshold in THRESHOLDS
        ),
    ),
)
