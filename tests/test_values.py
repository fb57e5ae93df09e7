"""Values that are exchanged: impossible ones are refused where they are made."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.cards import View, WholeVideo
from harness.errors import PluginError, UsageError
from harness.values import (
    Batch,
    Box,
    ClassScores,
    Encoding,
    Evaluation,
    Inputs,
    Predictions,
    Promise,
    VideoBatch,
    as_tokens,
    joined_promise,
)

VIEW = View(frames=4, size=8)


@pytest.mark.parametrize("options", [{"frames": 0}, {"stride": 0}, {"clips": 0}, {"size": 9, "resize": 8}])
def test_a_view_of_impossible_numbers(options):
    with pytest.raises(ValueError, match="view"):
        View(**options)


def test_a_uniform_stride_spans_the_video():
    with pytest.raises(ValueError, match="one clip, got clips=2"):
        View(stride="uniform", clips=2)
    with pytest.raises(UsageError, match="got 'uniform'"):
        View(stride="uniform").step  # noqa: B018


@pytest.mark.parametrize(
    "options",
    [
        {"mean": (0.5,)},
        {"std": (0.0, 1.0, 1.0)},
        {"scale": 0.0},
        {"kind": "flow"},
        {"kind": "flow", "mean": (0.0, 0.0), "std": (1.0, 1.0, 1.0)},
    ],
)
def test_inputs_of_impossible_numbers(options):
    with pytest.raises(ValueError, match="expected mean and std of"):
        Inputs(view=VIEW, **options)


@pytest.mark.parametrize(
    "part",
    [
        {"groups": ("g",)},
        {"labels": (0,)},
        {"predicted": ((0, 1), (0,))},
        {"values": {"top1": ((1.0, 0.0), (1.0, 0.0, 0.0))}},
        {"multilabels": ((0,),)},
    ],
)
def test_predictions_are_of_each_video(part):
    whole = {"videos": ("a", "b"), "groups": ("g", "h"), "labels": (0, 1)}
    Predictions(**whole)
    with pytest.raises(ValueError, match="of 2 videos, got"):
        Predictions(**{**whole, **part})


def test_a_promise_names_views_and_a_spatial_layer_where_it_offers_one():
    with pytest.raises(ValueError, match="at least one view"):
        Promise(views=(), shape=(3,))
    for options in ({"spatial": "map"}, {"offers": frozenset({"vector", "feature_map"})}):
        with pytest.raises(ValueError, match="with a spatial layer"):
            Promise(views=(VIEW,), shape=(3,), **options)


@pytest.mark.parametrize(
    ("change", "kept"),
    [({}, True), ({"shape": (7,)}, False), ({"shape": (3, 1)}, False), ({"views": (WholeVideo(),)}, False)],
)
def test_a_promise_is_kept_by_an_encoder_that_is_the_same(change, kept):
    promise = Promise(views=(VIEW,), shape=(3,))
    assert promise.kept_by(Promise(**{"views": (VIEW,), "shape": (3,), **change})) is kept
    open_size = Promise(views=(VIEW,), shape=(None,))
    assert open_size.kept_by(promise)


def test_what_gives_no_vectors_is_not_joined():
    one = Promise(views=(VIEW,), shape=(3,))
    for parts in ((one,), (one, Promise(views=(VIEW,), shape=(3,), offers=frozenset({"blocks"})))):
        with pytest.raises(ValueError, match="at least two parts that give vectors"):
            joined_promise(parts, "concat")
    unknown = Promise(views=(WholeVideo(),), shape=(None,))
    assert joined_promise((one, unknown), "concat").shape == (None,)
    assert joined_promise((one, Promise(views=(VIEW,), shape=(5, 7))), "concat").shape == (3 + 7,)


@pytest.mark.parametrize(
    ("options", "offers", "dim"),
    [
        ({"shape": (3,)}, {"vector"}, 3),
        ({"shape": (5, 3)}, {"vector", "tokens"}, 3),
        ({"shape": (3, 4, 4)}, {"vector", "tokens", "maps"}, 3),
        ({"shape": (None, 2, 4, 4)}, {"vector", "tokens", "maps"}, None),
        ({"shape": (3,), "tokens": "norm"}, {"vector", "tokens"}, 3),
        ({"shape": (3,), "offers": frozenset({"feature_map"}), "spatial": "map"}, {"feature_map", "tokens"}, 3),
    ],
)
def test_what_shape_and_layers_imply_is_offered(options, offers, dim):
    promise = Promise(views=(VIEW,), **options)
    assert (promise.offers, promise.dim) == (offers, dim)
    assert promise.kept_by(promise)


def test_tokens_are_read_from_the_layer_named_for_them_before_the_spatial_one():
    options = {"views": (VIEW,), "offers": frozenset({"vector", "feature_map"}), "spatial": "map"}
    assert Promise(shape=(3,), **options).token_layer == "map"
    assert Promise(shape=(3,), tokens="norm", **options).token_layer == "norm"
    assert Promise(shape=(5, 3), tokens="norm", **options).token_layer == ""  # its own


def test_features_have_one_to_four_axes():
    for shape in ((), (1, 2, 3, 4, 5)):
        with pytest.raises(ValueError, match=r"expected features \(D,\), .* of a clip"):
            Promise(views=(VIEW,), shape=shape)


def test_the_tokens_of_a_map_are_its_places():
    maps = torch.randn(2, 3, 4, 5, 6)
    tokens = as_tokens(maps)
    assert tokens.shape == (2, 120, 3)
    assert torch.equal(tokens[1, (2 * 5 + 4) * 6 + 1], maps[1, :, 2, 4, 1])


@pytest.mark.parametrize("options", [{"clips": 0}, {"frames": 0}])
def test_an_encoding_of_impossible_numbers(options):
    with pytest.raises(ValueError, match="to be at least 1, got 0"):
        Encoding(**options)


@pytest.mark.parametrize("clips", [torch.zeros(1, 3, 4, 8), torch.zeros(1, 2, 4, 8, 8), torch.zeros(1, 3, 4, 8, 8)])
def test_clips_are_rgb_of_bytes(clips):
    with pytest.raises(ValueError, match="clips must be"):
        VideoBatch(clips)


def test_a_batch_without_flow_says_so():
    batch = VideoBatch(torch.zeros(2, 3, 4, 8, 8, dtype=torch.uint8))
    assert len(batch) == 2
    assert batch.stream("rgb") is batch.clips
    with pytest.raises(PluginError, match="expected a batch with optical flow"):
        batch.stream("flow")


def test_a_training_batch_counts_its_frames():
    clips = torch.zeros(2, 3, 4, 8, 8)
    assert Batch(clips).shown == 8
    assert Batch({"frames": clips, "flow": clips[:, :2, :3]}).shown == 8
    assert Batch(clips, frames=5).shown == 5


def test_a_box_has_pixels():
    assert Box(1, 2, 4, 8).size == (3, 6)
    with pytest.raises(ValueError, match="at least one pixel"):
        Box(1, 2, 1, 8)


def test_a_picture_has_a_short_name():
    with pytest.raises(ValueError, match="short name for a picture"):
        Evaluation((), pictures={"../x": b""})


def test_class_scores_are_of_half_precision_and_a_known_kind():
    assert ClassScores("margins", np.zeros((1, 3, 2), np.float16)).kind == "margins"
    assert ClassScores("log-odds", np.zeros((1, 3, 2), np.float32)).kind == "log-odds"
    with pytest.raises(ValueError, match=r"log-odds must be \(R, N, C\) float32, got \(1, 3, 2\) float16"):
        ClassScores("log-odds", np.zeros((1, 3, 2), np.float16))
    with pytest.raises(ValueError, match=r"\(R, N, C\) float16, got \(1, 3, 2\) float32"):
        ClassScores("logits", np.zeros((1, 3, 2), np.float32))
    with pytest.raises(ValueError, match="float16"):
        ClassScores("logits", np.zeros((3, 2), np.float16))
    with pytest.raises(ValueError, match="one kind of logits, probabilities, log-odds, margins, got 'odds'"):
        ClassScores("odds", np.zeros((1, 3, 2), np.float16))
