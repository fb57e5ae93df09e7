"""Files of vectors that were computed elsewhere: written, read, and wrong ones refused in one line."""

from __future__ import annotations

import dataclasses
import json
import pickle
import struct

import numpy as np
import pytest
import safetensors.torch
import torch

import harness
from harness.cards import Elsewhere, View, in_words
from harness.encoders.frozen import CachedEncoder
from harness.encoders.vectors_file import VectorsEncoder, read_vectors, save_features
from harness.errors import DataError, UsageError
from harness.testing.fixtures import MovingSquares
from harness.values import Encoding, VideoBatch

IDS = ("a/1", "b/2", "c/3")


def save(path, vectors, videos=IDS, name="vectors"):
    """As somebody else writes it, with safetensors alone."""
    metadata = {} if videos is None else {"videos": videos if isinstance(videos, str) else json.dumps(videos)}
    safetensors.torch.save_file({name: vectors}, path, metadata=metadata)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.safetensors"


@pytest.mark.parametrize("kind", [torch.float16, torch.float32])
def test_what_is_written_is_read(path, kind):
    vectors = torch.randn(3, 5).to(kind)
    harness.save_features(str(path), vectors, IDS)
    read, videos = read_vectors(path)
    assert torch.equal(read, vectors)
    assert (read.dtype, videos) == (kind, IDS)
    save_features(path, vectors.numpy(), list(IDS))
    assert torch.equal(read_vectors(path)[0], vectors)
    save(path, vectors)
    assert torch.equal(read_vectors(path)[0], vectors)


ONES = torch.ones(3, 5)


@pytest.mark.parametrize(
    ("vectors", "videos", "message"),
    [
        (ONES[0], IDS, r"expected vectors \(N, D\), a row a video, got \(5,\)"),
        (ONES[None], IDS, r"got \(1, 3, 5\)"),
        (ONES[:, :0], IDS, r"got \(3, 0\)"),
        (ONES.double(), IDS, "expected vectors in float16 or float32, got"),
        (ONES.long(), IDS, "expected vectors in float16 or float32, got"),
        (ONES, IDS[:2], "3 vectors and 2 ids of videos"),
        (ONES, ("a", "b", "a"), "video 'a' has two vectors"),
        (ONES, ("a", "b", 3), "id 2 of its videos is '3', which is no text"),
        (ONES, ("a", "", "c"), "id 1 of its videos is ''"),
        (torch.tensor([[1.0], [float("nan")], [0.0]]), IDS, "the vector of video 'b/2' is NaN or infinite"),
        (torch.tensor([[1.0], [0.0], [float("-inf")]]), IDS, "the vector of video 'c/3' is NaN or infinite"),
    ],
)
def test_wrong_vectors_are_neither_written_nor_read(path, vectors, videos, message):
    with pytest.raises(UsageError, match=message):
        save_features(path, vectors, videos)
    assert not path.exists()
    save(path, vectors, videos)
    with pytest.raises(DataError, match=message) as refused:
        read_vectors(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("vectors", [[[1.0], [1.0, 2.0]], ["a"], None])
def test_what_is_no_array_is_not_written(path, vectors):
    with pytest.raises(UsageError, match=r"expected vectors"):
        save_features(path, vectors, IDS)
    with pytest.raises(UsageError, match="expected a list of ids, one a vector, got the text 'abc'"):
        save_features(path, ONES, "abc")
    assert not path.exists()


def test_an_array_may_lie_backwards(path):
    save_features(path, ONES.numpy().cumsum(1)[:, ::-1], IDS)
    assert read_vectors(path)[0][0].tolist() == [5, 4, 3, 2, 1]


def pickled(path):
    path.write_bytes(pickle.dumps({"vectors": np.ones((3, 5))}))


def huge_header(path):
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")


def beyond_its_end(path):
    header = json.dumps(
        {"__metadata__": {"videos": '["a"]'}, "vectors": {"dtype": "F32", "shape": [1, 9], "data_offsets": [0, 36]}}
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 8)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (pickled, "not a safetensors file"),
        (huge_header, "not a safetensors file"),
        (beyond_its_end, "not a safetensors file"),
        (lambda path: path.touch(), "not a safetensors file"),
        (lambda path: path.mkdir(), "there is no such file"),
        (lambda path: save(path, ONES, None), "its metadata has no 'videos'"),
        (lambda path: save(path, ONES, "[1,"), "its metadata 'videos' is no JSON"),
        (lambda path: save(path, ONES, "[" * 100_000), "not a safetensors file|no JSON"),
        (lambda path: save(path, ONES, '{"a": 1}'), "its metadata 'videos' is no list, but dict"),
        (lambda path: save(path, ONES, IDS, "features"), "expected one tensor 'vectors', got features"),
    ],
)
def test_a_file_of_another_kind_is_refused(path, write, message):
    write(path)
    with pytest.raises(DataError, match=message) as refused:
        read_vectors(path)
    assert "\n" not in str(refused.value)


@pytest.fixture
def squares():
    return MovingSquares().split("test")


def of(split):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(split), 4, generator=generator), [video.id for video in split.videos]


def test_each_video_gets_the_vector_of_its_id(squares, tmp_path):
    vectors, ids = of(squares)
    more = VectorsEncoder(torch.cat([torch.zeros(1, 4), vectors.flip(0)]), ["of another data set", *ids[::-1]])
    features = CachedEncoder(more, key="features", folder=tmp_path).features(squares)
    assert torch.equal(features.vectors, vectors)
    assert more.promise.sees == in_words(Elsewhere()) == "vectors computed elsewhere"
    half = CachedEncoder(VectorsEncoder(vectors.half(), ids), key="half").features(squares).vectors
    assert torch.equal(half, vectors.half().float())


def test_a_video_without_a_vector_is_named(squares):
    vectors, ids = of(squares)
    encoder = CachedEncoder(VectorsEncoder(vectors[2:], ids[2:]), key="features")
    with pytest.raises(DataError, match=f"no vector of video '{ids[0]}' and 1 more of 32"):
        encoder.features(squares)


def test_accents_of_ids_may_be_written_either_way():
    encoder = VectorsEncoder(torch.arange(4.0).view(2, 2), ["cafe\u0301.mp4", "b.mp4"])
    assert encoder.vectors(["b.mp4", "caf\u00e9.mp4"]).tolist() == [[2.0, 3.0], [0.0, 1.0]]


def test_ids_are_told_of_no_unlabelled_split_and_to_no_other_encoder(squares):
    vectors, ids = of(squares)
    with pytest.raises(UsageError, match="those of whole videos with their ids"):
        CachedEncoder(VectorsEncoder(vectors, ids), key="features").features(squares.unlabelled())

    class Curious(VectorsEncoder):
        """Has `vectors`, and promises to look at clips."""

        @property
        def promise(self):
            return dataclasses.replace(super().promise, views=(View(frames=4, size=32),))

        def vectors(self, videos):
            pytest.fail("told ids")

    with pytest.raises(UsageError, match="no further clip can be encoded"):
        CachedEncoder(Curious(vectors, ids), key="curious").features(squares)


def test_frames_in_another_order_and_further_clips_have_no_vector(squares):
    vectors, ids = of(squares)
    encoder = CachedEncoder(VectorsEncoder(vectors, ids), key="features")
    with pytest.raises(UsageError, match="those of whole videos"):
        encoder.features(squares, Encoding(shuffle=0))
    with pytest.raises(UsageError, match="no further clip"):
        encoder.encode(VideoBatch(torch.zeros(1, 3, 1, 8, 8, dtype=torch.uint8)))
    assert encoder.network() is None
