"""The built-in data sets, and what any data set is made of."""

from __future__ import annotations

from harness.cards import DatasetCard, Paper

_LABELS = ("action", "scene")
_LICENCE = (
    "Apache-2.0; the motion: terms of the CMU and SFU libraries (research, no resale), see "
    "harness/datasets/mocap_actions/NOTICE"
)

MOCAP_ACTIONS = DatasetCard(
    name="mocap-actions",
    summary="15 actions, drawn; each is one recording, made into a take for every group, which a method could learn in "
    "place of the action; place and clothes predict the action in most groups",
    licence=_LICENCE,
    labels=_LABELS,
    joints=True,
)

MOCAP_ACTIONS_UNBIASED = DatasetCard(
    name="mocap-actions-unbiased",
    summary="mocap-actions where place and clothes predict nothing: only pose and motion count; each action is one "
    "recording, made into a take for every group",
    licence=_LICENCE,
    labels=_LABELS,
    joints=True,
)

UCF101 = DatasetCard(
    name="ucf101",
    summary="13,320 videos of 101 actions in the wild, three splits by group",
    licence="not stated by its authors; the videos are YouTube's",
    paper=Paper(
        title="UCF101: A Dataset of 101 Human Actions Classes From Videos in The Wild",
        authors="Soomro, Zamir, Shah",
        year=2012,
        venue="CRCV-TR-12-01",
        url="https://www.crcv.ucf.edu/research/data-sets/ucf101/",
    ),
    located=True,
)

_VOC = Paper(
    title="The PASCAL Visual Object Classes (VOC) Challenge",
    authors="Everingham, Van Gool, Williams, Winn, Zisserman",
    year=2010,
    venue="IJCV",
    url="http://host.robots.ox.ac.uk/pascal/VOC/",
)

VOC_ACTION2010 = DatasetCard(
    name="voc-action2010",
    summary="people in photographs who do one of 9 actions, cut out by their boxes; few to train on",
    licence="Flickr's terms of use; research only",
    paper=_VOC,
    located=True,
)

VOC_ACTION2012 = DatasetCard(
    name="voc-action2012",
    summary="people in photographs who do one of 10 actions, cut out by their boxes; few to train on",
    licence="Flickr's terms of use; research only",
    paper=_VOC,
    located=True,
)


HMDB51 = DatasetCard(
    name="hmdb51",
    summary="6,766 clips of 51 actions from films and the web, three splits",
    licence="CC-BY-4.0, as its authors say; the clips are from films and the web",
    paper=Paper(
        title="HMDB: A Large Video Database for Human Motion Recognition",
        authors="Kuehne, Jhuang, Garrote, Poggio, Serre",
        year=2011,
        venue="ICCV",
        url="https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/",
    ),
    located=True,
)

_CIFAR = Paper(
    title="Learning Multiple Layers of Features from Tiny Images",
    authors="Krizhevsky",
    year=2009,
    venue="University of Toronto",
    url="https://www.cs.toronto.edu/~kriz/cifar.html",
)

CIFAR10 = DatasetCard(
    name="cifar10",
    summary="60,000 images of 32 x 32 pixels in 10 classes of things",
    licence="not stated by its authors",
    paper=_CIFAR,
    located=True,
)

CIFAR100 = DatasetCard(
    name="cifar100",
    summary="60,000 images of 32 x 32 pixels in 100 classes of things, and in 20 coarse ones",
    licence="not stated by its authors",
    paper=_CIFAR,
    labels=("action", "coarse"),
    located=True,
)

KINETICS400 = DatasetCard(
    name="kinetics400",
    summary="240,000 clips of ten seconds of 400 actions; measured on the validation list",
    licence="CC-BY-4.0 (the lists); the videos are YouTube's",
    paper=Paper(
        title="The Kinetics Human Action Video Dataset",
        authors="Kay, Carreira, Simonyan, Zhang, Hillier, Vijayanarasimhan, Viola, Green, Back, Natsev, Suleyman, "
        "Zisserman",
        year=2017,
        venue="arXiv:1705.06950",
        url="https://arxiv.org/abs/1705.06950",
    ),
    located=True,
)

KINETICS600 = DatasetCard(
    name="kinetics600",
    summary="480,000 clips of ten seconds of 600 actions; measured on the validation list",
    licence="CC-BY-4.0 (the lists); the videos are YouTube's",
    paper=Paper(
        title="A Short Note about Kinetics-600",
        authors="Carreira, Noland, Banki-Horvath, Hillier, Zisserman",
        year=2018,
        venue="arXiv:1808.01340",
        url="https://arxiv.org/abs/1808.01340",
    ),
    located=True,
)

KINETICS700 = DatasetCard(
    name="kinetics700",
    summary="650,000 clips of ten seconds of 700 actions; measured on the validation list",
    licence="CC-BY-4.0 (the lists); the videos are YouTube's",
    paper=Paper(
        title="A Short Note on the Kinetics-700 Human Action Dataset",
        authors="Carreira, Noland, Hillier, Zisserman",
        year=2019,
        venue="arXiv:1907.06987",
        url="https://arxiv.org/abs/1907.06987",
    ),
    located=True,
)

KINETICS700_2020 = DatasetCard(
    name="kinetics700-2020",
    summary="Kinetics-700 with its gaps filled, 700 clips an action or more; measured on the validation list",
    licence="CC-BY-4.0 (the lists); the videos are YouTube's",
    paper=Paper(
        title="A Short Note on the Kinetics-700-2020 Human Action Dataset",
        authors="Smaira, Carreira, Noland, Clancy, Wu, Zisserman",
        year=2020,
        venue="arXiv:2010.10864",
        url="https://arxiv.org/abs/2010.10864",
    ),
    located=True,
)

SOMETHING_SOMETHING_V2 = DatasetCard(
    name="something-something-v2",
    summary="193,690 clips of 174 ways to handle things, told apart by motion; measured on the validation list",
    licence="Qualcomm's data licence, to be agreed to; research only",
    paper=Paper(
        title='The "Something Something" Video Database for Learning and Evaluating Visual Common Sense',
        authors="Goyal, Ebrahimi Kahou, Michalski, Materzyńska, Westphal, Kim, Haenel, Fruend, Yianilos, "
        "Mueller-Freitag, Hoppe, Thurau, Bax, Memisevic",
        year=2017,
        venue="ICCV",
        url="https://arxiv.org/abs/1706.04261",
    ),
    located=True,
)

DIVING48 = DatasetCard(
    name="diving48",
    summary="16,997 clips of 48 dives of competitions, with the corrected labels (V2); the place tells nothing",
    licence="not stated by its authors; the videos are YouTube's",
    paper=Paper(
        title="RESOUND: Towards Action Recognition without Representation Bias",
        authors="Li, Li, Vasconcelos",
        year=2018,
        venue="ECCV",
        url="http://www.svcl.ucsd.edu/projects/resound/dataset.html",
    ),
    located=True,
)

BREAKFAST = DatasetCard(
    name="breakfast",
    summary="1,712 videos of minutes: 52 people prepare 10 breakfasts, by several cameras; four splits by person",
    licence="see the page of its authors",
    paper=Paper(
        title="The Language of Actions: Recovering the Syntax and Semantics of Goal-Directed Human Activities",
        authors="Kuehne, Arslan, Serre",
        year=2014,
        venue="CVPR",
        url="https://serre-lab.clps.brown.edu/resource/breakfast-actions-dataset/",
    ),
    labels=("action", "camera"),
    located=True,
)

CHARADES = DatasetCard(
    name="charades",
    summary="9,848 videos of half a minute from people's homes, each with several of 157 actions",
    licence="see the page of its authors; non-commercial use only",
    paper=Paper(
        title="Hollywood in Homes: Crowdsourcing Data Collection for Activity Understanding",
        authors="Sigurdsson, Varol, Wang, Farhadi, Laptev, Gupta",
        year=2016,
        venue="ECCV",
        url="https://arxiv.org/abs/1604.01753",
    ),
    labels=(),
    multilabels=("action",),
    located=True,
)

FIVE_CONTEXTS = DatasetCard(
    name="five-contexts",
    summary="five contexts of a person's day, filmed by four wearable cameras",
    licence="not stated by its authors",
    paper=Paper(
        title="Recognizing Personal Contexts from Egocentric Images",
        authors="Furnari, Farinella, Battiato",
        year=2015,
        venue="ICCV Workshops",
    ),
    labels=("action", "camera"),
    located=True,
)

VIDEO_FOLDERS = DatasetCard(
    name="video-folders",
    summary="your own videos, images or folders of frames by class, in train/ and test/ or split by their names",
    licence="that of the files",
    located=True,
)

FLIC = DatasetCard(
    name="flic",
    summary="5,003 pictures from films with the joints of a person's upper body",
    licence="not stated by its authors; the pictures are the studios'",
    paper=Paper(
        title="MODEC: Multimodal Decomposable Models for Human Pose Estimation",
        authors="Sapp, Taskar",
        year=2013,
        venue="CVPR",
    ),
    labels=(),
    joints=True,
    located=True,
)

LEEDS_SPORTS = DatasetCard(
    name="leeds-sports",
    summary="2,000 pictures of people at sports with their joints",
    licence="research only; the pictures are Flickr's",
    paper=Paper(
        title="Clustered Pose and Nonlinear Appearance Models for Human Pose Estimation",
        authors="Johnson, Everingham",
        year=2010,
        venue="BMVC",
    ),
    labels=(),
    joints=True,
    located=True,
)

MANIFEST = DatasetCard(
    name="manifest",
    summary="your own videos, images or folders of frames, listed in a CSV or JSON file: path, split, label, group",
    licence="that of the files",
    located=True,
)

SHARDS = DatasetCard(
    name="shards",
    summary="your own videos in tar archives as WebDataset packs them, to learn from",
    licence="that of the files",
    splits=("train",),
    located=True,
)

UNION = DatasetCard(
    name="union",
    summary="the training videos of several data sets, equal files once, to learn from without labels",
    licence="those of its parts",
    splits=("train",),
    labels=(),
)
