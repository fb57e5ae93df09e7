"""The built-in plugin: methods, backbones, data sets, evaluators and suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.backbones import cards as backbones
from harness.datasets import cards as datasets
from harness.evaluators.cards import (
    ATTENTIVE_PROBE,
    CLUSTERING,
    FEW_SHOT,
    FINETUNE,
    KERNEL_SVM,
    KNN,
    LINEAR_PROBE,
    LINEAR_SVM,
    MLP_PROBE,
    MULTILABEL_PROBE,
    PAIR_CLASSIFICATION,
    POSE,
    RETRIEVAL,
    RIDGE_PROBE,
    TEMPORAL_ORDER,
    THROUGHPUT,
)
from harness.methods import cards as methods
from harness.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Evaluator, Method
    from harness.plugins.file_registry import SuiteRegistry
    from harness.plugins.kinds import BackboneRegistry
    from harness.plugins.registry import Registry


@hookimpl
def harness_methods(registry: Registry[Method]) -> None:
    """Register the reference methods, and weights and models that learnt elsewhere."""
    registry.register(methods.RANDOM_INIT, "harness.methods.random_init:RandomInit")
    registry.register(methods.PRETRAINED, "harness.methods.pretrained:Pretrained")
    registry.register(methods.FEATURES, "harness.methods.features:FileFeatures")
    registry.register(methods.MTEB, "harness.bridges.models.method:MtebMethod")
    registry.register(methods.SUPERVISED, "harness.methods.supervised:Supervised")


@hookimpl
def harness_backbones(registry: BackboneRegistry) -> None:
    """Register small networks for the embedded data, standard ones, and libraries."""
    registry.register(backbones.SMALL_2D, "harness.backbones.small_2d:Small2D")
    registry.register(backbones.SMALL_3D, "harness.backbones.small_3d:Small3D")
    registry.register(backbones.RESNET18, "harness.backbones.resnet18:ResNet18")
    registry.register(backbones.R3D_18, "harness.backbones.r3d_18:R3D18")
    registry.register_library(backbones.TORCHVISION, "harness.backbones.libraries.torchvision:Torchvision")
    registry.register_library(backbones.PYTORCHVIDEO, "harness.backbones.libraries.pytorchvideo:Pytorchvideo")
    registry.register_library(backbones.TIMM, "harness.backbones.libraries.timm:Timm")
    registry.register_library(backbones.TRANSFORMERS, "harness.backbones.libraries.transformers:Transformers")


@hookimpl
def harness_datasets(registry: Registry[Dataset]) -> None:
    """Register the embedded data set in its two variants, and those of the papers."""
    registry.register(datasets.MOCAP_ACTIONS, "harness.datasets.mocap_actions.dataset:MocapActions")
    registry.register(datasets.MOCAP_ACTIONS_UNBIASED, "harness.datasets.mocap_actions.dataset:MocapActionsUnbiased")
    registry.register(datasets.UCF101, "harness.datasets.ucf101:UCF101")
    registry.register(datasets.VOC_ACTION2010, "harness.datasets.voc_action:VOCAction2010")
    registry.register(datasets.VOC_ACTION2012, "harness.datasets.voc_action:VOCAction2012")
    registry.register(datasets.CIFAR10, "harness.datasets.cifar:CIFAR10")
    registry.register(datasets.CIFAR100, "harness.datasets.cifar:CIFAR100")
    registry.register(datasets.FLIC, "harness.datasets.image_pose:FLIC")
    registry.register(datasets.LEEDS_SPORTS, "harness.datasets.image_pose:LeedsSports")
    registry.register(datasets.HMDB51, "harness.datasets.hmdb51:HMDB51")
    registry.register(datasets.KINETICS400, "harness.datasets.kinetics:Kinetics400")
    registry.register(datasets.KINETICS600, "harness.datasets.kinetics:Kinetics600")
    registry.register(datasets.KINETICS700, "harness.datasets.kinetics700:Kinetics700")
    registry.register(datasets.KINETICS700_2020, "harness.datasets.kinetics700:Kinetics700In2020")
    registry.register(datasets.SOMETHING_SOMETHING_V2, "harness.datasets.something_something:SomethingSomethingV2")
    registry.register(datasets.DIVING48, "harness.datasets.diving48:Diving48")
    registry.register(datasets.BREAKFAST, "harness.datasets.breakfast:Breakfast")
    registry.register(datasets.CHARADES, "harness.datasets.charades:Charades")
    registry.register(datasets.FIVE_CONTEXTS, "harness.datasets.five_contexts:FiveContexts")
    registry.register(datasets.VIDEO_FOLDERS, "harness.datasets.folders:VideoFolders")
    registry.register(datasets.MANIFEST, "harness.datasets.manifest:Manifest")
    registry.register(datasets.SHARDS, "harness.datasets.shards:Shards")
    registry.register(datasets.UNION, "harness.datasets.union:Union")


@hookimpl
def harness_evaluators(registry: Registry[Evaluator]) -> None:
    """Register the standard protocols."""
    registry.register(LINEAR_PROBE, "harness.evaluators.linear:LinearProbe")
    registry.register(LINEAR_SVM, "harness.evaluators.linear:LinearSVM")
    registry.register(MLP_PROBE, "harness.evaluators.mlp_probe:MLPProbe")
    registry.register(ATTENTIVE_PROBE, "harness.evaluators.attentive_probe:AttentiveProbe")
    registry.register(KERNEL_SVM, "harness.evaluators.kernel_svm:KernelSVM")
    registry.register(FEW_SHOT, "harness.evaluators.few_shot:FewShot")
    registry.register(KNN, "harness.evaluators.knn:KNN")
    registry.register(RETRIEVAL, "harness.evaluators.retrieval:Retrieval")
    registry.register(PAIR_CLASSIFICATION, "harness.evaluators.pair_classification:PairClassification")
    registry.register(MULTILABEL_PROBE, "harness.evaluators.multilabel:MultilabelProbe")
    registry.register(RIDGE_PROBE, "harness.evaluators.ridge:RidgeProbe")
    registry.register(FINETUNE, "harness.evaluators.finetune:Finetune")
    registry.register(CLUSTERING, "harness.evaluators.clustering:Clustering")
    registry.register(POSE, "harness.evaluators.pose.protocol:Pose")
    registry.register(TEMPORAL_ORDER, "harness.evaluators.temporal_order:TemporalOrder")
    registry.register(THROUGHPUT, "harness.evaluators.throughput:Throughput")


@hookimpl
def harness_suites(registry: SuiteRegistry) -> None:
    """Register the suite of the README."""
    registry.register("quickstart", "harness.suites:quickstart.yaml")
