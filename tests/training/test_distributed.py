"""Training over processes: every rank ends with the same network, and the budget is shared."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

WORKER = """
import sys
sys.path.insert(0, sys.argv[2])
import torch
from test_gradient_method import fit, weights
encoder, method = fit(frames=1600)
rank = __import__("os").environ["RANK"]
torch.save({"weights": weights(encoder), "examples": sum(map(len, method.drawn))}, f"{sys.argv[1]}/{rank}.pt")
"""


def test_two_ranks_end_with_one_network(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    world = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-c", WORKER, str(tmp_path), str(Path(__file__).parent)]
    ranks = [
        subprocess.Popen(
            command,
            env={**os.environ, **world, "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], outputs
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert torch.equal(first["weights"], second["weights"])
    assert first["examples"] == second["examples"] == 200  # 1600 frames, 4 a clip, two ranks
    assert first["weights"].isfinite().all()
