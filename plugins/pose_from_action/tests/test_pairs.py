"""Frames, blocks and negatives: what belongs together stays together, and nothing else does."""

from __future__ import annotations

import pytest
import torch

from harness.testing import MovingSquares
from harness.video.decode import in_use
from harness.video.decode_processes import DecodeProcesses
from harness_pose_from_action import pairs as reading
from harness_pose_from_action.pairs import NONE, Pairs, augment, draw_negatives, read_pairs, short_side

APART = 12
SIZE = 28


@pytest.fixture(scope="module")
def split():
    return MovingSquares().split("test")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def toy(count=64):
    """Pairs whose pixels are all different."""
    frames = torch.randint(0, 256, (2, count, 3, 1, 4, 4), generator=generator(), dtype=torch.uint8)
    return Pairs(frames, torch.randn(count, 2, APART, 4, 4, generator=generator(1)))


class Places:
    """A video whose pixels and flow say where they are: column and row."""

    def read(self, index, frames, *, short_side):
        rows, columns = torch.meshgrid(torch.arange(short_side), torch.arange(short_side + 9), indexing="ij")
        return torch.stack([columns, rows, rows], dim=2).byte().expand(len(frames), -1, -1, -1)

    def flow(self, index, frames, *, short_side):
        return self.read(index, frames, short_side=short_side)[..., :2].permute(0, 3, 1, 2).float()


class TestReading:
    def test_frames_and_flow_are_those_of_the_central_square(self, split):
        videos, first = torch.tensor([3, 5]), torch.tensor([2, 0])
        pairs = read_pairs(split, videos, first, APART, SIZE, None)
        assert pairs.frames.shape == (2, 2, 3, 1, SIZE, SIZE)
        assert pairs.flow.shape == (2, 2, APART, SIZE, SIZE)
        side = short_side(SIZE)
        for place, (video, start) in enumerate(zip(videos.tolist(), first.tolist(), strict=True)):
            images = split.read(video, [start, start + APART], short_side=side)
            flow = split.flow(video, range(start, start + APART), short_side=side)
            top, left = (images.shape[1] - SIZE) // 2, (images.shape[2] - SIZE) // 2
            square = (slice(top, top + SIZE), slice(left, left + SIZE))
            for role in range(2):
                assert torch.equal(
                    pairs.frames[role, place, :, 0], images[role].permute(2, 0, 1)[(slice(None), *square)]
                )
            assert torch.equal(pairs.flow[place], flow.transpose(0, 1)[(slice(None), slice(None), *square)])

    def test_videos_are_decoded_in_processes(self, monkeypatch):
        decoders = []

        class Watched(Places):
            def read(self, *asked, **how):
                decoders.append(in_use())
                return super().read(*asked, **how)

        monkeypatch.setattr(reading, "allowed_processors", lambda: 2)
        read_pairs(Watched(), torch.zeros(2, dtype=torch.long), torch.arange(2), APART, SIZE, None)
        assert {type(decoder) for decoder in decoders} == {DecodeProcesses}

    def test_a_random_square_is_the_same_for_frames_and_flow(self):
        pairs = read_pairs(Places(), torch.zeros(8, dtype=torch.long), torch.arange(8), APART, SIZE, generator())
        for role in range(2):
            assert torch.equal(pairs.frames[role, :, :2, 0].float(), pairs.flow[:, :, 3])
        assert len({tuple(pairs.flow[place, :, 0, 0, 0].tolist()) for place in range(8)}) > 4


class TestAugmentation:
    def test_each_pair_is_mirrored_and_reversed_as_a_whole(self):
        pairs, after = toy(), toy()
        augment(after, generator(2))
        kinds = set()
        for place in range(len(pairs.flow)):
            frames, flow = pairs.frames[:, place], pairs.flow[place]
            options = {}
            for mirrored in (False, True):
                for backwards in (False, True):
                    one, block = frames, flow
                    if mirrored:
                        one = one.flip(-1)
                        block = block.flip(-1) * torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)
                    if backwards:
                        one, block = one.flip(0), -block.flip(1)
                    options[mirrored, backwards] = (one, block)
            same = [
                kind
                for kind, (one, block) in options.items()
                if torch.equal(one, after.frames[:, place]) and torch.equal(block, after.flow[place])
            ]
            assert len(same) == 1
            kinds.update(same)
        assert len(kinds) == 4

    def test_the_same_chance_twice_is_the_identity(self):
        """Mirroring and reversing are their own inverses, and commute."""
        pairs = toy()
        for _ in range(2):
            augment(pairs, generator(3))
            assert torch.equal(pairs.flow, toy().flow) == torch.equal(pairs.frames, toy().frames)
        assert torch.equal(pairs.frames, toy().frames)
        assert torch.equal(pairs.flow, toy().flow)


class TestNegatives:
    @pytest.mark.parametrize("count", [3, 4, 32])
    def test_each_block_is_wrong_as_often_as_asked(self, count):
        chosen = draw_negatives(torch.arange(count) + 7, 2, generator())
        assert chosen.shape == (count, 2)
        assert chosen.flatten().bincount(minlength=count).tolist() == [2] * count
        assert (chosen != torch.arange(count)[:, None]).all()
        assert (chosen[:, 0] != chosen[:, 1]).all()

    def test_none_is_of_the_pairs_own_video(self):
        videos = torch.tensor([1, 1, 2, 3, 1, 2, 4, 4])
        for seed in range(50):
            chosen = draw_negatives(videos, 2, generator(seed))
            pairs, columns = (chosen != NONE).nonzero().unbind(1)
            assert (videos[chosen[pairs, columns]] != videos[pairs]).all()

    def test_a_batch_of_one_video_has_none(self):
        assert draw_negatives(torch.tensor([4, 4]), 2, generator()).tolist() == [[NONE, NONE]] * 2
        assert draw_negatives(torch.tensor([4]), 2, generator()).tolist() == [[NONE, NONE]]
        assert draw_negatives(torch.tensor([4, 5]), 2, generator()).tolist() == [[1, NONE], [0, NONE]]

    def test_every_other_pair_may_be_drawn(self):
        seen = {tuple(draw_negatives(torch.arange(4), 2, generator(seed))[0].tolist()) for seed in range(200)}
        assert {one for pair in seen for one in pair} == {1, 2, 3}
