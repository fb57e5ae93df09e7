"""Cards of the method, its backbone and its evaluators."""

from __future__ import annotations

from harness import BackboneCard, EvaluatorCard, MethodCard, Metric, Paper

PAPER = Paper(
    title="Pose from Action: Unsupervised Learning of Pose Features based on Motion",
    authors="Senthil Purushwalkam, Abhinav Gupta",
    year=2016,
    venue="arXiv",
    url="https://arxiv.org/abs/1609.05420",
)

POSE_FROM_ACTION = MethodCard(
    name="pose_from_action",
    summary="tells the motion between two frames from that of other videos, by appearance and motion networks",
    paper=PAPER,
    deviations=(
        "AdamW at 0.0003 unless the options say otherwise; the paper's SGD does not start in small budgets",
        "1,024 hidden units and no dropout unless the options say otherwise; 4,096 in the paper, and 0.5 in VGG-M",
        "every video is shown once an epoch; the paper draws videos at random",
        "flow reversed in time is the negated flow, on the grid of the earlier frame",
        "first weights of the motion branch vary as those of the appearance branch for inputs of equal variance",
        "an example counts three frames: two images and the block of flow between them",
    ),
)

VGG_M = BackboneCard(
    name="vgg_m",
    summary="VGG-M's convolutions and first fully connected layer on single frames, randomly initialised",
    paper=Paper(
        title="Return of the Devil in the Details: Delving Deep into Convolutional Nets",
        authors="Ken Chatfield, Karen Simonyan, Andrea Vedaldi, Andrew Zisserman",
        year=2014,
        venue="BMVC",
        url="https://arxiv.org/abs/1405.3531",
    ),
    dim=4096,
    spatial="feature_map",
    layers=("fc6",),
)


def _share(name: str, title: str) -> Metric:
    return Metric(id=name, title=title, unit="%", higher_is_better=True, bounds=(0.0, 1.0), statistic="mean")


PRETEXT = EvaluatorCard(
    name="pretext",
    summary="Whether a block of flow belongs to two frames, told by the whole network that learnt it",
    paper=PAPER,
    protocol=(
        "Purushwalkam and Gupta 2016, section 3: frames 12 apart of test videos, the block of flow between them and "
        "two blocks of other videos, classified by the network as it was trained. Here: the option pairs says how many "
        "pairs of each video, at random times; the central square; each block is once right and twice wrong; guessing "
        "reaches 66.7 % and a cross-entropy of 0.6365"
    ),
    needs=frozenset({"pretext"}),
    metrics=(
        _share("accuracy", "Accuracy, two wrong for each right"),
        Metric(id="cross_entropy", title="Cross-entropy", unit="nats", higher_is_better=False, statistic="mean"),
        _share("auc", "Area under the ROC curve"),
        _share("same_video", "Own block above another of the video"),
    ),
)

POSE_PAIRS = EvaluatorCard(
    name="pose_pairs",
    summary="The nearest frame of another group in the space of the encoder: is the person's pose alike?",
    paper=PAPER,
    protocol=(
        "Purushwalkam and Gupta 2016, section 4.1: the nearest image by the Euclidean distance of features. Here: the "
        "frames and squares around people of the evaluator pose, test split, nearest of all frames of other groups; "
        "mean distance of the joints that both show, after centre and longer side of the torso's box are made equal"
    ),
    needs=frozenset({"vector", "trainable"}),
    metrics=(
        Metric(
            id="arm_distance",
            title="Distance of elbows and wrists, in sides of the torso",
            unit="1",
            higher_is_better=False,
            statistic="mean",
        ),
        Metric(
            id="joint_distance",
            title="Distance of all joints, in sides of the torso",
            unit="1",
            higher_is_better=False,
            statistic="mean",
        ),
    ),
)
