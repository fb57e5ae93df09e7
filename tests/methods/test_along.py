"""Encoders after shares of a fit: to the bit, whatever is kept beside them, and after an interruption."""

from __future__ import annotations

import pytest
import torch

from harness.backbones.start import Start
from harness.errors import PluginError
from harness.methods.along import AtShare, KeepingShares, has_shares
from harness.methods.random_init import RandomInit
from harness.methods.start import WithStart
from harness.methods.supervised import Supervised
from harness.testing.brightness import PredictBrightness, all_weights, fit_brightness
from harness.testing.clustering import ClusterRounds
from harness.testing.fixtures import MovingSquares, TinyBackbone

STEPS = 50

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def one_thread():
    """Sums of several threads differ in their last digits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr("harness.training.checkpoints.SECONDS", 0.0)


class StopError(Exception):
    pass


class Kept(dict):
    """Weights by share; an error once `until` is reached."""

    def __init__(self, until=None):
        super().__init__()
        self.until = until

    def __call__(self, share, encoder, *, step, steps):
        if share == self.until:
            raise StopError
        assert steps == STEPS
        self[share] = step, all_weights(encoder)


def fit(shares, folder=None, *, kept=None, method=None):
    """Weights after the whole fit, and the steps and weights after each share of it."""
    kept = Kept() if kept is None else kept
    return fit_brightness(KeepingShares(method or PredictBrightness(), shares, kept), folder, identity="one"), kept


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[share][1], other[share][1]) for share in one)


def test_shares_are_of_the_fit_that_they_do_not_change():
    plain = fit_brightness(PredictBrightness(), identity="one")
    whole, kept = fit((10, 25, 99))
    assert torch.equal(whole, plain)
    assert {share: step for share, (step, _) in kept.items()} == {10: 5, 25: 13, 99: 50}
    assert torch.equal(kept[99][1], plain)  # rounded up to the last of 50 steps
    assert not torch.equal(kept[10][1], kept[25][1])
    assert same({25: kept[25]}, fit((25,))[1])


def test_a_share_is_the_network_then_and_not_later():
    method = PredictBrightness()
    seen = []
    build = method.build_loss

    def watching(network, dim, train):
        loss = build(network, dim, train)
        state = network.state_dict
        loss.register_forward_pre_hook(
            lambda *_: seen.append(torch.cat([tensor.flatten().double() for tensor in state().values()]))
        )
        return loss

    method.build_loss = watching
    _, kept = fit((50,), method=method)
    assert len(seen) == STEPS
    assert torch.equal(kept[50][1], seen[25])


def test_going_on_keeps_what_is_missing(tmp_path, often):
    whole, kept = fit((10, 50, 90))
    before = Kept(until=90)
    with pytest.raises(StopError):
        fit((10, 50, 90), tmp_path, kept=before)
    assert same(before, {share: kept[share] for share in (10, 50)})
    method = PredictBrightness()
    resumed, after = fit((90,), tmp_path, method=method)
    assert len(method.drawn) == 10  # of 50 steps; 40 are in the checkpoint, and 90 % was step 45
    assert torch.equal(resumed, whole)
    assert same(after, {90: kept[90]})


def test_a_fit_that_was_to_keep_others_goes_back(tmp_path, often):
    whole, kept = fit((10, 90))
    with pytest.raises(StopError):
        fit((90,), tmp_path, kept=Kept(until=90))
    steps = [int(path.stem.split("-")[1]) for path in (tmp_path / "checkpoints").iterdir()]
    assert sorted(steps) == [30, 40]
    method = PredictBrightness()
    resumed, again = fit((10, 90), tmp_path, method=method)
    assert len(method.drawn) == STEPS
    assert torch.equal(resumed, whole)
    assert same(again, kept)


def test_a_checkpoint_at_the_very_step_is_behind_the_share(tmp_path, often):
    with pytest.raises(StopError):
        fit((90,), tmp_path, kept=Kept(until=90))
    method = PredictBrightness()
    _, kept = fit((80,), tmp_path, method=method)
    assert len(method.drawn) == 20
    assert kept[80][0] == 40


def test_a_fit_from_given_weights_keeps_shares(tmp_path):
    path = tmp_path / "a.pth"
    torch.save(TinyBackbone().build(seed=7).state_dict(), path)
    start = Start(weights=str(path), learnt_from="squares", labels=False)
    kept = Kept()
    whole = fit_brightness(WithStart(KeepingShares(PredictBrightness(), (50,), kept), start), identity="one")
    assert torch.equal(whole, fit_brightness(WithStart(PredictBrightness(), start), identity="one"))
    assert not torch.equal(kept[50][1], fit((50,))[1][50][1])


def test_a_method_that_trains_otherwise_is_named(tmp_path):
    class Twice(PredictBrightness):
        def train(self, loss, inputs, train, session, **options):
            pass

    with pytest.raises(PluginError, match=r"'brightness': expected one training .* after 10, 50 % .* after none"):
        fit((50, 10), method=Twice())


def test_methods_that_have_shares():
    assert has_shares(Supervised)
    assert has_shares(PredictBrightness)
    assert not has_shares(ClusterRounds)
    assert not has_shares(RandomInit)


def test_what_is_kept_is_never_fitted():
    method = AtShare(PredictBrightness())
    assert method.card == PredictBrightness.card
    assert method.promise(TinyBackbone()) == PredictBrightness().promise(TinyBackbone())
    with pytest.raises(PluginError, match="kept by the whole fit alone"):
        method.fit(TinyBackbone(), MovingSquares().split("train"), None)
