"""What evaluators are shown of an encoder: other clips, frames in another order, and what is remembered of them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from harness.cards import View, WholeVideo
from harness.datasets.split_views import Subset
from harness.encoders import frozen as module
from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError, PluginError, UsageError
from harness.testing import MemorySplit, MovingSquares, UninformedEncoder
from harness.testing.fixtures import UntrainedEncoder
from harness.values import Encoding, Inputs, Promise, VideoBatch
from harness.video.anonymous import anonymous, hidden_order
from harness.video.loader import video_clips

VIEW, CLIPS = View(frames=6, stride=2, size=24), 2


class Watching:
    """Remembers the clips it was shown; its vector is the mean brightness of each frame."""

    promise = Promise(views=(VIEW,), shape=(6,))

    def __init__(self):
        self.seen = []

    def encode(self, batch):
        self.seen.append(batch.clips)
        return batch.clips.float().mean((1, 3, 4))


SPLIT = MovingSquares().split("test")
ROWS = len(SPLIT) * CLIPS
ORDER = hidden_order(SPLIT.videos)


def cached(encoder, **options):
    """The encoder, shown two clips of a video where nothing else is asked for."""
    return CachedEncoder(encoder, asked=Encoding(clips=CLIPS), **options)


def seen(encoder):
    """The clips shown since the last look."""
    clips = torch.cat(encoder.seen) if encoder.seen else None
    encoder.seen.clear()
    return clips


def test_a_shuffled_clip_has_the_same_frames_in_another_order():
    encoder = Watching()
    frozen = cached(encoder, key="x")
    frozen.features(SPLIT)
    ordered = seen(encoder)
    frozen.features(SPLIT, Encoding(shuffle=0))
    shuffled = seen(encoder)
    assert not torch.equal(ordered, shuffled)
    for one, other in zip(ordered, shuffled, strict=True):
        frames = [frame.flatten().tolist() for frame in one.unbind(1)]
        assert sorted(frames) == sorted(frame.flatten().tolist() for frame in other.unbind(1))


def test_every_clip_has_an_order_of_its_own_whatever_the_batches(monkeypatch):
    def shuffled(batch):
        monkeypatch.setattr(module, "BATCH", batch)
        return cached(Watching(), key="x").features(SPLIT, Encoding(shuffle=3)).per_clip()

    whole = shuffled(64)
    assert torch.equal(whole, shuffled(5))
    ordered = cached(Watching(), key="x").features(SPLIT).per_clip()
    orders = {
        tuple((row[:, None] == other).float().argmax(0).tolist())
        for row, other in zip(ordered.flatten(0, 1), whole.flatten(0, 1), strict=True)
    }
    assert len(orders) > 10


def test_shuffling_has_a_cache_entry_of_its_own(tmp_path):
    encoder, encodings = Watching(), [Encoding(), Encoding(shuffle=0), Encoding(shuffle=1)]
    frozen = cached(encoder, key="x", folder=tmp_path)
    first = [frozen.features(SPLIT, encoding).per_clip() for encoding in encodings]
    assert len(seen(encoder)) == 3 * ROWS
    assert len(list(tmp_path.glob("*.npy"))) == 3
    for again in (frozen, cached(encoder, key="x", folder=tmp_path)):
        for encoding, vectors in zip(encodings, first, strict=True):
            assert torch.equal(again.features(SPLIT, encoding).per_clip(), vectors)
    assert seen(encoder) is None


def test_other_clips_and_crops_of_a_video():
    frozen = cached(Watching(), key="x")
    own, wide = frozen.features(SPLIT).per_clip(), frozen.features(SPLIT, Encoding(clips=5)).per_clip()
    assert own.shape == (len(SPLIT), 2, 6)
    assert wide.shape == (len(SPLIT), 5, 6)
    torch.testing.assert_close(wide[:, 0], own[:, 0])
    assert frozen.features(SPLIT, Encoding(crops=3)).per_clip().shape == (len(SPLIT), 2 * 3, 6)


def test_features_are_computed_once():
    encoder = Watching()
    frozen = cached(encoder, key="x")
    first = frozen.features(SPLIT)
    assert len(seen(encoder)) == ROWS
    assert torch.equal(frozen.features(SPLIT).vectors, first.vectors)
    assert seen(encoder) is None


def test_vectors_are_the_mean_over_the_clips():
    features = cached(Watching(), key="x").features(SPLIT)
    torch.testing.assert_close(features.vectors, features.per_clip().mean(1))
    (block,) = features.blocks
    assert block.shape == (len(SPLIT), 2, 6)


def test_a_split_without_videos_has_no_features(tmp_path):
    features = cached(Watching(), key="x", folder=tmp_path).features(Subset(SPLIT, []))
    assert features.vectors.shape == (0, 6)
    assert not list(tmp_path.glob("*.npy"))


class TestPrecision:
    def test_float16_is_stored_in_half_the_bytes_and_rounded(self, tmp_path):
        frozen = cached(Watching(), key="x", folder=tmp_path)
        whole, half = frozen.features(SPLIT), frozen.features(SPLIT, Encoding(precision="float16"))
        assert [one.blocks[0].dtype.name for one in (whole, half)] == ["float32", "float16"]
        assert len(list(tmp_path.glob("*.npy"))) == 2
        assert half.vectors.dtype == torch.float32
        assert torch.equal(half.per_clip(), whole.per_clip().half().float())

    def test_a_number_too_large_for_float16_names_its_video(self):
        class Large(Watching):
            def encode(self, batch):
                return super().encode(batch) * 1e4

        cached(Large(), key="x").features(SPLIT)
        video = SPLIT.videos[ORDER[0]].id
        with pytest.raises(DataError, match=f"vector of video {video!r} is NaN or infinite as float16"):
            cached(Large(), key="x").features(SPLIT, Encoding(precision="float16"))

    def test_an_evaluator_that_is_asked_to_asks_for_it(self):
        frozen = cached(Watching(), key="x").asking(Encoding(precision="float16"))
        assert frozen.features(SPLIT).blocks[0].dtype.name == "float16"


def test_features_are_computed_once_for_all_that_ask_for_the_same():
    encoder = Watching()
    frozen = CachedEncoder(encoder, key="x")
    asked = [Encoding(clips=CLIPS), Encoding(clips=CLIPS, aggregate="max"), Encoding(clips=CLIPS)]
    mean, largest, again = (frozen.asking(one).features(SPLIT) for one in asked)
    assert len(seen(encoder)) == ROWS
    assert torch.equal(mean.vectors, again.vectors)
    assert torch.equal(largest.vectors, mean.per_clip().amax(1))
    others = [Encoding(), Encoding(clips=3), Encoding(clips=CLIPS, precision="float16")]
    assert [frozen.asking(one).features(SPLIT).blocks[0].shape[1] for one in others] == [1, 3, CLIPS]
    assert len(seen(encoder)) == len(SPLIT) * (1 + 3 + CLIPS)


def layered():
    network = nn.Sequential(nn.AvgPool3d((4, 8, 8)), nn.Flatten(), nn.Linear(3, 5), nn.ReLU())
    return NetworkEncoder(network, Inputs(view=View(frames=4, size=8)), layers=("1", "2"))


class TestLayers:
    def test_features_of_a_layer_are_its_outputs(self, tmp_path):
        encoder = layered()
        frozen = cached(encoder, key="x", folder=tmp_path)
        own, inner = frozen.features(SPLIT).per_clip(), frozen.features(SPLIT, Encoding(layer="2")).per_clip()
        torch.testing.assert_close(inner.relu(), own)  # of each clip: the mean of two may have another sign than one
        assert (inner < 0).any()
        assert frozen.features(SPLIT, Encoding(layer="1")).vectors.shape == (len(SPLIT), 3)
        assert len(list(tmp_path.glob("*.npy"))) == 3

    def test_an_encoder_asked_for_a_layer_gives_it_everywhere(self):
        encoder = layered()
        asked = cached(encoder, key="x").asking(Encoding(layer="2"))
        clips = torch.cat([video_clips(SPLIT, index, encoder.inputs.view) for index in range(len(SPLIT))])
        inner = asked.encode(VideoBatch(clips))
        torch.testing.assert_close(asked.features(SPLIT).vectors, inner)
        torch.testing.assert_close(inner.relu(), encoder.encode(VideoBatch(clips)))

    def test_tokens_of_a_layer_are_stored_beside_its_vectors(self, tmp_path):
        network = nn.Sequential(nn.AvgPool3d((2, 4, 4)), nn.Conv3d(3, 5, 1), nn.AdaptiveAvgPool3d(1), nn.Flatten())
        encoder = NetworkEncoder(network, Inputs(view=View(frames=4, size=8)), layers=("1",), tokens="1")
        frozen = cached(encoder, key="x", folder=tmp_path)
        (tokens,) = frozen.features(SPLIT, Encoding(tokens=True, clips=2)).blocks
        assert tokens.shape == (len(SPLIT), 2, 8, 5)
        named = frozen.features(SPLIT, Encoding(tokens=True, clips=2, layer="1"))
        assert named.blocks[0] is tokens
        torch.testing.assert_close(named.vectors, frozen.features(SPLIT, Encoding(clips=2)).vectors)
        assert frozen.features(SPLIT, Encoding(layer="1", clips=2)).vectors.shape == (len(SPLIT), 8 * 5)
        assert len(list(tmp_path.glob("*.npy"))) == 3

    def test_tokens_of_an_encoder_that_gives_them_are_stored_once(self):
        encoder = NetworkEncoder(nn.AvgPool3d((2, 4, 4)), Inputs(view=View(frames=4, size=8)))
        frozen = cached(encoder, key="x")
        assert frozen.features(SPLIT, Encoding(tokens=True)).blocks[0] is frozen.features(SPLIT).blocks[0]
        assert frozen.features(SPLIT).vectors.shape == (len(SPLIT), 3)

    def test_an_encoder_without_tokens(self):
        with pytest.raises(UsageError, match=r"expected an encoder with tokens, got one that gives vectors \(5,\)"):
            cached(layered(), key="x").features(SPLIT, Encoding(tokens=True))

    def test_layers_are_read_of_any_encoder_with_a_network(self):
        class Own:
            def __init__(self, encoder):
                self.module, self.inputs, self.promise = encoder.module, encoder.inputs, encoder.promise
                self.encode, self.precision = encoder.encode, encoder.precision

        encoder = layered()
        one, other = (cached(each, key="x") for each in (encoder, Own(encoder)))
        asked = Encoding(layer="2")
        assert torch.equal(one.features(SPLIT, asked).vectors, other.features(SPLIT, asked).vectors)

    def test_a_layer_that_is_none(self):
        with pytest.raises(UsageError, match="layer of the encoder: '3'"):
            cached(layered(), key="x").features(SPLIT, Encoding(layer="3"))


def test_the_network_is_a_copy_to_be_changed_at_will():
    encoder = layered()
    frozen = cached(encoder, key="x")
    before = frozen.features(SPLIT).vectors
    network = frozen.network()
    assert network.inputs == encoder.inputs
    assert network.dim == 5
    for parameter in network.module.parameters():
        parameter.data.zero_()
    assert torch.equal(cached(encoder, key="x").features(SPLIT).vectors, before)
    assert all(parameter.any() for parameter in frozen.network().module.parameters())
    assert cached(Watching(), key="x").network() is None


def test_the_network_of_the_pretext_task_is_a_copy_too():
    class Learnt(NetworkEncoder):
        """Encoder that keeps the network of its task."""

        def __init__(self):
            super().__init__(layered().module, layered().inputs)
            self.pretext = nn.Sequential(self.module, nn.Linear(5, 2)).train()
            self.promise = replace(self.promise, offers=self.promise.offers | {"pretext"})

    encoder = Learnt()
    copied = cached(encoder, key="x").pretext()
    assert not copied.training
    copied[1].weight.data.zero_()
    assert encoder.pretext[1].weight.any()
    assert cached(layered(), key="x").pretext() is None


class Drifts(UntrainedEncoder):
    """Its batch normalisation, or what else it has for state, moves while it encodes."""

    def encode(self, batch):
        vectors = super().encode(batch)
        with torch.no_grad():
            next(self.module.parameters()).mul_(1.01)
        return vectors


def test_an_encoder_that_changes_is_found_each_time(tmp_path):
    for _ in range(2):  # what it gave is not gone on with
        with pytest.raises(PluginError, match="changed while encoding"):
            cached(Drifts(), key="x", folder=tmp_path).features(SPLIT)


def test_a_vector_of_another_length_is_found():
    class Long(UninformedEncoder):
        def encode(self, batch):
            return torch.cat([super().encode(batch)] * 2, dim=1)

    with pytest.raises(PluginError, match="promised"):
        cached(Long(), key="x").features(SPLIT)


class Whole:
    """Shown whole videos; its vector is their number of frames and mean."""

    promise = Promise(views=(WholeVideo(),), shape=(2,))

    def encode(self, batch):
        clips = batch.clips
        assert len(clips) == 1
        return torch.tensor([[float(clips.shape[2]), float(clips.float().mean())]])


class ByItself(Whole):
    """Reads the videos itself, the last one first."""

    def __init__(self):
        self.splits = []
        self.encoded = []

    def encode_videos(self, split, done):
        self.splits.append(split)
        for position in reversed(range(len(split))):
            if position not in done:
                self.encoded.append(position)
                yield position, self.encode(VideoBatch(video_clips(split, position, WholeVideo())))[0]


def test_whole_videos():
    features = cached(Whole(), key="whole").features(SPLIT)
    assert features.per_clip().shape == (len(SPLIT), 1, 2)
    expected = [[video.frames, float(SPLIT.read(i).float().mean())] for i, video in enumerate(SPLIT.videos)]
    torch.testing.assert_close(features.vectors, torch.tensor(expected))
    own = ByItself()
    frozen = cached(own, key="own")
    torch.testing.assert_close(frozen.features(SPLIT).vectors, features.vectors)
    (shown,) = own.splits
    assert shown == SPLIT.unlabelled()
    frozen.features(SPLIT, Encoding(shuffle=0))  # shuffled frames have to be handed over
    assert len(own.splits) == 1
    assert torch.equal(frozen.features(SPLIT, Encoding(clips=3, crops=3)).per_clip(), features.per_clip())


def test_what_an_encoder_reads_by_itself_is_checked():
    own = ByItself()
    own.encode_videos = lambda split, done: iter([(0, torch.zeros(3))])
    with pytest.raises(PluginError, match="promised"):
        cached(own, key="own").features(SPLIT)
    own.encode_videos = lambda split, done: iter([(4, torch.full((2,), torch.nan))])
    with pytest.raises(DataError, match=f"vector of video {SPLIT.videos[ORDER[4]].id!r} is NaN"):
        cached(own, key="own").features(SPLIT)


def test_a_video_that_an_encoder_leaves_out_is_found(tmp_path):
    own = ByItself()
    own.encode_videos = lambda split, done: iter([(n, torch.ones(2)) for n in range(len(split)) if n != 5])
    with pytest.raises(PluginError, match=f"gave no vector of video {SPLIT.videos[ORDER[5]].id!r}"):
        cached(own, key="own", folder=tmp_path).features(SPLIT)
    assert not list(tmp_path.glob("*.npy"))


@pytest.mark.parametrize("encoder", [Whole(), ByItself(), Watching()])
def test_an_encoder_sees_videos_in_an_order_that_tells_nothing(encoder, tmp_path):
    """A vector that is the number of the call says where the video lies in the hidden order."""
    calls = itertools.count()

    def numbered(batch):
        return torch.tensor([[float(next(calls))] * encoder.promise.shape[0] for _ in range(len(batch))])

    encoder.encode = numbered
    features = cached(encoder, key="x", folder=tmp_path).features(SPLIT).per_clip()
    vectors = features[:, 0, 0]
    order = torch.tensor(ORDER)
    expected = range(len(SPLIT) - 1, -1, -1) if isinstance(encoder, ByItself) else range(len(SPLIT))
    assert (vectors[order] / features.shape[1]).tolist() == [float(call) for call in expected]
    assert sorted(ORDER) != ORDER


def test_a_split_that_hides_nothing_of_the_order_is_refused():
    class KeepsOrder(MemorySplit):
        def unlabelled(self):
            return MemorySplit(self.name, anonymous(self.videos), self.frames, {}, labelled=False)

    split = KeepsOrder(SPLIT.name, SPLIT.videos, SPLIT.frames, SPLIT.classes)
    with pytest.raises(PluginError, match="other videos or another order than"):
        CachedEncoder(Watching(), key="x").features(split)


class StoppedError(Exception):
    """Stands for a kill between two batches."""


class Stops(Watching):
    """Ends after so many batches."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def encode(self, batch):
        if not self.left:
            raise StoppedError
        self.left -= 1
        return super().encode(batch)


class TestResume:
    """A killed encoding goes on at the batch where it ended."""

    @pytest.fixture(autouse=True)
    def small_batches(self, monkeypatch):
        monkeypatch.setattr(module, "BATCH", 10)

    @pytest.mark.parametrize("batches", [0, 1, 4, 6])
    @pytest.mark.parametrize("encoding", [Encoding(), Encoding(shuffle=3, precision="float16")], ids=["plain", "other"])
    def test_it_goes_on_at_the_batch(self, tmp_path, batches, encoding):
        whole = cached(Watching(), key="x", folder=tmp_path / "whole").features(SPLIT, encoding)
        folder = tmp_path / "stopped"
        with pytest.raises(StoppedError):
            cached(Stops(batches), key="x", folder=folder).features(SPLIT, encoding)
        assert not [path for path in folder.glob("*.npy") if ".partial." not in path.name]
        rest = Watching()
        features = cached(rest, key="x", folder=folder).features(SPLIT, encoding)
        assert [len(batch) for batch in rest.seen] == ([10] * 6 + [4])[batches:]
        assert torch.equal(features.per_clip(), whole.per_clip())
        stored, complete = (
            [path.read_bytes() for path in where.glob("*.npy")] for where in (folder, tmp_path / "whole")
        )
        assert stored == complete

    def test_a_batch_half_written_is_encoded_as_a_whole(self, tmp_path):
        """The kill came inside a batch: what a clip gets must not depend on where its batch begins."""
        with pytest.raises(StoppedError):
            cached(Stops(2), key="x", folder=tmp_path).features(SPLIT)
        (path,) = tmp_path.glob("*.rows")
        written = np.memmap(path, dtype=np.uint64, mode="r+")
        clips = [(video, clip) for video in ORDER for clip in (0, 1)]
        written[[row for row in range(ROWS) if clips.index(divmod(row, 2)) >= 17]] = 0
        rest = Watching()
        cached(rest, key="x", folder=tmp_path).features(SPLIT)
        assert [len(batch) for batch in rest.seen] == [10] * 5 + [4]

    def test_one_that_ended_before_it_got_its_name_encodes_nothing(self, tmp_path, monkeypatch):
        def killed(self):
            raise StoppedError

        with monkeypatch.context() as patch, pytest.raises(StoppedError):
            patch.setattr(module.FeatureFile, "complete", killed)
            cached(Watching(), key="x", folder=tmp_path).features(SPLIT)
        rest = Watching()
        features = cached(rest, key="x", folder=tmp_path).features(SPLIT)
        assert rest.seen == []
        assert torch.equal(features.vectors, cached(Watching(), key="x").features(SPLIT).vectors)

    def test_an_encoder_that_reads_by_itself_is_told_what_is_done(self, tmp_path):
        class Interrupted(ByItself):
            def encode_videos(self, split, done):
                for count, pair in enumerate(super().encode_videos(split, done)):
                    if count == 7:
                        raise StoppedError
                    yield pair

        first, rest, last = Interrupted(), ByItself(), len(SPLIT) - 1
        with pytest.raises(StoppedError):
            cached(first, key="own", folder=tmp_path).features(SPLIT)
        features = cached(rest, key="own", folder=tmp_path).features(SPLIT)
        assert rest.encoded == list(range(last - 7, -1, -1))  # the videos from the last one on that are not done
        assert torch.equal(features.vectors, cached(Whole(), key="own").features(SPLIT).vectors)
