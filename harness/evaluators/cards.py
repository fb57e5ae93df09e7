"""Cards of the built-in evaluators."""

from __future__ import annotations

from typing import Literal

from harness.cards import EvaluatorCard, Metric, Paper, Point

INFLUENCES = "influences"
"""Note of a run that lists metrics whose values of single videos are influences.

Their mean is the score of the test set, so that intervals can be computed, but a mean over some videos is no score.
"""


def _share(name: str, title: str, statistic: str = "mean", point: Point | None = None, least: float = 0.0) -> Metric:
    """Build a metric in percent, where more is better."""
    return Metric(
        id=name, title=title, unit="%", higher_is_better=True, bounds=(least, 1.0), statistic=statistic, point=point
    )


TOP1 = _share("top1", "Top-1 accuracy", "accuracy")
TOP5 = _share("top5", "Top-5 accuracy")
MAP = _share("map", "mAP")
MEAN_CLASS = _share("mean_class_accuracy", "Mean class accuracy", "mean_class_accuracy")

_GOYAL_2019 = Paper(
    title="Scaling and benchmarking self-supervised visual representation learning",
    authors="Priya Goyal, Dhruv Mahajan, Abhinav Gupta, Ishan Misra",
    year=2019,
    venue="ICCV",
    url="https://arxiv.org/abs/1905.01235",
)

LINEAR_PROBE = EvaluatorCard(
    name="linear_probe",
    summary="A linear classifier on frozen features: is the class linearly readable?",
    paper=Paper(
        title="Do better ImageNet models transfer better?",
        authors="Simon Kornblith, Jonathon Shlens, Quoc V. Le",
        year=2019,
        venue="CVPR",
        url="https://arxiv.org/abs/1805.08974",
    ),
    protocol=(
        "Kornblith et al. 2019: multinomial logistic regression by L-BFGS on frozen features, L2 strength by "
        "validation. Here: features averaged over clips and crops, standardised on train; 9 strengths from 1e-6 to "
        "1e2 beside the mean cross-entropy; 3-fold group-disjoint cross-validation inside train; refit on all of train"
    ),
    metrics=(TOP1, TOP5, MEAN_CLASS),
)

LINEAR_SVM = EvaluatorCard(
    name="linear_svm",
    summary="One linear support vector machine a class on frozen features: is the class linearly readable?",
    paper=_GOYAL_2019,
    protocol=(
        "Goyal et al. 2019: one-vs-rest linear SVM with squared hinge on features of length 1, positives weighted "
        "twice, C by cross-validation. Here: features averaged over clips and crops; C from 1e-3 to 1e3; 3-fold "
        "group-disjoint cross-validation inside train by top-1 accuracy; refit on all of train"
    ),
    metrics=(TOP1, TOP5, MEAN_CLASS),
)


KERNEL_SVM = EvaluatorCard(
    name="kernel_svm",
    summary="A support vector machine a class on a sum of kernels, one of each part of a composite of blocks",
    paper=Paper(
        title="More generality in efficient multiple kernel learning",
        authors="Manik Varma, Bodla Rakesh Babu",
        year=2009,
        venue="ICML",
    ),
    protocol=(
        "Varma and Babu 2009: one-vs-rest machines, the kernels' weights learnt with the l1 term, C 10. Here: linear "
        "kernels of length 1 of features averaged over clips and crops; hinge loss; the bias is a kernel of ones; with "
        "weights `equal` C from 1e-3 to 1e3 by 3-fold group-disjoint cross-validation inside train"
    ),
    needs=frozenset({"blocks"}),
    metrics=(TOP1, TOP5, MEAN_CLASS),
)

MLP_LEARNING_RATES = (1e-3, 3e-3, 1e-2)
MLP_WEIGHT_DECAYS = (0.01, 1.0, 10.0)
"""Candidates of the MLP probe."""

MLP_PROBE = EvaluatorCard(
    name="mlp_probe",
    summary="A classifier with one hidden layer on frozen features: is the class there, though not linearly readable?",
    paper=Paper(
        title="Revisiting self-supervised visual representation learning",
        authors="Alexander Kolesnikov, Xiaohua Zhai, Lucas Beyer",
        year=2019,
        venue="CVPR",
        url="https://arxiv.org/abs/1901.09005",
    ),
    protocol=(
        "Kolesnikov et al. 2019: a multi-layer perceptron on frozen features in place of the linear classifier. Here, "
        "unless an option says another: features averaged over clips and crops, standardised on train; one hidden "
        "layer of 512 units with ReLU, neither dropout nor normalisation; AdamW, cosine to 0, batches of 256, 30 "
        "epochs and at least 300 steps; learning rates from 1e-3 to 1e-2 and decoupled weight decays from 0.01 to 10 "
        "by 3-fold group-disjoint cross-validation inside train; refit on all of train from 5 initialisations, the "
        "scores being their means"
    ),
    metrics=(TOP1, TOP5, MEAN_CLASS),
)

LEARNING_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 5e-3)
WEIGHT_DECAYS = (0.01, 0.1, 0.4, 0.8)
"""Candidates of the attentive probe: those of V-JEPA 2."""

ATTENTIVE_PROBE = EvaluatorCard(
    name="attentive_probe",
    summary="A query that attends to frozen tokens, and a linear classifier: do some of them tell the class?",
    paper=Paper(
        title="Revisiting feature prediction for learning visual representations from video",
        authors="Adrien Bardes, Quentin Garrido, Jean Ponce, Xinlei Chen, Michael Rabbat, Yann LeCun, Mahmoud Assran, "
        "Nicolas Ballas",
        year=2024,
        venue="TMLR",
        url="https://arxiv.org/abs/2404.08471",
    ),
    protocol=(
        "Bardes et al. 2024 (V-JEPA), frozen evaluation: one learnt query, cross-attention over normalised tokens, "
        "residual MLP of width 4, linear classifier; AdamW, cosine to 0, 20 epochs. Here: the tokens of all clips and "
        "crops of a video are one set, encoded once, not augmented; one head for every 64 numbers of a token; batches "
        "of 64, at least 500 steps, float32, gradients not clipped; learning rates from 1e-4 to 5e-3 and weight decays "
        "from 0.01 to 0.8, the grid of V-JEPA 2, by 3-fold group-disjoint cross-validation inside train; refit on all "
        "of train"
    ),
    needs=frozenset({"tokens"}),
    metrics=(TOP1, TOP5, MEAN_CLASS),
)


def _top1_shots(shots: int | None) -> Metric:
    number = "all" if shots is None else str(shots)
    return _share(
        f"top1_{number}",
        f"Top-1 accuracy, {number} video{'' if shots == 1 else 's'} a class",
        point=Point(curve="top-1", axis="training videos a class", at=shots),
    )


FEW_SHOT = EvaluatorCard(
    name="few_shot",
    summary="A linear classifier from a few labelled videos a class: how many labels does the encoder save?",
    paper=_GOYAL_2019,
    protocol=(
        "Goyal et al. 2019, low-shot: n labelled videos a class drawn from train, a linear classifier on frozen "
        "features, all of test; mean over draws. Here: logistic regression on features standardised by the drawn "
        "videos, L2 penalty |W|^2 / 2 beside the summed cross-entropy (scikit-learn's C = 1) for every n; draws are "
        "balanced, nested over n, spread over groups, and the same for every encoder"
    ),
    metrics=tuple(_top1_shots(shots) for shots in (5, 1, 2, 10, 20, None)),
)

NEIGHBOURS = (1, 10, 20, 100, 200)
"""Numbers of voting neighbours that are scored beside the primary one."""


def _top1_neighbours(k: int) -> Metric:
    return _share(
        f"top1_{k}",
        f"Top-1 accuracy, {k} neighbour{'' if k == 1 else 's'}",
        point=Point(curve="top-1", axis="neighbours that vote", at=k),
    )


KNN = EvaluatorCard(
    name="knn",
    summary="A vote of the nearest training videos: are neighbours of one class?",
    paper=Paper(
        title="Unsupervised feature learning via non-parametric instance discrimination",
        authors="Zhirong Wu, Yuanjun Xiong, Stella X. Yu, Dahua Lin",
        year=2018,
        venue="CVPR",
        url="https://arxiv.org/abs/1805.01978",
    ),
    protocol=(
        "Wu et al. 2018, section 3.4: cosine similarity s, votes exp(s / 0.07), train as gallery and test as queries; "
        "20 neighbours after Caron et al. 2021 (DINO) unless the option k says otherwise"
    ),
    metrics=(TOP1, *(_top1_neighbours(k) for k in NEIGHBOURS)),
)

RANKS = (1, 5, 10, 20, 50)
"""Values of k that recall is scored at."""
GAINS = 10
"""Value of k that NDCG is scored at."""


def _recall(k: int) -> Metric:
    return _share(f"recall_{k}", f"R@{k}", point=Point(curve="recall", axis="videos retrieved", at=k))


RETRIEVAL = EvaluatorCard(
    name="retrieval",
    summary="The videos most like a test video: is one of its class among the first few?",
    paper=Paper(
        title="Self-supervised spatiotemporal learning via video clip order prediction",
        authors="Dejing Xu, Jun Xiao, Zhou Zhao, Jian Shao, Di Xie, Yueting Zhuang",
        year=2019,
        venue="CVPR",
    ),
    protocol=(
        "Xu et al. 2019, nearest neighbour retrieval: test videos as queries, train as gallery, cosine similarity of "
        "features averaged over clips; R@k is the share of queries with a video of their class among the k nearest. "
        "With the option gallery: test, each test video searches the others. Beside it NDCG@10 with the discount "
        "1 / log2(rank + 1), and mAP over the whole gallery, where videos of equal similarity come at once"
    ),
    metrics=(*(_recall(k) for k in RANKS), _share(f"ndcg_{GAINS}", f"NDCG@{GAINS}"), _share("map", "mAP")),
)

PAIR_CLASSIFICATION = EvaluatorCard(
    name="pair_classification",
    summary="Pairs of test videos: does similarity tell whether both are of one class?",
    paper=Paper(
        title="MTEB: Massive Text Embedding Benchmark",
        authors="Niklas Muennighoff, Nouamane Tazi, Loïc Magne, Nils Reimers",
        year=2023,
        venue="EACL",
        url="https://arxiv.org/abs/2210.07316",
    ),
    protocol=(
        "Muennighoff et al. 2023, pair classification: average precision of pairs in the order of their cosine "
        "similarity; accuracy and F1 at the thresholds that are best for these pairs themselves, so upper bounds of "
        "what a threshold chosen elsewhere would give. Here: pairs of test videos, features averaged over clips and "
        "crops; each video opens 10 pairs with videos of its class and 10 with others, drawn by the seed and the same "
        "for every encoder, and the two of a pair are of different groups; pairs of equal similarity come at once; "
        "thresholds are similarities of pairs; no other measure of similarity, and so no maximum over several"
    ),
    metrics=(
        _share("average_precision", "Average precision"),
        _share("best_accuracy", "Accuracy at its best threshold", ""),
        _share("best_f1", "F1 at its best threshold", ""),
    ),
)

MULTILABEL_PROBE = EvaluatorCard(
    name="multilabel_probe",
    sets=True,
    summary="A linear classifier a class on frozen features of videos of several classes: are all of them readable?",
    paper=Paper(
        title="Hollywood in Homes: Crowdsourcing Data Collection for Activity Understanding",
        authors="Gunnar A. Sigurdsson, Gül Varol, Xiaolong Wang, Ali Farhadi, Ivan Laptev, Abhinav Gupta",
        year=2016,
        venue="ECCV",
        url="https://arxiv.org/abs/1604.01753",
    ),
    protocol=(
        "Sigurdsson et al. 2016, video classification: mean over classes of the average precision of test videos in "
        "the order of the class's scores. Here: one-vs-rest logistic regression on frozen features averaged over clips "
        "and crops, standardised on train; one of 9 L2 strengths from 1e-6 to 1e2 beside the mean loss, the same for "
        "all classes, by mAP of 3-fold group-disjoint cross-validation inside train; refit on all of train; videos of "
        "equal scores come at once, classes without a test video do not count, those without a training video do, by "
        "equal scores. Beside it the label ranking average precision of each video's classes"
    ),
    metrics=(MAP, _share("lrap", "Label ranking average precision")),
)

RIDGE_PROBE = EvaluatorCard(
    name="ridge_probe",
    summary="A linear regression on frozen features: is a number of a video linearly readable?",
    paper=Paper(
        title="Ridge regression: biased estimation for nonorthogonal problems",
        authors="Arthur E. Hoerl, Robert W. Kennard",
        year=1970,
        venue="Technometrics",
    ),
    protocol=(
        "Hoerl and Kennard 1970, on frozen features. Here: features averaged over clips and crops, standardised on "
        "train; one of 10 penalties from 1e-5 to 1e4 beside the mean squared error, by the squared error of 3-fold "
        "group-disjoint cross-validation inside train; refit on all of train. R2 is about the mean of test"
    ),
    metrics=(
        Metric(id="r2", title="R²", unit="1", higher_is_better=True, bounds=(None, 1.0), statistic="mean"),
        Metric(id="mae", title="Mean absolute error", unit="1", higher_is_better=False, statistic="mean"),
        Metric(id="spearman", title="Spearman's ρ", unit="1", higher_is_better=True, bounds=(-1.0, 1.0)),
    ),
)

FINETUNE = EvaluatorCard(
    name="finetune",
    summary="The whole network, trained on with labels: is it a good start?",
    paper=Paper(
        title="Unsupervised learning of video representations via dense trajectory clustering",
        authors="Pavel Tokmakov, Martial Hebert, Cordelia Schmid",
        year=2020,
        venue="ECCV Workshops",
        url="https://arxiv.org/abs/2006.15731",
    ),
    protocol=(
        "Tokmakov et al. 2020, transfer: a linear classifier on a copy of the network, both trained with labels. Here: "
        "AdamW with cosine decay and weight decay 0.05, label smoothing 0.1 (label_smoothing), random clips, crops and "
        "mirroring as of the method supervised; the same frames and the same learning rates for every encoder, of "
        "which held-out groups inside train choose one; refit on all of train; scores averaged over the clips and "
        "crops that the option views names. Purushwalkam and Gupta 2016, "
        "section 4.3, have a hidden layer before the classifier (hidden: 2048), and train these two alone in their "
        "last two layers (frozen: all)"
    ),
    needs=frozenset({"trainable"}),
    metrics=(TOP1, TOP5, MEAN_CLASS),
)


def _agreement(name: str, title: str, statistic: str, least: float = 0.0) -> Metric:
    return Metric(id=name, title=title, unit="1", higher_is_better=True, bounds=(least, 1.0), statistic=statistic)


def _entropy(name: str, title: str, statistic: str) -> Metric:
    return Metric(id=name, title=title, unit="bits", higher_is_better=False, statistic=statistic)


CLUSTERING = EvaluatorCard(
    name="clustering",
    summary=(
        "Clusters of frozen features, found without labels: do they coincide with the classes? AMI, 0 by chance, "
        "compares kinds of label: is it motion or place that groups?"
    ),
    paper=Paper(
        title="Unsupervised learning from videos using temporal coherency deep networks",
        authors="Carolina Redondo-Cabrera, Roberto J. López-Sastre",
        year=2019,
        venue="Computer Vision and Image Understanding",
        url="https://arxiv.org/abs/1801.08100",
    ),
    protocol=(
        "Redondo-Cabrera and López-Sastre 2019, discovery: k-means on the test split's features, as many clusters as "
        "classes, conditional entropy H(class | cluster) in bits, mean over 10 runs. Here: another split or "
        "number of clusters where the options split and clusters say so; one vector a video, or with the option "
        "clips one a clip (a frame, for an encoder of frames), or with stride one every so many frames; "
        "k-means++ starts; features as they are unless the option normalise says otherwise; with algorithm: spectral "
        "after Ng, Jordan and Weiss 2001, the kernel as wide as the median distance"
    ),
    metrics=(
        _entropy("conditional_entropy", "Conditional entropy", "conditional_entropy"),
        _agreement("nmi", "Normalised mutual information", "normalized_mutual_information"),
        _agreement("ami", "Adjusted mutual information", "adjusted_mutual_information", least=-1.0),
        _agreement("ari", "Adjusted Rand index", "adjusted_rand_index", least=-1.0),
        _share("hungarian_accuracy", "Hungarian accuracy", "matched_accuracy"),
        _share("purity", "Purity", "purity"),
        _agreement("homogeneity", "Homogeneity", "homogeneity"),
        _agreement("completeness", "Completeness", "completeness"),
        _entropy("video_conditional_entropy", "Conditional entropy of videos", ""),
    ),
)

THRESHOLDS = (0.1, 0.2, 0.3, 0.4)
"""Thresholds of PDJ, in torso diameters."""


def pdj_id(joint: str, threshold: float, diagonal: str = "lsho_rhip") -> str:
    """Name a PDJ metric by joint, threshold and torso diagonal.

    >>> pdj_id("elbow", 0.2)
    'pdj_elbow_0.2_lsho_rhip'
    """
    return f"pdj_{joint}_{threshold}_{diagonal}"


POSE = EvaluatorCard(
    name="pose",
    summary="Heat maps of nine joints from a feature map, frozen or trained on: does it show where arms are?",
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
        "Here: 2 frames a video; square of 3 torso boxes; input size for a 15x15 feature map unless an option says "
        "another; kernel 8, 16 channels; learning rate by strict PCP on a group-disjoint fifth of train; refit on all "
        "of train; torso diameter from left shoulder to right hip. Train head: the feature map is frozen, resized to "
        "15x15, standardised on train; a last bias for each pixel; Adam, 150 steps of 32, cosine; learning rate 3e-3, "
        "1e-2 or 3e-2. Train all, as the paper: every layer of a copy is trained, BN by batch; maps four times the "
        "network's own grid, of which as large a share of pixels as 20 of 60x60; AdamW, weight decay 0.05, batches of "
        "16, cosine; 16,000 images without augmentation; learning rate 3e-4, 1e-3 or 3e-3"
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
                point=Point(curve=joint, axis="threshold, torso diameters", at=threshold),
            )
            for joint in ("elbow", "wrist")
            for threshold in THRESHOLDS
        ),
    ),
)

TEMPORAL_ORDER = EvaluatorCard(
    name="temporal_order",
    summary="The accuracy lost when every clip's frames are shuffled: does the encoder use time?",
    paper=Paper(
        title="Action recognition based on efficient deep feature learning in the spatio-temporal domain",
        authors="Farzad Husain, Babette Dellen, Carme Torras",
        year=2016,
        venue="IEEE Robotics and Automation Letters",
    ),
    protocol=(
        "Husain et al. 2016, Fig. 4: the accuracy of a network trained on shuffled frames, mean of two trainings. Here "
        "the encoder stays as it is: top-1 accuracy of the evaluator linear_probe on clips in order, less that of the "
        "same probe, chosen and fitted anew, when the frames of every clip of train and test are shuffled, each clip's "
        "in an order of its own; mean of two shufflings"
    ),
    metrics=(
        _share("top1_lost", "Top-1 accuracy lost by shuffling frames", least=-1.0),
        _share("top1", "Top-1 accuracy of clips in order"),
        _share("top1_shuffled", "Top-1 accuracy of shuffled clips"),
    ),
)


def _speed(name: str, title: str) -> Metric:
    return Metric(id=name, title=title, unit="clips/s", higher_is_better=True)


def _cost(name: str, title: str, unit: Literal["MiB", "GFLOP", "M"]) -> Metric:
    return Metric(id=name, title=title, unit=unit, higher_is_better=False)


THROUGHPUT = EvaluatorCard(
    name="throughput",
    summary="Clips a second to decode, transfer, encode and train on; memory, parameters and operations.",
    protocol=(
        "Clips of the encoder's own view, in batches of the option batch_size; median over repeats after a warm-up, "
        "the accelerator synchronised before each look at the clock. Decoding: files of the test split, from their "
        "start, past the frame cache, in the loader's threads, the system's file cache warm. Transfer: from pinned "
        "memory. Training: forward, backward and a step of SGD with momentum on a copy, in the precision of the run. "
        "Waiting: in a pass over files that are decoded in the loader's threads, the share of the time in which the "
        "encoder has nothing to encode. Memory: the most that torch held on CUDA. Operations: convolutions, matrix "
        "products and attention of one clip, a multiply-add counted as 2. What cannot be measured is left out"
    ),
    time=True,
    metrics=(
        _speed("encode_clips_per_s", "Encoding"),
        _speed("train_clips_per_s", "Training"),
        _speed("decode_clips_per_s", "Decoding"),
        _speed("transfer_clips_per_s", "Transfer to the device"),
        Metric(
            id="encode_waiting",
            title="Encoding files, time waiting for data",
            unit="%",
            higher_is_better=False,
            bounds=(0.0, 1.0),
        ),
        _cost("encode_memory", "Peak memory of encoding", "MiB"),
        _cost("train_memory", "Peak memory of training", "MiB"),
        _cost("parameters", "Parameters", "M"),
        _cost("operations", "Operations of a clip", "GFLOP"),
    ),
)
