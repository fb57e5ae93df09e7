"""Trajectories drawn over frames."""

from __future__ import annotations

from harness.video.decode import decode
from harness_dense_trajectories.pictures import illustrations
from harness_dense_trajectories.settings import Settings


def test_trajectories_are_drawn_over_frames(squares, tmp_path):
    files = illustrations(squares.split("test"), Settings())
    assert set(files) == {"trajectories.png", "trajectories.mp4"}
    assert files["trajectories.png"].startswith(b"\x89PNG")
    (tmp_path / "film.mp4").write_bytes(files["trajectories.mp4"])
    film = decode(tmp_path / "film.mp4").astype(int)
    assert len(film) == squares.split("test").videos[0].frames
    assert min(film.shape[1:3]) >= 240
    green = (film[..., 1] - film[..., [0, 2]].max(-1) > 80).sum((1, 2))
    assert green[0] == 0  # a trajectory is shown from its second frame
    assert green[1:].max() > 20
