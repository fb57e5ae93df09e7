"""CIFAR on small batches, written as Python 2 and as Python 3 write them, and on batches that attack."""

from __future__ import annotations

import io
import os
import pickle
import struct

import numpy as np
import pytest

from harness.datasets.cifar import CIFAR10, CIFAR100, unpickled
from harness.encoders.frozen import CachedEncoder
from harness.errors import DataError, UsageError
from harness.evaluators.knn import KNN
from harness.evaluators.throughput import Throughput
from harness.methods.random_init import RandomInit
from harness.testing import TinyBackbone, failures
from harness.training.session import TrainingSession
from harness.values import Budget

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
COUNT = 20
"""Images of a file."""


class Python2(pickle._Pickler):
    """Byte strings as Python 2 wrote its texts; NumPy's names as they were then."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_bytes(self, text):
        self.write(
            (b"U" + struct.pack("<B", len(text)) if len(text) < 256 else b"T" + struct.pack("<i", len(text))) + text
        )
        self.memoize(text)

    dispatch[bytes] = save_bytes


def python2(content):
    file = io.BytesIO()
    Python2(file, protocol=2).dump(content)
    return file.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def python3(content):
    return pickle.dumps(content, protocol=2)


def batch(seed, order="C", **labels):
    """As published: (N, 3072) bytes, planes of red, green and blue, and lists of numbers by name."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (COUNT, 3072)).astype(np.uint8, order=order)
    numbers = {f"{name}".encode(): random.permutation(np.arange(COUNT) % n).tolist() for name, n in labels.items()}
    return {b"data": pixels, b"batch_label": b"a batch", b"filenames": [b"a_s_1.png"] * COUNT, **numbers}


def cifar10(folder, write):
    folder = folder / "cifar-10-batches-py"
    folder.mkdir()
    for seed, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        (folder / name).write_bytes(write(batch(seed, order="CF"[seed % 2], labels=10)))
    names = {b"label_names": [name.encode() for name in NAMES], b"num_vis": 3072, b"num_cases_per_batch": COUNT}
    (folder / "batches.meta").write_bytes(write(names))
    return folder


@pytest.fixture(params=[python2, python3])
def ten(request, tmp_path, place):
    place("cifar10", tmp_path)
    return cifar10(tmp_path, request.param)


@pytest.fixture
def hundred(tmp_path, place):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for seed, name in enumerate(("train", "test")):
        (folder / name).write_bytes(python2(batch(seed, fine_labels=4, coarse_labels=2)))
    names = {b"fine_label_names": [b"a", b"b", b"c", b"d"], b"coarse_label_names": [b"x", b"y"]}
    (folder / "meta").write_bytes(python2(names))
    place("cifar100", folder)
    return folder


def test_python_2_wrote_other_bytes():
    one, other = python2(batch(0, labels=10)), python3(batch(0, labels=10))
    assert b"cnumpy.core.multiarray\n_reconstruct" in one
    assert b"_codecs" in other
    assert b"_codecs" not in one


def test_cifar10_keeps_what_a_data_set_has_to(ten):
    assert failures(CIFAR10()) == {}


def test_cifar100_keeps_what_a_data_set_has_to(hundred):
    assert failures(CIFAR100()) == {}


def test_pixels_labels_and_order(ten):
    split = CIFAR10().split("train")
    assert len(split) == 5 * COUNT
    assert split.classes == {"action": NAMES}
    for index in (0, COUNT + 3, 5 * COUNT - 1):
        content = batch(index // COUNT, order="CF"[index // COUNT % 2], labels=10)
        row = index % COUNT
        video = split.videos[index]
        assert video.labels == {"action": content[b"labels"][row]}
        assert video.path == ten / f"data_batch_{index // COUNT + 1}"
        assert np.array_equal(split.read(index)[0].permute(2, 0, 1).flatten().numpy(), content[b"data"][row])


def test_both_kinds_of_labels(hundred):
    content = batch(1, fine_labels=4, coarse_labels=2)
    split = CIFAR100().split("test")
    assert [video.labels["action"] for video in split.videos] == content[b"fine_labels"]
    assert [video.labels["coarse"] for video in split.videos] == content[b"coarse_labels"]
    assert split.classes == {"action": ("a", "b", "c", "d"), "coarse": ("x", "y")}


def test_evaluators_run_by_default(hundred):
    data = CIFAR100()
    session = TrainingSession(Budget(frames=0, seed=0))
    fitted = RandomInit().fit(TinyBackbone(), data.split("train").unlabelled(), session)
    encoder = CachedEncoder(fitted, key="x")
    assert len(KNN().evaluate(encoder, data, seed=0).predictions.videos) == COUNT
    speeds = {score.metric for score in Throughput(batch_size=2, repeats=1).evaluate(encoder, data, seed=0).scores}
    assert "encode_clips_per_s" in speeds
    assert "decode_clips_per_s" not in speeds  # its files are no pictures


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class TestAttacks:
    @pytest.fixture
    def canary(self, tmp_path):
        return tmp_path / "canary"

    def attacks(self, canary):
        touch = f"open({str(canary)!r}, 'w').close()"
        return {
            f"{os.system.__module__}.system": Evil(os.system, f"touch {canary}"),
            r"(__builtin__|builtins).eval": Evil(eval, touch),
            r"(__builtin__|builtins).exec": Evil(exec, touch),
            r"(__builtin__|builtins).getattr": Evil(getattr, "a text", "upper"),
            r"(numpy|numpy\.lib.*)\.(load|memmap)": Evil(np.memmap, str(canary), np.uint8, "w+", 0, (3,)),
            r"numpy.*\.fromfile": Evil(np.fromfile, "/etc/hostname", np.uint8),
            r"pathlib.*\.PosixPath": canary,
        }

    @pytest.mark.parametrize("protocol", [0, 2, 4])
    @pytest.mark.parametrize("index", range(7))
    def test_names_are_refused_before_anything_runs(self, ten, canary, index, protocol):
        name, evil = list(self.attacks(canary).items())[index]
        (ten / "data_batch_3").write_bytes(pickle.dumps({b"data": evil}, protocol=protocol))
        with pytest.raises(DataError, match=f"data_batch_3: asks for {name}, which no file of CIFAR does"):
            CIFAR10().split("train")
        assert not canary.exists()

    def test_the_pickle_would_have_worked(self, canary):
        pickle.loads(pickle.dumps(Evil(eval, f"open({str(canary)!r}, 'w').close()")))
        assert canary.exists()

    @pytest.mark.parametrize(
        "content",
        [
            pickle.dumps({b"data": np.array([1, "a", None], dtype=object)}, protocol=2),
            pickle.dumps({b"data": np.zeros((COUNT, 3072))}, protocol=2),
            pickle.dumps({b"data": np.zeros((COUNT, 3071), np.uint8)}, protocol=2),
            python2({b"data": np.zeros((0, 3072), np.uint8)}),
            pickle.dumps({b"data": [1, 2, 3]}, protocol=2),
            pickle.dumps({b"data": b"x" * 3072}, protocol=2),
            pickle.dumps({}, protocol=2),
        ],
    )
    def test_other_arrays(self, ten, content):
        (ten / "test_batch").write_bytes(content)
        with pytest.raises(DataError, match="test_batch: has no array `data` of 3072 bytes for each image"):
            CIFAR10().split("test")

    def test_an_array_that_says_it_is_larger_than_it_is(self, ten):
        content = python2(batch(5, labels=10))
        shape = b"K" + bytes([COUNT]) + b"M" + struct.pack("<H", 3072) + b"\x86"
        assert content.count(shape) == 1
        (ten / "test_batch").write_bytes(content.replace(shape, b"K" + bytes([COUNT + 1]) + shape[2:]))
        with pytest.raises(DataError, match="has no array `data`"):
            CIFAR10().split("test")

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"hello",
            b"\x80\x02}U\x04data",
            b"\x80\x02cnumpy\nndarray\nK\x01\x85R.",  # a call of what may only be named
            b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x06\x00\x00\x00rot_13\x86R.",
            b"\x80\x02cnumpy\ndtype\nN}U\x08__code__U\x01x\x86sb.",  # writes into a function
            b"\x80\x02]r\xff\xff\xff\xff.",  # a table of four billion entries
            b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
            b"\x80\x02" + b"]" * 5 + b"P1\n.",
            b"\x80\x02\x82\x01.",
        ],
    )
    def test_broken_pickles(self, tmp_path, content):
        path = tmp_path / "batch"
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"batch: (is no pickle that can be read|holds a list instead)"):
            unpickled(path)

    def test_a_file_that_is_too_large(self, ten):
        with (ten / "test_batch").open("ab") as file:
            file.truncate(2**28 + 1)
        with pytest.raises(DataError, match="more than 268435456 bytes"):
            CIFAR10().split("test")


class TestWrongCopies:
    @pytest.mark.parametrize("label", [10, -1, "1", True, 1.0])
    def test_labels_out_of_range(self, ten, label):
        content = batch(5, labels=10)
        content[b"labels"][7] = label
        (ten / "test_batch").write_bytes(python3(content))
        with pytest.raises(DataError, match=r"label of image 7 is .*, not from 0 to 9"):
            CIFAR10().split("test")

    @pytest.mark.parametrize("labels", [[0] * (COUNT - 1), None])
    def test_as_many_labels_as_images(self, ten, labels):
        (ten / "test_batch").write_bytes(python3({**batch(5), b"labels": labels}))
        with pytest.raises(DataError, match=r"20 images need as many 'labels', it has (19|none)"):
            CIFAR10().split("test")

    @pytest.mark.parametrize("names", [None, [], [1, 2]])
    def test_no_names_of_classes(self, ten, names):
        (ten / "batches.meta").write_bytes(python3({b"label_names": names}))
        with pytest.raises(DataError, match=r"batches\.meta: has no list of names 'label_names'"):
            CIFAR10().split("test")

    def test_a_missing_batch(self, ten):
        (ten / "data_batch_4").unlink()
        assert len(CIFAR10().split("test")) == COUNT
        with pytest.raises(DataError, match="data_batch_4: cannot be read"):
            CIFAR10().split("train")

    def test_another_place(self, ten, place):
        place("cifar10", ten)
        assert len(CIFAR10().split("test")) == COUNT
        place("cifar10", ten.parent.parent)
        with pytest.raises(DataError, match=r"no batches\.meta in"):
            CIFAR10().split("test")

    def test_an_unknown_split(self, ten):
        with pytest.raises(UsageError, match="unknown split 'val'"):
            CIFAR10().split("val")
