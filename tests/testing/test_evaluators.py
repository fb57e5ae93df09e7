"""The kit on evaluators: a good one passes, one with a single defect fails exactly the check that is about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.cards import EvaluatorCard, Metric
from harness.encoders.layers import output_of
from harness.testing import MovingSquares, checks_for, failures
from harness.values import ClassScores, Encoding, Evaluation, Predictions, Score

TOP1 = Metric(id="top1", title="Top-1", unit="%", higher_is_better=True, bounds=(0.0, 1.0), statistic="accuracy")
CARD = EvaluatorCard(name="nearest-mean", summary="The class of the nearest mean.", protocol="own", metrics=(TOP1,))


class NearestMean:
    """A test video gets the class whose mean over train is nearest."""

    card = CARD

    def encodings(self, promise, data, *, seed):
        return (Encoding(split="train"), Encoding(split="test"))

    def evaluate(self, encoder, data, *, seed):
        train, test = data.split("train"), data.split("test")
        vectors, queries = encoder.features(train).vectors, encoder.features(test).vectors
        labels, truth = encoder.features(train).labels("action"), encoder.features(test).labels("action")
        predicted = self.predict(vectors, labels, queries, truth, seed)
        top1 = (predicted == truth).double().mean()
        return Evaluation(
            (Score("top1", float(self.scored(top1)), 0.25),),
            self.told(
                Predictions(
                    videos=tuple(video.id for video in test.videos),
                    groups=tuple(video.group for video in test.videos),
                    labels=tuple(truth.tolist()),
                    predicted=(tuple(predicted.tolist()),),
                )
            ),
        )

    def predict(self, vectors, labels, queries, truth, seed):
        means = torch.stack([vectors[labels == label].mean(0) for label in range(4)])
        return torch.cdist(queries, means).argmin(1)

    def scored(self, top1):
        return top1

    def told(self, predictions):
        return predictions


class InPercent(NearestMean):
    card = CARD

    def scored(self, top1):
        return 100 * top1


class NotANumber(NearestMean):
    card = CARD

    def scored(self, top1):
        return top1 * float("nan")


class TensorForANumber(NearestMean):
    card = CARD

    def evaluate(self, encoder, data, *, seed):
        evaluation = super().evaluate(encoder, data, seed=seed)
        return replace(evaluation, scores=(Score("top1", torch.tensor(evaluation.scores[0].value), 0.25),))


class NumpyInNotes(NearestMean):
    card = CARD

    def evaluate(self, encoder, data, *, seed):
        return replace(super().evaluate(encoder, data, seed=seed), notes={"strength": np.float32(1)})


class NumpyPredictions(NearestMean):
    card = CARD

    def told(self, predictions):
        return replace(predictions, predicted=(tuple(np.array(predictions.predicted[0])),))


class ScoresOfTooFewClasses(NearestMean):
    card = CARD

    def evaluate(self, encoder, data, *, seed):
        scores = ClassScores("logits", np.zeros((1, 32, 3), np.float16))
        return replace(super().evaluate(encoder, data, seed=seed), class_scores=scores)


class AnotherMetric(NearestMean):
    card = replace(CARD, metrics=(replace(TOP1, id="top5"), TOP1))


class OtherValues(NearestMean):
    """What each video adds to a metric, and another number for the metric."""

    card = replace(CARD, metrics=(TOP1, replace(TOP1, id="margin", statistic="mean")))

    def evaluate(self, encoder, data, *, seed):
        evaluation = super().evaluate(encoder, data, seed=seed)
        return replace(evaluation, scores=(*evaluation.scores, Score("margin", 0.5)))

    def told(self, predictions):
        return replace(predictions, values={"margin": ((0.25, None) * 16,)})


class NoValues(OtherValues):
    card = OtherValues.card

    def told(self, predictions):
        return predictions


class Jpeg(NearestMean):
    card = CARD

    def evaluate(self, encoder, data, *, seed):
        return replace(super().evaluate(encoder, data, seed=seed), pictures={"confusion": b"\xff\xd8\xff\xe0"})


class NoPredictions(NearestMean):
    card = CARD

    def told(self, predictions):
        return None


class Reversed(NearestMean):
    card = CARD

    def told(self, predictions):
        return replace(predictions, predicted=(predictions.predicted[0][::-1],))


class HalfOfThem(NearestMean):
    card = CARD

    def told(self, predictions):
        parts = {name: getattr(predictions, name)[:16] for name in ("videos", "groups", "labels")}
        values = {name: tuple(row[:16] for row in rows) for name, rows in predictions.values.items()}
        return replace(predictions, **parts, predicted=(predictions.predicted[0][:16],), values=values)


class NoGroups(NearestMean):
    card = CARD

    def told(self, predictions):
        return replace(predictions, groups=("",) * 32)


class MixedUpLabels(NearestMean):
    card = CARD

    def predict(self, vectors, labels, queries, truth, seed):
        return super().predict(vectors, labels.sort().values, queries, truth, seed)


class FarthestMean(NearestMean):
    card = CARD

    def predict(self, vectors, labels, queries, truth, seed):
        return super().predict(vectors, labels, -queries, truth, seed)


class TestInTrain(NearestMean):
    """Looks for the nearest neighbour among all videos, the video itself among them."""

    __test__ = False
    card = CARD

    def predict(self, vectors, labels, queries, truth, seed):
        nearest = torch.cdist(queries, torch.cat([vectors, queries])).argmin(1)
        return torch.cat([labels, truth])[nearest]


class HalfOfTrain(NearestMean):
    """Draws the videos it learns from with the global random state."""

    card = CARD

    def predict(self, vectors, labels, queries, truth, seed):
        with torch.random.fork_rng():
            chosen = torch.randperm(len(labels))[:32]
        return super().predict(vectors[chosen], labels[chosen], queries, truth, seed)


class SelectsOnTest(NearestMean):
    """Takes the number of dimensions that is best on test."""

    card = CARD

    def predict(self, vectors, labels, queries, truth, seed):
        found = [
            NearestMean.predict(self, vectors[:, :size], labels, queries[:, :size], truth, seed)
            for size in (2, 3, 4, 16)
        ]
        return max(found, key=lambda predicted: int((predicted == truth).sum()))


def network_inside(encoder):
    """The encoder's own network, in place of the copy that `network()` gives."""
    return encoder._encoder.module


class TunesTheEncoder(NearestMean):
    card = CARD

    def evaluate(self, encoder, data, *, seed):
        evaluation = super().evaluate(encoder, data, seed=seed)
        if "trainable" in encoder.promise.offers:
            with torch.no_grad():
                next(network_inside(encoder).parameters()).add_(0.1)
        return evaluation


class MovesStatistics(NearestMean):
    card = CARD

    def evaluate(self, encoder, data, *, seed):
        evaluation = super().evaluate(encoder, data, seed=seed)
        if "trainable" in encoder.promise.offers:
            network, (view,) = network_inside(encoder).train(), encoder.promise.views
            with torch.no_grad():
                network(torch.ones(2, 3, view.frames, view.size, view.size))
            network.eval()
        return evaluation


class LeavesTrainingMode(NearestMean):
    card = CARD

    def evaluate(self, encoder, data, *, seed):
        evaluation = super().evaluate(encoder, data, seed=seed)
        if "trainable" in encoder.promise.offers:
            network_inside(encoder).train()
        return evaluation


class Thaws(NearestMean):
    card = CARD

    def evaluate(self, encoder, data, *, seed):
        evaluation = super().evaluate(encoder, data, seed=seed)
        if "trainable" in encoder.promise.offers:
            network_inside(encoder).requires_grad_(True)
        return evaluation


class EncodesMoreThanItSays(NearestMean):
    card = CARD

    def encodings(self, promise, data, *, seed):
        return (Encoding(split="test"),)


class Prints(NearestMean):
    card = CARD

    def scored(self, top1):
        print(float(top1))  # noqa: T201 - the defect
        return top1


class Separation(NearestMean):
    """Share of test videos whose nearest other one is of their class."""

    card = replace(CARD, metrics=(replace(TOP1, statistic="mean"),))

    def encodings(self, promise, data, *, seed):
        return (Encoding(split="test"),)

    def evaluate(self, encoder, data, *, seed):
        test = data.split("test")
        features = encoder.features(test)
        truth = features.labels("action")
        hits = self.chosen([self.hits(vectors, truth) for vectors in self.candidates(features.vectors)])
        values = {"top1": (tuple(hits.tolist()),)}
        videos, groups = zip(*((video.id, video.group) for video in test.videos), strict=True)
        chance = float((truth.bincount() - 1)[truth].double().mean() / (len(truth) - 1))
        predictions = Predictions(videos=videos, groups=groups, labels=tuple(truth.tolist()), values=values)
        return Evaluation((Score("top1", float(hits.mean()), chance),), predictions)

    def hits(self, vectors, truth):
        distances = torch.cdist(vectors, vectors).fill_diagonal_(torch.inf)
        return (truth[distances.argmin(1)] == truth).double()

    def candidates(self, vectors):
        return [vectors]

    def chosen(self, found):
        return found[0]


class SeparationOfTheBestHalf(Separation):
    card = Separation.card

    def candidates(self, vectors):
        half = vectors.shape[1] // 2
        return [vectors, vectors[:, :half], vectors[:, half:]]

    def chosen(self, found):
        return max(found, key=lambda hits: float(hits.mean()))


class SeparationByNames(Separation):
    """No labels at all: the share that knows its own name."""

    card = Separation.card

    def hits(self, vectors, truth):
        return torch.ones(len(truth), dtype=torch.float64)


class InheritedCard(NearestMean):
    pass


BROKEN = {
    InheritedCard: ("check_card", "no card in the body"),
    InPercent: ("check_scores", "top1 and its baseline finite and within (0.0, 1.0), got 100.0"),
    NotANumber: ("check_scores", "got nan"),
    TensorForANumber: ("check_scores", "evaluator 'nearest-mean' gave top1 = 1.0, which is no JSON value"),
    NumpyInNotes: ("check_scores", "gave notes with 'strength', which is no JSON value"),
    NumpyPredictions: ("check_scores", "gave predictions with predicted, which is no JSON value"),
    ScoresOfTooFewClasses: ("check_scores", "gave class scores of 3 classes; the labels have class 3"),
    AnotherMetric: ("check_scores", "one score for each of top5, top1; only the first of them always, got top1"),
    NoPredictions: ("check_predictions", "because the card says that top1 can be computed from them, got None"),
    Reversed: ("check_predictions", "top1 to be the mean of `accuracy` over the predictions"),
    HalfOfThem: ("check_predictions", "got other videos, groups, labels, predicted"),
    OtherValues: ("check_predictions", "margin to be the mean of `mean` over the predictions, 0.2500, got 0.5000"),
    NoValues: ("check_predictions", "the predictions hold no values of margin"),
    Jpeg: ("check_pictures", "got confusion"),
    NoGroups: ("check_predictions", "got other groups"),
    MixedUpLabels: ("check_informed", "(baseline 0.25)"),
    FarthestMean: ("check_informed", "(baseline 0.25)"),
    TestInTrain: ("check_uninformed", "for an encoder that knows nothing, got 1.000 (baseline 0.25)"),
    HalfOfTrain: ("check_seed", "two evaluations with seed 0 to be equal"),
    SelectsOnTest: ("check_test_labels", "the same predictions when the test videos' labels are dealt out anew"),
    TunesTheEncoder: ("check_encoder_unchanged", "got weights changed"),
    MovesStatistics: ("check_encoder_unchanged", "got weights changed"),
    LeavesTrainingMode: ("check_encoder_unchanged", "got training mode changed"),
    Thaws: ("check_encoder_unchanged", "got requires_grad changed"),
    EncodesMoreThanItSays: ("check_encodings", "got [\"Encoding(split='train'"),
    Prints: ("check_traces", "nothing on stdout while evaluating, got '1.0\\n'"),
}


def test_a_good_evaluator_passes():
    assert failures(NearestMean()) == {}


def test_a_choice_by_test_labels_is_found_where_no_class_is_predicted():
    assert failures(Separation()) == {}
    found = failures(SeparationOfTheBestHalf())
    assert list(found) == ["check_test_labels"]
    assert "top1 at its baseline, on average over test labels dealt out anew" in found["check_test_labels"]
    assert "check_test_labels" not in failures(SeparationByNames())  # labels change nothing there


@pytest.mark.parametrize("broken", BROKEN)
def test_a_defect_is_found_by_its_check_alone(broken):
    check, message = BROKEN[broken]
    found = failures(broken())
    assert list(found) == [check]
    assert found[check].startswith(f"evaluator 'nearest-mean' fails {check}: ")
    assert message in found[check]


def test_every_check_has_an_evaluator_that_fails_it():
    assert {check for check, _ in BROKEN.values()} == {check.name for check in checks_for(NearestMean())}


class Error(NearestMean):
    """The lower the better, and no statistic."""

    card = replace(
        CARD, metrics=(Metric(id="error", title="Error", unit="%", higher_is_better=False, bounds=(0.0, 1.0)),)
    )

    def evaluate(self, encoder, data, *, seed):
        (top1,) = super().evaluate(encoder, data, seed=seed).scores
        return Evaluation((Score("error", 1 - top1.value, 0.75),))


class ErrorIsBetterHigh(Error):
    card = replace(Error.card, metrics=(replace(Error.card.primary, higher_is_better=True),))


class OpenEnd(Error):
    card = replace(ErrorIsBetterHigh.card, metrics=(replace(ErrorIsBetterHigh.card.primary, bounds=(0.0, None)),))


def test_the_good_end_is_the_cards():
    assert failures(Error()) == {}
    assert list(failures(ErrorIsBetterHigh())) == ["check_informed"]
    assert failures(OpenEnd()) == {}


class FineTunes(NearestMean):
    card = replace(CARD, needs=frozenset({"trainable"}))

    def evaluate(self, encoder, data, *, seed):
        network = encoder.network().module.train().requires_grad_(True)
        with torch.no_grad():
            next(network.parameters()).add_(0.1)
        return super().evaluate(encoder, data, seed=seed)


def test_an_evaluator_that_trains_is_not_asked_what_noise_gives():
    known = {check.name for check in checks_for(NearestMean())}
    assert known - {check.name for check in checks_for(FineTunes())} == {"check_uninformed"}
    assert failures(FineTunes()) == {}


class OnMaps(NearestMean):
    card = replace(CARD, needs=frozenset({"feature_map"}))

    def evaluate(self, encoder, data, *, seed):
        maps = output_of(encoder.network().module, encoder.promise.spatial, torch.zeros(2, 3, 1, 32, 32))
        assert maps.shape == (2, 8, 1, 16, 16)
        return super().evaluate(encoder, data, seed=seed)


class OtherSquares(MovingSquares):
    card = replace(MovingSquares.card, name="others")


def test_where_no_encoder_knows_the_answers_none_is_expected_to():
    known = {check.name for check in checks_for(NearestMean())}
    for checks in (checks_for(OnMaps()), checks_for(NearestMean(), data=OtherSquares())):
        assert known - {check.name for check in checks} == {"check_informed", "check_uninformed"}
    assert failures(OnMaps()) == {}
    assert failures(NearestMean(), data=OtherSquares()) == {}
    assert list(failures(TunesTheEncoder(), data=OtherSquares())) == ["check_encoder_unchanged"]
