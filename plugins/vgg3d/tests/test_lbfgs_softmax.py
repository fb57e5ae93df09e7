"""A new softmax by L-BFGS: scikit-learn's, convex, and the probe's own scores."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import cross_entropy

from harness.evaluators.linear import LinearProbe
from harness.functional.standardise import standardise
from harness.testing import conformance
from harness.testing.evaluating import NoisyEncoder, evaluate, vectors_and_labels
from harness_vgg3d import lbfgs_softmax
from harness_vgg3d.lbfgs_softmax import LbfgsSoftmax

STRENGTHS = (1.0, 0.1, 0.01, 0.001)


@pytest.fixture(scope="module")
def train():
    """Standardised vectors (48, 12) float64 and labels."""
    vectors, labels = vectors_and_labels(NoisyEncoder(), "train")
    return standardise(vectors, vectors)[0], labels


def fit(x, labels, *strengths):
    return LbfgsSoftmax.fit(x, labels, x.new_tensor(strengths), 4)


def twin(x, labels, strength, weight, bias):
    """Mean cross-entropy plus the penalty."""
    return cross_entropy(x @ weight.T + bias, labels) + strength / 2 * weight.square().sum()


@pytest.mark.parametrize("strength", STRENGTHS)
def test_weights_and_probabilities_are_scikit_learns(train, strength):
    x, labels = train
    fitted = fit(x, labels, strength)
    model = LogisticRegression(solver="lbfgs", C=1 / (len(x) * strength), tol=1e-8, max_iter=10_000).fit(x, labels)
    torch.testing.assert_close(fitted.weight[0], torch.from_numpy(model.coef_), rtol=0, atol=1e-3)
    probabilities = (x @ fitted.weight[0].T + fitted.bias[0]).softmax(1)
    torch.testing.assert_close(probabilities, torch.from_numpy(model.predict_proba(x)), rtol=0, atol=1e-3)


def test_any_start_ends_at_the_same_loss(train):
    """The problem is convex: descents from random weights find what the fit found from its own start."""
    x, labels = train
    fitted = fit(x, labels, 0.01)
    for _ in range(2):
        weight, bias = (torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((4, 12), (4,)))
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

        def closure(weight=weight, bias=bias, optimizer=optimizer):
            optimizer.zero_grad()
            loss = twin(x, labels, 0.01, weight, bias)
            loss.backward()
            return loss

        optimizer.step(closure)
        assert float(closure().detach()) == pytest.approx(float(fitted.objective[0]), abs=1e-9)
        torch.testing.assert_close(weight.detach(), fitted.weight[0], rtol=0, atol=1e-4)


def test_a_part_of_zeros_gets_no_weight(train):
    x, labels = train
    vectors, alone = torch.cat([x, torch.zeros_like(x)], 1), fit(x, labels, 0.01)
    fitted = fit(*(standardise(vectors, vectors)[0], labels), 0.01)
    assert not fitted.weight[0, :, 12:].any()
    torch.testing.assert_close(fitted.weight[0, :, :12], alone.weight[0], rtol=0, atol=1e-6)


def test_a_weaker_penalty_gives_longer_weights_and_a_lower_loss(train):
    x, labels = train
    fitted = fit(x, labels, *STRENGTHS)
    norms = fitted.weight.square().sum((1, 2)).tolist()
    losses = [float(cross_entropy(x @ w.T + b, labels)) for w, b in zip(fitted.weight, fitted.bias, strict=True)]
    assert norms == sorted(norms)
    assert losses == sorted(losses, reverse=True)
    assert norms[0] < norms[-1]
    assert losses[0] > losses[-1]


def test_scores_are_the_linear_probes_and_the_page_shows_the_same_classifier(monkeypatch):
    shown = {}

    def spy(evaluation, test, probabilities, *, seed):
        shown.update(probabilities=probabilities, seed=seed)
        return evaluation

    monkeypatch.setattr(lbfgs_softmax, "with_predictions", spy)
    evaluation, probe = (evaluate(one, NoisyEncoder(), seed=3) for one in (LbfgsSoftmax(), LinearProbe()))
    assert (evaluation.scores, evaluation.predictions) == (probe.scores, probe.predictions)
    assert evaluation.notes == probe.notes
    assert shown["seed"] == 3
    assert tuple(shown["probabilities"].argmax(1).tolist()) == evaluation.predictions.predicted[0]
    (x, labels), (queries, _) = (vectors_and_labels(NoisyEncoder(), split) for split in ("train", "test"))
    scale = StandardScaler().fit(x)
    model = LogisticRegression(C=1 / (len(x) * evaluation.notes["strength"]), tol=1e-8, max_iter=10_000)
    expected = model.fit(scale.transform(x), labels).predict_proba(scale.transform(queries))
    torch.testing.assert_close(shown["probabilities"], torch.from_numpy(expected), rtol=0, atol=1e-3)


def test_notes_tell_the_classes_and_pictures_are_there():
    evaluation = evaluate(LbfgsSoftmax(), NoisyEncoder())
    assert evaluation.notes["classes"] == ["left", "right", "up", "down"]
    assert set(evaluation.pictures) == {"confusion", "top-5"}


@conformance(LbfgsSoftmax())
def test_conformance(check):
    check()
