"""Cards of the methods."""

from __future__ import annotations

from harness import MethodCard, Paper

PAPER = Paper(
    title="Unsupervised Deep Learning of Mid-Level Video Representation for Action Recognition",
    authors="Jingyi Hou, Xinxiao Wu, Jin Chen, Jiebo Luo, Yunde Jia",
    year=2018,
    venue="AAAI",
)

_SINGH = Paper(
    title="Unsupervised Discovery of Mid-Level Discriminative Patches",
    authors="Saurabh Singh, Abhinav Gupta, Alexei A. Efros",
    year=2012,
    venue="ECCV",
    url="https://arxiv.org/abs/1205.3137",
)

_ENCODING = (
    "trajectories differ as those of idt_fv do",
    "a video is encoded by the option samples (200) of its trajectories at most, not by all",
    "the backbone is ignored; the budget bounds the frames of the videos that are learnt from",
    "weights of concepts are as soft as perplexity says (3); the usual beta of 0.5 weighs all concepts alike",
)

_NETWORKS = (
    "Adam on samples less their mean, codes scaled to unit deviation, biases from -1: with plain SGD no cluster fires",
    "rates, epochs and batches are not in the paper; batches are balanced over clusters",
    "volumes are 32 x 32 pixels along the track, halved, the middle 12 of 15 frames, less their own mean grey",
    "layers of the network of volumes are inferred from the paper's sizes; its decoder upsamples and convolves",
    "subsets are of whole videos; concepts are the means of the members over all subsets",
    "clusters of fewer than 5 members leave, by the option least; the paper gives no number",
    "ends after 4 cycles, or when 99 % of what fires in a subset keeps its cluster; the paper's members stay the same",
)

MIDLEVEL = MethodCard(
    name="midlevel",
    summary="clusters of local samples and the network that tells them apart, learnt in turn; videos are VLADs",
    paper=PAPER,
    reads=frozenset({"pretraining", "budget", "seed"}),
    deviations=(
        *_ENCODING,
        *_NETWORKS,
        "the hinge loss weighs a sample's own cluster by the root of their number; with the paper's 1 none fires",
        "the hinge loss is a mean over samples; the Fisher loss is of a batch, its denominator kept from 0",
        "alpha of 0.5 and lambda of 1e-4 are not in the paper",
        "hinge alone comes first in the first round only; by option in every round",
    ),
)

MIDLEVEL_SOFTMAX = MethodCard(
    name="midlevel_softmax",
    summary="the same with cross-entropy in place of both losses: the paper's deep learning from clusters",
    paper=PAPER,
    reads=frozenset({"pretraining", "budget", "seed"}),
    deviations=(
        *_ENCODING,
        *_NETWORKS,
        "a sample's score is its largest posterior",
    ),
)

MIDLEVEL_SVM = MethodCard(
    name="midlevel_svm",
    summary="clusters of descriptors that linear SVMs tell apart, learnt on two halves in turn; videos are VLADs",
    paper=_SINGH,
    reads=frozenset({"pretraining", "budget", "seed"}),
    deviations=(
        *_ENCODING,
        "of trajectories' descriptors, as the paper of midlevel applies it; the original is of patches of images",
        "negatives are of other clusters and of a random background of the same half: there is no set of other things",
        "concepts are means of the members, so that videos are encoded as by midlevel",
    ),
)

MIDLEVEL_KMEANS = MethodCard(
    name="midlevel_kmeans",
    summary="clusters of k-means on PCA or on an untuned autoencoder's codes; videos are VLADs: the simple baseline",
    paper=PAPER,
    reads=frozenset({"pretraining", "budget", "seed"}),
    deviations=_ENCODING,
)
