"""FLIC on a few frames of drawn people in its own layout, and wrong copies."""

from __future__ import annotations

import io

import numpy as np
import pytest
import scipy.io
from PIL import Image

from harness.datasets.image_pose import FLIC
from harness.errors import DataError, UsageError
from harness.evaluators.pose.frames import frames_with_people
from harness.evaluators.pose.protocol import Pose
from harness.functional.pose import JOINTS
from harness.testing import failures
from harness.video.decode import decode

pytestmark = pytest.mark.usefixtures("in_process")

COLUMNS = {"left_shoulder": 1, "left_elbow": 2, "left_wrist": 3, "right_shoulder": 4, "right_elbow": 5}
COLUMNS |= {"right_wrist": 6, "left_hip": 7, "right_hip": 10, "nose": 17}
"""As MODEC's program names them, counted from 1."""

TRAIN, TEST = 18, 7
FRAME = 3


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


def test_it_keeps_what_a_data_set_has_to(write):
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

    def test_nothing_there(self, tmp_path, place):
        place("flic", tmp_path)
        with pytest.raises(DataError, match=r"no examples\.mat in"):
            FLIC().split("train")

    def test_an_unknown_split(self, write):
        with pytest.raises(UsageError, match="unknown split 'val'"):
            write().split("val")
