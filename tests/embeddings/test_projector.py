"""TensorBoard's projector can read the files, and they agree with each other."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from harness.embeddings.projector import LARGEST, projector_files

COUNT = 7


def made(count=COUNT, name='sfa "best"'):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(count, 5)).astype(np.float32) * 10.0 ** random.integers(-20, 20, size=(count, 1))
    thumbnails = np.zeros((count, 96, 96, 3), dtype=np.uint8)
    thumbnails += np.arange(count, dtype=np.uint8)[:, None, None, None] + 1
    columns = {"action": ["a b"] * (count - 1) + ["c\td\ne"], "frame": range(count)}
    return (
        vectors.astype(np.float32),
        thumbnails,
        projector_files(vectors.astype(np.float32), columns, thumbnails, name=name),
    )


def config(files):
    (embedding,) = text_format.Parse(files["projector_config.pbtxt"].decode(), ProjectorConfig()).embeddings
    return embedding


def test_the_configuration_names_the_other_files():
    files = made()[2]
    embedding = config(files)
    assert embedding.tensor_name == 'sfa "best"'
    named = {embedding.tensor_path, embedding.metadata_path, embedding.sprite.image_path}
    assert named == set(files) - {"projector_config.pbtxt"}


def test_vectors_come_back_bit_for_bit():
    vectors, _, files = made()
    read = np.loadtxt(io.BytesIO(files["tensors.tsv"]), delimiter="\t", dtype=np.float32)
    assert np.array_equal(read, vectors)


def test_there_is_a_row_under_the_headings_for_each_vector():
    rows = list(csv.reader(io.StringIO(made()[2]["metadata.tsv"].decode()), delimiter="\t"))
    assert rows[0] == ["action", "frame"]
    assert rows[1:] == [["a b", str(n)] for n in range(COUNT - 1)] + [["c d e", str(COUNT - 1)]]


@pytest.mark.parametrize("count", [5, 9, 10])
def test_sprites_stand_row_by_row(count):
    files = made(count)[2]
    width, height = config(files).sprite.single_image_dim
    image = np.asarray(Image.open(io.BytesIO(files["sprite.png"])))
    assert image.shape[0] == image.shape[1]
    across = image.shape[1] // width
    for index in range(count):
        top, left = index // across * height, index % across * width
        assert (image[top : top + height, left : left + width] == index + 1).all()


def test_many_sprites_are_smaller():
    thumbnails = np.zeros((16_500, 1, 1, 3), dtype=np.uint8)
    files = projector_files(np.zeros((16_500, 1), dtype=np.float32), {"a": range(16_500)}, thumbnails, name="n")
    assert max(Image.open(io.BytesIO(files["sprite.png"])).size) <= LARGEST
    assert list(config(files).sprite.single_image_dim) == [63, 63]
