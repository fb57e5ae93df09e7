"""Cards of the methods, their backbones and their evaluators."""

from __future__ import annotations

from harness import BackboneCard, EvaluatorCard, MethodCard, Metric, Paper

PAPER = Paper(
    title="Action recognition based on efficient deep feature learning in the spatio-temporal domain",
    authors="Farzad Husain, Babette Dellen, Carme Torras",
    year=2016,
    venue="IEEE Robotics and Automation Letters",
)

_SAME = (
    "frames are the middles of equal parts of the video; their short side is 8/7 of the crop, as 256 is of 224",
    "the learning rate is an option and the number of steps follows from the budget; no videos are held out for them",
    "without weights of the user's the 2D network is random, or starts from another fit",
)

VGG3D = MethodCard(
    name="vgg3d",
    summary="a 3D convolution and three fully connected layers on the frame maps of a 2D network, trained with labels",
    paper=PAPER,
    supervised=True,
    deviations=(
        *_SAME,
        "128 channels of 3D convolutions and pooling by 3 x 2 x 2, which the paper's text leaves open",
        "adaptation layers are trained on the centre crops alone, whose maps are kept on disk in half precision",
    ),
)

SPATIAL_STREAM = MethodCard(
    name="spatial_stream",
    summary="a new last layer on the vectors of single frames of a 2D network, trained with labels: the baseline",
    paper=PAPER,
    supervised=True,
    deviations=(*_SAME, "scores are averaged over as many frames as vgg3d sees, before the softmax"),
)

VGG19 = BackboneCard(
    name="vgg19",
    summary="VGG-19 up to its second fully connected layer on single frames, pixels as in Caffe, randomly initialised",
    paper=Paper(
        title="Very Deep Convolutional Networks for Large-Scale Image Recognition",
        authors="Karen Simonyan, Andrew Zisserman",
        year=2015,
        venue="ICLR",
        url="https://arxiv.org/abs/1409.1556",
    ),
    dim=4096,
    spatial="feature_map",
    layers=("pool5", "fc6", "fc7"),
)

C3D = BackboneCard(
    name="c3d",
    summary="C3D up to its first or second fully connected layer, randomly initialised",
    paper=Paper(
        title="Learning Spatiotemporal Features with 3D Convolutional Networks",
        authors="Du Tran, Lubomir Bourdev, Rob Fergus, Lorenzo Torresani, Manohar Paluri",
        year=2015,
        venue="ICCV",
        url="https://arxiv.org/abs/1412.0767",
    ),
    dim=4096,
)


def _share(name: str, title: str, statistic: str = "mean") -> Metric:
    return Metric(id=name, title=title, unit="%", higher_is_better=True, bounds=(0.0, 1.0), statistic=statistic)


_METRICS = (
    _share("top1", "Top-1 accuracy", "accuracy"),
    _share("top5", "Top-5 accuracy"),
    _share("mean_class_accuracy", "Mean class accuracy", "mean_class_accuracy"),
)

OWN_SOFTMAX = EvaluatorCard(
    name="own_softmax",
    summary="The classifier that the network itself learnt with labels, on test videos",
    paper=PAPER,
    protocol=(
        "Husain et al. 2016, section V: the network's own softmax. Here: probabilities averaged over the crops of each "
        "test video (10 unless the option says otherwise); with shuffled the frames of every clip are in a random order"
    ),
    needs=frozenset({"vector", "pretext"}),
    metrics=_METRICS,
)

LBFGS_SOFTMAX = EvaluatorCard(
    name="lbfgs_softmax",
    summary="A new softmax on frozen features by L-BFGS, with the confusion matrix and the five likeliest classes",
    paper=PAPER,
    protocol=(
        "Husain et al. 2016, section IV-B: features of networks beside each other, a new softmax by L-BFGS. Here: the "
        "evaluator linear_probe: features standardised on train, its L2 strength by 3-fold group-disjoint "
        "cross-validation inside train; maximum over crops where the option aggregate or a part of a row says so"
    ),
    metrics=_METRICS,
)
