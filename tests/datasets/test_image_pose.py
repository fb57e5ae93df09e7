"""FLIC, Leeds Sports and their stored joints, on drawn people in their own layouts."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
import scipy.io
from PIL import Image

from harness.datasets import image_pose
from harness.datasets.image_pose import FLIC, LeedsSports, store_joints
from harness.errors import DataError, UsageError
from harness.evaluators.pose.frames import frames_with_people
from harness.evaluators.pose.protocol import Pose
from harness.functional.pose import JOINTS
from harness.system import paths
from harness.testing import failures
from harness.video.decode import decode

pytestmark = pytest.mark.usefixtures("in_process")

COLUMNS = {"left_shoulder": 1, "left_elbow": 2, "left_wrist": 3, "right_shoulder": 4, "right_elbow": 5}
COLUMNS |= {"right_wrist": 6, "left_hip": 7, "right_hip": 10, "nose": 17}
"""As MODEC's program names them, counted from 1."""

TRAIN, TEST = 18, 7
FRAME = 3


LSP_ORDER = {3: "right_hip", 4: "left_hip", 7: "right_wrist", 8: "right_elbow", 9: "right_shoulder"}
LSP_ORDER |= {10: "left_shoulder", 11: "left_elbow", 12: "left_wrist"}
"""Published, counted from 1."""

LSP_COUNT = 24
LSP_FRAME = 2

PLACES = np.random.default_rng(0).normal(size=(3, 9, 2)).astype(np.float32)
VISIBLE = np.random.default_rng(1).random((3, 9)) < 0.5


def example(coords, file, movie, *, train):
    row = {"poselet_hit_idx": np.arange(3), "moviename": movie, "coords": coords, "filepath": file}
    row |= {"imgdims": np.array([48, 64, 3]), "currframe": 12.0, "torsobox": np.array([1.0, 2, 3, 4])}
    return row | {"istrain": np.uint8(train), "istest": np.uint8(not train)}


@pytest.fixture
def rows(drawn, tmp_path):
    """Of each of `TRAIN` and `TEST` people one frame as a picture, and what is published of it; writes the pictures."""
    (tmp_path / "FLIC" / "images").mkdir(parents=True)
    videos = sorted((drawn / "videos").glob("*/*"))[: TRAIN + TEST]
    rows = []
    for number, video in enumerate(videos):
        joints = np.load(drawn / "joints" / video.relative_to(drawn / "videos").with_suffix(".npz"))["joints"][FRAME]
        file = f"a-film-{number:08d}.jpg"
        Image.fromarray(decode(video, [FRAME])[0]).save(tmp_path / "FLIC" / "images" / file, quality=95)
        coords = np.full((2, 29), np.nan)
        for joint, column in COLUMNS.items():
            coords[:, column - 1] = joints[JOINTS.index(joint)] + 1.0
        coords[:, 20] = -7.0  # a joint that is not ours
        rows.append(example(coords, file, f"film-{number % 3}", train=number < TRAIN))
    return rows


@pytest.fixture
def write(rows, tmp_path, place):
    """Writes `examples.mat`, with changes of examples by their number."""

    def write(**changes):
        fields = [(name, object) for name in rows[0]]
        table = np.empty((1, len(rows)), dtype=fields)
        for number, row in enumerate(rows):
            table[0, number] = tuple({**row, **changes.get(f"_{number}", {})}.values())
        scipy.io.savemat(tmp_path / "FLIC" / "examples.mat", {"examples": table}, do_compression=True)
        return FLIC()

    place("flic", tmp_path / "FLIC")
    return write


def test_flic_keeps_what_a_data_set_has_to(write):
    assert failures(write()) == {}


def test_joints_sides_and_films(write, drawn, tmp_path, place):
    place("flic", tmp_path)
    data = write()
    train, test = data.split("train"), data.split("test")
    assert (len(train), len(test)) == (TRAIN, TEST)
    assert {video.group for video in test.videos} == {"test/film-0", "test/film-1", "test/film-2"}
    video = test.videos[1]
    assert (video.id, video.labels, video.width, video.height) == ("a-film-00000019", {}, 64, 48)
    source = sorted((drawn / "joints").glob("*/*"))[19]
    original, found = np.load(source), np.load(video.joints)
    np.testing.assert_allclose(found["joints"][0], original["joints"][FRAME], atol=1e-4)
    assert found["visible"][0].tolist() == original["visible"][FRAME].tolist()


def test_unknown_joints_and_those_outside_are_not_visible(write, rows):
    coords = rows[0]["coords"].copy()
    coords[:, 1] = np.nan, 5  # left elbow
    coords[:, 2] = 64.4, 48.4  # left wrist, on the last pixel
    coords[:, 5] = 64.6, 5  # right wrist, just outside
    found = np.load(write(_0={"coords": coords}).split("train").videos[0].joints)
    visible = dict(zip(JOINTS, found["visible"][0].tolist(), strict=True))
    assert (visible["left_elbow"], visible["left_wrist"], visible["right_wrist"]) == (False, True, False)
    assert np.isnan(found["joints"][0, JOINTS.index("left_elbow")]).all()
    assert found["joints"][0, JOINTS.index("right_wrist")].tolist() == pytest.approx([63.6, 4.0])


def test_two_people_of_one_picture(write, rows):
    data = write(_1={"filepath": rows[0]["filepath"]})
    first, second = data.split("train").videos[:2]
    assert (first.id, second.id) == ("a-film-00000000", "a-film-00000000-2")
    assert first.path == second.path
    assert first.joints != second.joints


def test_joints_are_written_once_and_again_when_they_change(write, rows):
    data = write()
    first, manifest = data.split("train").videos[0].joints, data.split("train").manifest
    stamp = first.stat().st_mtime_ns
    assert data.split("train").videos[0].joints == first
    assert first.stat().st_mtime_ns == stamp
    other = write(_0={"coords": rows[0]["coords"] + 0.25}).split("train")
    assert other.videos[0].joints != first
    assert other.manifest != manifest


def test_the_pose_protocol_runs(write, maps):
    data = write()
    assert len(frames_with_people(data, "test")) == TEST  # one frame each
    found = Pose().evaluate(maps, data, seed=0)
    scores = {score.metric: score for score in found.scores}
    assert 0 <= scores["strict_pcp_arms"].value <= 1
    assert len(found.predictions.videos) == TEST
    assert Image.open(io.BytesIO(found.pictures["pose"])).size[0] > 180


@pytest.mark.parametrize(("data", "file"), [(FLIC(), "examples.mat"), (LeedsSports(), "joints.mat")])
def test_no_such_split_and_no_copy(data, file, tmp_path, place):
    with pytest.raises(UsageError, match="unknown split 'val'"):
        data.split("val")
    place(data.card.name, tmp_path)
    with pytest.raises(DataError, match=rf"no {file} in .* below it; unpack the data set there"):
        data.split("train")


class TestWrongCopies:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"filepath": "../../secret.jpg"}, r"example 3 should name a file of images/, it names '\.\./\.\./secret"),
            ({"filepath": "..\\secret.jpg"}, "example 3 should name a file of images/"),
            ({"filepath": ".."}, r"example 3 should name a file of images/, it names '\.\.'"),
            ({"filepath": 7.0}, "example 3 should name a file of images/"),
            ({"filepath": ""}, "example 3 should name a file of images/"),
            ({"coords": np.zeros((2, 28))}, r"example 3 should have coords \(2, 29\), it has \(2, 28\)"),
            ({"coords": "abc"}, r"example 3 should have coords \(2, 29\)"),
            ({"istest": np.uint8(1)}, r"example 3 \(a-film-00000002.jpg\) is both to train on and to test on"),
        ],
    )
    def test_wrong_examples(self, write, change, message):
        with pytest.raises(DataError, match=message):
            write(_2=change).split("train")

    def test_a_missing_field(self, write, rows):
        for row in rows:
            del row["istest"]
        with pytest.raises(DataError, match="examples have no field 'istest'"):
            write().split("train")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is no .mat file that can be read"),
            (b"MATLAB 5.0 MAT-file" + b" " * 105 + b"\x00\x01IM" + b"\xff" * 64, "is no .mat file that can be read"),
            (b"MATLAB 7.3 MAT-file" + b" " * 105 + b"\x00\x02IM" + b"\x00" * 64, "is of version 7.3"),
        ],
    )
    def test_broken_files(self, write, content, message):
        data = write()
        (data.folder / "examples.mat").write_bytes(content)
        with pytest.raises(DataError, match=f"examples.mat: {message}"):
            data.split("train")

    def test_another_variable(self, write):
        data = write()
        scipy.io.savemat(data.folder / "examples.mat", {"joints": np.zeros(3)})
        with pytest.raises(DataError, match="has no variable 'examples'"):
            data.split("train")
        scipy.io.savemat(data.folder / "examples.mat", {"examples": np.zeros(3)})
        with pytest.raises(DataError, match="no field 'coords'"):
            data.split("train")

    def test_missing_pictures(self, write):
        data = write()
        (data.folder / "images" / "a-film-00000002.jpg").unlink()
        with pytest.raises(DataError, match=r"1 of 18 videos of split 'train' cannot be used \(1 missing\)"):
            data.split("train")
        assert len(FLIC(bad="skip").split("train")) == TRAIN - 1


@pytest.fixture
def lsp(drawn, tmp_path, place, monkeypatch):
    """`lsp_dataset/` with 12 pictures on each side; of the last picture joint 7 (the right wrist) is hidden."""
    monkeypatch.setattr(image_pose, "COUNT", LSP_COUNT)
    monkeypatch.setattr(image_pose, "LEEDS_SIDES", {"train": range(12), "test": range(12, LSP_COUNT)})
    folder = tmp_path / "lsp_dataset"
    (folder / "images").mkdir(parents=True)
    published = np.zeros((3, 14, LSP_COUNT))
    for number, video in enumerate(sorted((drawn / "videos").glob("*/*"))[:LSP_COUNT]):
        name = video.relative_to(drawn / "videos").with_suffix(".npz")
        joints = np.load(drawn / "joints" / name)["joints"][LSP_FRAME]
        Image.fromarray(decode(video, [LSP_FRAME])[0]).save(folder / "images" / f"im{number + 1:04d}.jpg", quality=95)
        for column, joint in LSP_ORDER.items():
            published[:2, column - 1, number] = joints[JOINTS.index(joint)] + 1
    published[2, 6, -1] = 1
    scipy.io.savemat(folder / "joints.mat", {"joints": published})
    place("leeds-sports", folder)
    return folder


def test_leeds_keeps_what_a_data_set_has_to(lsp):
    assert failures(LeedsSports()) == {}


def test_the_published_sides_of_leeds():
    assert image_pose.COUNT == 2000
    assert {"train": range(1000), "test": range(1000, 2000)} == image_pose.LEEDS_SIDES


def test_joints_of_leeds(lsp, drawn, place):
    place("leeds-sports", lsp.parent)
    split = LeedsSports().split("test")
    assert (len(split), split.videos[0].id, split.classes) == (12, "images/im0013", {})
    original, found = np.load(sorted((drawn / "joints").glob("*/*"))[LSP_COUNT - 1]), np.load(split.videos[-1].joints)
    np.testing.assert_allclose(found["joints"][0, 1:], original["joints"][LSP_FRAME, 1:], atol=1e-4)
    wanted = original["visible"][LSP_FRAME].copy()
    wanted[[JOINTS.index("nose"), JOINTS.index("right_wrist")]] = False
    assert found["visible"][0].tolist() == wanted.tolist()
    assert np.isnan(found["joints"][0, JOINTS.index("nose")]).all()
    assert not np.load(split.videos[0].joints)["visible"][0, 0]


def test_hidden_joints_are_not_scored_but_hold_the_torso(lsp):
    frames = frames_with_people(LeedsSports(), "test")
    assert len(frames) == 12
    assert not frames.scored[-1, JOINTS.index("right_wrist")]
    assert frames.scored[:, JOINTS.index("left_shoulder")].any()


def test_the_pose_protocol_runs_without_noses(lsp, maps):
    found = Pose().evaluate(maps, LeedsSports(), seed=0)
    assert found.notes["test"]["joints_missing"] == 12
    assert "strict_pcp_arms" in {score.metric for score in found.scores}


@pytest.mark.parametrize(
    "joints", [np.zeros((14, 3, LSP_COUNT)), np.zeros((3, 14, 10)), np.zeros((1, 1)), np.array(["text"])]
)
def test_another_set_than_leeds(lsp, joints):
    scipy.io.savemat(lsp / "joints.mat", {"joints": joints})
    with pytest.raises(DataError, match=r"joints\.mat: should hold joints \(3, 14, 24\), it holds .*not the extended"):
        LeedsSports().split("train")


def test_missing_pictures_of_leeds(lsp):
    (lsp / "images" / "im0003.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 12 videos of split 'train' cannot be used \(1 missing\)"):
        LeedsSports().split("train")
    split = LeedsSports(bad="skip").split("train")
    assert [video.id for video in split.videos[1:3]] == ["images/im0002", "images/im0004"]
    assert os.fspath(split.videos[2].joints).endswith("00003.npz")


def test_one_file_an_image():
    files = store_joints("flic", PLACES, VISIBLE)
    for file, joints, visible in zip(files, PLACES, VISIBLE, strict=True):
        with np.load(file, allow_pickle=False) as found:
            assert np.array_equal(found["joints"], joints[None])
            assert np.array_equal(found["visible"], visible[None])


def test_other_content_lies_elsewhere_and_the_same_is_written_once(monkeypatch):
    first = store_joints("flic", PLACES, VISIBLE)
    assert not set(store_joints("flic", PLACES, ~VISIBLE)) & set(first)
    assert not set(store_joints("flic", PLACES + 1, VISIBLE)) & set(first)
    assert not set(store_joints("leeds-sports", PLACES, VISIBLE)) & set(first)
    monkeypatch.setattr(np, "savez", None)
    assert store_joints("flic", PLACES, VISIBLE) == first


def test_what_a_killed_process_left_is_thrown_away():
    folder = store_joints("flic", PLACES, VISIBLE)[0].parent
    draft = folder.rename(folder.with_name(f".{folder.name}.writing"))
    (draft / "half.npz").touch()
    files = store_joints("flic", PLACES, VISIBLE)
    assert sorted(folder.iterdir()) == files
    assert not draft.exists()


def test_a_full_disk_leaves_nothing_behind(monkeypatch):
    def full(*arguments, **values):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match=r"No space left.*make room there"):
        store_joints("flic", PLACES, VISIBLE)
    assert not [path for path in (paths.datasets() / "flic").iterdir() if path.suffix != ".lock"]
