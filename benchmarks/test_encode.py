"""A split through a frozen encoder, beside a bare loop: decode each video once, cut its clips, encode 32 at a time."""

from __future__ import annotations

from dataclasses import replace

import torch

from harness.backbones.small_3d import Small3D
from harness.cards import View
from harness.datasets.splits import VideoSplit
from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.values import Encoding, Video, VideoBatch
from harness.video import frame_cache, seek_index
from harness.video.decode import decode
from harness.video.sampling import clip_frames

VIEW = View(frames=16, stride=2, size=64)
CLIPS = 3


def test_encode(videos, beside, monkeypatch):
    records = tuple(Video(path.stem, path, 60, 25.0, 320, 240) for path in videos)
    split = VideoSplit("test", records)
    encoder = NetworkEncoder(Small3D().build(seed=0), replace(Small3D().inputs, view=VIEW))

    def ours():
        monkeypatch.setattr(frame_cache, "shared", frame_cache.FrameCache())
        seek_index.forget()
        return CachedEncoder(encoder, key="x").features(split, Encoding(clips=CLIPS)).per_clip()

    def loop():
        clips = []
        for record in records:
            chosen = clip_frames(record.frames, replace(VIEW, clips=CLIPS)).flatten().tolist()
            frames = torch.from_numpy(decode(record.path, chosen, short_side=64))[:, :, 10:74]
            clips.append(frames.reshape(CLIPS, 16, 64, 64, 3).permute(0, 4, 1, 2, 3))
        vectors = [encoder.encode(VideoBatch(batch)) for batch in torch.cat(clips).split(32)]
        return torch.cat(vectors).view(len(records), CLIPS, -1)

    def check(vectors, theirs):
        torch.testing.assert_close(vectors, theirs["a loop of decode and encode"], rtol=1e-4, atol=1e-5)

    beside(ours, {"a loop of decode and encode": loop}, clips=len(videos) * CLIPS, check=check)
