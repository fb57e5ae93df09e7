"""Training of autoencoders and on clusters: what is learnt, resuming, several processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from torch.nn.functional import normalize

from harness.training import checkpoints
from harness.training.session import TrainingSession
from harness.values import Budget
from harness_midlevel.losses import fisher_loss
from harness_midlevel.networks import descriptor_autoencoder, volume_autoencoder
from harness_midlevel.training import (
    Options,
    explained_variance,
    pca_variance,
)

OPTIONS = Options(batch_size=16, lr=0.01)


@pytest.fixture(autouse=True)
def _one_thread():
    """One thread, for sums in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def session(folder=None):
    return TrainingSession(Budget(frames=0, seed=0), name="midlevel", identity="key", folder=folder)


def weights(*modules):
    return torch.cat([value.detach().flatten() for module in modules for value in module.state_dict().values()])


def test_an_autoencoder_overfits_32_descriptors(pretrain):
    torch.manual_seed(0)
    samples = normalize(torch.rand(32, 396), dim=1)
    network = descriptor_autoencoder()
    network.set_mean(samples)
    assert explained_variance(network, samples) < 0.05
    pretrain(network, samples, session(), epochs=120, options=Options())
    assert explained_variance(network, samples) > 0.99


def test_an_autoencoder_of_volumes_learns_a_few(pretrain):
    torch.manual_seed(0)
    samples = torch.randint(256, (6, 1, 2, 2), dtype=torch.uint8)  # quarters of different greys
    samples = samples.repeat_interleave(8, 2).repeat_interleave(8, 3).expand(6, 12, 16, 16)
    network = volume_autoencoder()
    network.set_mean(samples)
    before = explained_variance(network, samples)
    pretrain(network, samples, session(), epochs=30, options=Options(lr=3e-3))
    assert before < 0.05 < 0.5 < explained_variance(network, samples)


def test_a_linear_autoencoder_comes_close_to_principal_components(tiny, blobs, pretrain):
    samples, _ = blobs()
    network = tiny()
    network.set_mean(samples)
    pretrain(network, samples, session(), epochs=150, options=Options(batch_size=16, lr=0.02))
    best = pca_variance(samples, 3)
    assert best - 0.02 < explained_variance(network, samples) < best + 1e-6


@pytest.mark.parametrize("loss", ["hinge", "joint", "softmax"])
def test_detectors_learn_clusters(loss, tiny, blobs, detectors, learn):
    samples, labels = blobs()
    network = tiny()
    classifier = detectors(network)
    decoder = weights(network.decoder)
    learn(network, classifier, session(), loss=loss, epochs=60)
    assert float((classifier(network.encode(samples)).argmax(1) == labels).double().mean()) > 0.9
    assert torch.equal(weights(network.decoder), decoder)


def test_the_fisher_loss_alone_draws_clusters_together_and_leaves_detectors(tiny, blobs, detectors, learn):
    samples, labels = blobs()
    network = tiny()
    classifier = detectors(network)
    before, detecting = fisher_loss(network.encode(samples), labels).item(), weights(classifier)
    learn(network, classifier, session(), epochs=60, options=Options(batch_size=16, lr=0.01, alpha=0))
    assert fisher_loss(network.encode(samples), labels).item() < before / 2
    assert torch.equal(weights(classifier), detecting)


@pytest.mark.parametrize("task", ["autoencoder", "hinge", "joint", "softmax"])
def test_interrupted_it_goes_on_to_the_same_bits(
    task, tmp_path, monkeypatch, capfd, tiny, blobs, detectors, pretrain, learn
):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)

    def fit(folder, *, fails=False, seed=0):
        network, steps = tiny(), []
        classifier = detectors(network)

        def count(*_):
            steps.append(1)
            if fails and len(steps) == 25:
                raise KeyboardInterrupt

        network.encoder.register_forward_hook(count)
        if task == "autoencoder":
            pretrain(network, blobs()[0], session(folder), seed=seed)
        else:
            learn(network, classifier, session(folder), loss=task, seed=seed)
        return weights(network, classifier), len(steps)

    whole, steps = fit(None)
    assert steps == 30
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, fails=True)
    resumed, steps = fit(tmp_path)
    assert steps == 10
    assert "going on from step 20 of 30" in capfd.readouterr().err
    assert torch.equal(resumed, whole)
    assert torch.equal(fit(None)[0], whole)
    assert not torch.equal(fit(None, seed=1)[0], whole)


def test_shares_of_variance_equal_those_of_a_library(tiny, blobs):
    samples, _ = blobs()
    network = tiny()
    network.set_mean(samples[:30])  # of others, so that the mean of what is shown is not 0
    rebuilt = (network.reconstruct(samples) + network.mean).detach()
    expected = r2_score(samples.numpy(), rebuilt.numpy(), multioutput="variance_weighted")
    assert explained_variance(network, samples) == pytest.approx(expected, rel=1e-5)
    shares = PCA(6).fit(samples.double().numpy()).explained_variance_ratio_
    assert [pca_variance(samples, dims) for dims in range(1, 7)] == pytest.approx(shares.cumsum().tolist())


def test_equal_samples_have_no_variance(tiny):
    samples = torch.ones(4, 6)
    network = tiny()
    network.set_mean(samples)
    assert explained_variance(network, samples) == pca_variance(samples, 2) == 0


@pytest.mark.parametrize("dims", [0, 7])
def test_axes_that_samples_do_not_have_are_refused(dims, blobs):
    with pytest.raises(ValueError, match=f"expected dims of 1 to 6, the length of a sample, got {dims}"):
        pca_variance(blobs()[0], dims)


PLAIN = """
import torch
from torch import nn
from harness_midlevel.networks import Autoencoder
from harness_midlevel.training import Options, train_autoencoder, train_on_clusters

def fit(session):
    torch.manual_seed(0)
    samples, labels = torch.randn(48, 6), torch.arange(48) % 4
    network, classifier = Autoencoder(nn.Linear(6, 3), nn.Linear(3, 6), shape=(6,), dim=3), nn.Linear(3, 4)
    place = {"options": Options(batch_size=16), "seed": 0, "rank": session.rank, "world": session.world}
    train_autoencoder(network, samples, session, epochs=4, **place)
    state = {"pretrained": network.encoder.weight.detach().clone()}
    for loss in ("hinge", "joint", "softmax"):
        train_on_clusters(network, classifier, samples, torch.arange(48), labels, session, loss=loss, epochs=2, **place)
        state[loss] = torch.cat([network.encoder.weight.flatten(), classifier.weight.flatten()]).detach().clone()
    return state
"""
TWO = (
    PLAIN
    + """
import pathlib, sys, warnings
from harness.training.session import TrainingSession
from harness.values import Budget

warnings.simplefilter("error")
torch.set_num_threads(1)
session = TrainingSession(Budget(frames=0, seed=0), name="two")
torch.save(fit(session), pathlib.Path(sys.argv[1], f"{session.rank}.pt"))
"""
)


def test_two_processes_learn_alike_and_pretrain_as_one_does(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(TWO)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    space = {}
    exec(PLAIN, space)
    alone = space["fit"](session())
    torch.testing.assert_close(first["pretrained"], alone["pretrained"], rtol=0, atol=1e-6)
    states = ["pretrained", "hinge", "joint", "softmax"]
    assert [*first] == states
    assert all(torch.equal(first[name], second[name]) for name in states)
    assert len({tuple(first[name][:12].flatten().tolist()) for name in states}) == 4
