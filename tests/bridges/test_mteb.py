"""Encoders measured by MTEB itself on a task made in memory, beside our own vectors."""

from __future__ import annotations

import contextlib
import io
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import harness
from harness.bridges import mteb as bridge
from harness.cards import View, WholeVideo
from harness.cli.app import app
from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness.testing import MovingSquares, informed_encoder
from harness.values import Encoding, Inputs, Promise

VIEW = View(frames=8, stride=2, size=24)
INPUTS = Inputs(view=VIEW, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.AvgPool3d((2, 8, 8)), nn.Flatten(), nn.Linear(108, 6))


class Loader(list):
    """A loader of rows, one batch of two after the other."""

    collate_fn = None

    def __iter__(self):
        rows = list(super().__iter__())
        return (self.collate_fn(rows[start : start + 2]) for start in range(0, len(rows), 2))


def rows(split):
    return Loader({"video": split.read(index).permute(0, 3, 1, 2), "label": 0} for index in range(len(split)))


def encode(model, loader):
    return model.encode(loader, task_metadata=SimpleNamespace(name="A"), hf_split="test", hf_subset="default")


@pytest.mark.parametrize("options", [{}, {"clips": 2, "crops": 3}])
def test_vectors_are_those_of_our_protocol(mteb, options):
    data, encoder = MovingSquares().split("test"), NetworkEncoder(network(), INPUTS)
    found = encode(bridge.model(encoder, **options), rows(data))
    assert found.dtype == np.float32
    expected = CachedEncoder(encoder, key="x").features(data, Encoding(**options)).vectors
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-2, rtol=0)
    assert expected.std(0).min() > 0.05


def test_metadata_of_an_encoder_without_a_record(mteb):
    meta = bridge.model(network(), inputs=INPUTS, name="mine", revision="1", clips=2).mteb_model_meta
    assert (meta.name, meta.revision, meta.embed_dim, meta.modalities) == ("video-harness/mine", "1", 6, ["video"])
    assert meta.n_parameters == sum(one.numel() for one in network().parameters())
    assert meta.experiment_kwargs == {"clips": 2, "crops": 1}


def test_similarities_are_cosines(mteb):
    model = bridge.model(network(), inputs=INPUTS)
    one, other = np.random.default_rng(0).normal(size=(2, 3, 6))
    expected = torch.cosine_similarity(torch.tensor(one)[:, None], torch.tensor(other)[None], dim=2).float()
    torch.testing.assert_close(model.similarity(one, other), expected)
    torch.testing.assert_close(model.similarity_pairwise(one, torch.tensor(other)), expected.diagonal())


def task_class(mteb, base, name, main_score, kind, **columns):
    metadata = mteb.TaskMetadata(
        name=name,
        description="White squares that move, drawn by this test.",
        dataset={"path": "nowhere/squares", "revision": "1"},
        type=kind,
        category="v2c",
        eval_splits=["test"],
        eval_langs=["zxx-Zxxx"],
        main_score=main_score,
        modalities=["video"],
    )
    return type(name, (base,), {"metadata": metadata, "load_data": load_data, **columns})


def encoded(frames):
    """Bytes of a video file."""
    import av

    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=12, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv444p"
        for frame in frames.numpy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return written.getvalue()


def load_data(self, **_):
    import datasets

    splits = {}
    for name in ("train", "test"):
        split = MovingSquares().split(name)
        videos = [encoded(split.read(index)) for index in range(len(split))]
        labels = [video.labels["action"] for video in split.videos]
        columns = {"video": videos, "label": labels}
        if self.metadata.type == "VideoPairClassification":
            first = [position for position in range(len(labels)) for _ in range(2)]
            second = [
                next(other for other in range(len(labels)) if other != one and (labels[other] == labels[one]) == same)
                for one in range(len(labels))
                for same in (True, False)
            ]
            columns = {
                "video1": [videos[one] for one in first],
                "video2": [videos[other] for other in second],
                "labels": [1, 0] * len(labels),
            }
        made = datasets.Dataset.from_dict(columns)
        for column in columns:
            if column.startswith("video"):
                made = made.cast_column(column, datasets.Video())
        splits[name] = made
    self.dataset = datasets.DatasetDict(splits)
    self.data_loaded = True


@contextlib.contextmanager
def quietly():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MTEB and its libraries
        yield


@pytest.mark.parametrize("kind", ["VideoClassification", "VideoClustering", "VideoPairClassification"])
def test_mteb_measures_an_encoder_that_knows_the_classes(mteb, kind, tmp_path):
    pytest.importorskip("torchcodec", reason="which decodes the videos of MTEB's tasks")
    from mteb.abstasks import AbsTaskClassification, AbsTaskClustering, AbsTaskPairClassification

    with quietly():
        made = {
            "VideoClassification": lambda: task_class(
                mteb, AbsTaskClassification, "SquaresC", "accuracy", kind, input_column_name="video", n_experiments=2
            ),
            "VideoClustering": lambda: task_class(
                mteb,
                AbsTaskClustering,
                "SquaresK",
                "v_measure",
                kind,
                input_column_name="video",
                label_column_name="label",
                max_fraction_of_documents_to_embed=None,
            ),
            "VideoPairClassification": lambda: task_class(
                mteb,
                AbsTaskPairClassification,
                "SquaresP",
                "max_ap",
                kind,
                input1_column_name="video1",
                input2_column_name="video2",
            ),
        }
        task = made[kind]()()
        measured = mteb.evaluate(
            bridge.model(informed_encoder()), task, cache=None, co2_tracker=False, show_progress_bar=False
        )
    assert measured.model_name == "video-harness/encoder"
    assert measured.task_results[0].get_score() > 0.9


def test_a_stored_run_is_a_model_with_its_cards(mteb, compute):
    (run,) = compute(
        {
            "name": "toy",
            "title": "Toy",
            "frames": 512,
            "methods": ["supervised"],
            "backbones": ["small_3d"],
            "pretraining": ["blobs"],
            "evaluators": ["knn"],
            "seeds": [3],
        }
    )
    model = bridge.model(run.key)
    meta = model.mteb_model_meta
    assert meta.name == f"video-harness/supervised-small_3d-{run.fit_key[:12]}"
    assert meta.revision == run.fit_key
    assert meta.license == "apache-2.0"
    assert meta.training_datasets is None  # of data that MTEB may or may not know
    clips = torch.zeros(1, 3, 16, 64, 64, dtype=torch.uint8)
    expected = harness.load_encoder(run.key).encode(harness.VideoBatch(clips))
    torch.testing.assert_close(model.encoder.encode(harness.VideoBatch(clips)), expected)


def test_an_export_says_how_mteb_measures_it(compute, tmp_path):
    (run,) = compute(
        {
            "name": "toy",
            "title": "Toy",
            "frames": 512,
            "methods": ["random_init"],
            "backbones": ["small_2d"],
            "pretraining": ["blobs"],
            "evaluators": ["knn"],
            "seeds": [0],
        }
    )
    for extra, options in ((set(), []), ({"evaluate_mteb.py"}, ["--as", "mteb"])):
        folder = tmp_path / f"out{len(options)}"
        outcome = CliRunner().invoke(app, ["export", run.key, *options, "-o", str(folder)])
        assert outcome.exit_code == 0, outcome.output
        assert {path.name for path in folder.iterdir()} & {"evaluate_mteb.py"} == extra
    compile((folder / "evaluate_mteb.py").read_text(), "evaluate_mteb.py", "exec")


class Seeing:
    """An encoder of some promise."""

    def __init__(self, **promise):
        self.promise = Promise(shape=(4,), **promise)


@pytest.mark.parametrize(
    ("encoder", "options", "message"),
    [
        (Seeing(views=(WholeVideo(),)), {}, "sees whole videos"),
        (Seeing(views=(VIEW, View(size=64))), {}, r"sees 8×2, 24 px \+ 16×1, 64 px"),
        (network(), {}, "needs inputs="),
        (
            NetworkEncoder(nn.Flatten(), Inputs(view=VIEW, mean=(0, 0), std=(1, 1), kind="flow", scale=1.0)),
            {},
            "sees optical flow",
        ),
        (NetworkEncoder(network(), INPUTS), {"clips": 0}, "at least 1"),
    ],
    ids=["whole", "several", "network", "flow", "clips"],
)
def test_what_mteb_cannot_show(mteb, encoder, options, message):
    with pytest.raises(UsageError, match=message):
        bridge.model(encoder, **options)


def test_a_task_of_texts_names_what_it_lacks(mteb):
    model = bridge.model(network(), inputs=INPUTS)
    with pytest.raises(UsageError, match="task A asks for vectors of text; the encoder sees videos only"):
        encode(model, Loader([{"text": "a dog"}]))


@pytest.mark.parametrize(
    ("version", "message"), [(None, r"pip install 'video-harness\[mteb\]'"), ("2.3.1", "got 2.3.1")]
)
def test_mteb_has_to_be_there(monkeypatch, version, message):
    monkeypatch.setattr(bridge.util, "find_spec", lambda name: version)
    monkeypatch.setattr(bridge.metadata, "version", lambda name: version)
    with pytest.raises(UsageError, match=message):
        bridge.model(network(), inputs=INPUTS)
