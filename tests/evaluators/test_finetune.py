"""Fine-tuning: equal to supervised training, fair between starts, blind to test labels, and clear about bad input."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import nn

from harness.cards import View
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError, DivergedError, UsageError
from harness.evaluators import finetune
from harness.evaluators.finetune import Finetune, video_scores
from harness.functional.statistics import of_predictions
from harness.methods.supervised import Classifier, Supervised
from harness.plugins.manager import Plugins
from harness.system.seeding import derive_seed, seeded
from harness.testing import MovingSquares, UninformedEncoder, evaluating, informed_encoder
from harness.testing.evaluating import ChangedSquares, keep
from harness.testing.fixtures import TinyBackbone, UntrainedEncoder
from harness.testing.watching import RelabelledTest
from harness.training.session import TrainingSession
from harness.values import Budget
from harness.video.loader import sampled_clips
from harness.video.transforms import normalise

POLICIES = ["view", "random5", "25x10", "sliding", "dense"]


def evaluate(data=None, encoder=None, seed=0, **options):
    evaluator = Finetune(**{"frames": 640, "lrs": (0.01,), "mirror": False, **options})
    return evaluating.evaluate(evaluator, encoder or UntrainedEncoder(), data, seed)


@pytest.fixture
def trained(monkeypatch):
    """The classifiers that were tested on a split, in their order."""
    seen = []

    def watch(classifier, inputs, split, **options):
        seen.append((classifier, split))
        return video_scores(classifier, inputs, split, **options)

    monkeypatch.setattr(finetune, "video_scores", watch)
    return seen


def test_from_random_weights_it_is_the_method_supervised(trained):
    """The same network, classifier, batches and steps: a fraction of the supervised result compares starts alone."""
    evaluate(frames=1600, lrs=(3e-3,), mirror=True, seed=5, encoder=built(5))
    method, session = Supervised(lr=3e-3, batch_size=16), TrainingSession(Budget(frames=1600, seed=5))
    supervised = method.fit(TinyBackbone(), MovingSquares().split("train"), session)
    (classifier, _) = trained[0]
    theirs = supervised.module.state_dict()
    ours = classifier.network.network.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def built(seed):
    return NetworkEncoder.of(TinyBackbone().build(seed=seed), TinyBackbone())


def test_it_learns_from_random_weights():
    score = evaluate(frames=12_000).scores[0]
    assert score.metric == "top1"
    assert score.value > score.baseline + 0.4


def test_a_good_start_needs_little():
    good, random = (evaluate(encoder=encoder, frames=2000, lrs=(0.1,)) for encoder in (informed_encoder(), built(0)))
    assert good.scores[0].value == 1.0
    assert random.scores[0].value < 0.8


def test_frozen_stages_are_those_of_the_encoder(trained):
    encoder = UntrainedEncoder()
    found = evaluate(encoder=encoder, frozen=1)
    assert found.notes["frozen_stages"] == ["0+1+2"]
    before, after = encoder.module.state_dict(), trained[0][0].network.network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"3.weight", "3.bias"}


def test_all_frozen_leaves_the_network_as_it_is(trained):
    encoder = UntrainedEncoder()
    before = {name: tensor.clone() for name, tensor in encoder.module.state_dict().items()}
    found = evaluate(encoder=encoder, frozen="all", hidden=8)
    assert found.notes["frozen_stages"] == ["0+1+2", "3+4+5+6+7"]
    after = trained[0][0].network.network.state_dict()
    assert {"1.running_mean", "1.running_var"} < after.keys() == before.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_hidden_layer_is_there_and_trained(trained):
    evaluate(hidden=8, frames=16)
    evaluate(hidden=8, frames=640)
    (first, _), (last, _) = trained
    assert [tuple(layer.weight.shape) for layer in (last.head[0], last.head[2])] == [(8, 16), (4, 8)]
    assert isinstance(last.head[1], nn.ReLU)
    assert len(last.head) == 3
    assert not any(
        torch.equal(one, other) for one, other in zip(first.head.parameters(), last.head.parameters(), strict=True)
    )


def test_labels_are_smoothed_as_the_option_says(trained):
    evaluate(frames=16)
    evaluate(frames=16, label_smoothing=0.0)
    assert [network.smoothing for network, _ in trained] == [0.1, 0.0]


def test_a_hidden_layer_learns_from_frozen_vectors():
    assert (
        evaluate(encoder=informed_encoder(), frozen="all", hidden=32, frames=6000, lrs=(0.03,)).scores[0].value == 1.0
    )


def test_all_frozen_is_a_linear_layer_on_the_networks_vectors(trained):
    """A loop of its own: vectors without gradients, AdamW with a cosine over the same batches."""
    encoder, seed, steps, size, lr = UntrainedEncoder(), 3, 20, 16, 0.01
    inputs, train = encoder.inputs, MovingSquares().split("train")
    evaluate(encoder=encoder, frozen="all", frames=steps * size * inputs.view.frames, batch_size=size, seed=seed)
    with seeded(derive_seed(seed)):
        head = nn.Linear(16, 4)
    drawing = Supervised(mirror=False)
    decayed = [{"params": [head.weight], "weight_decay": 0.05}, {"params": [head.bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(decayed, lr=lr)
    network = encoder.module.eval()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 + math.cos(math.pi * step / steps)) / 2
        batch = drawing.draw(train, inputs.view, size, torch.Generator().manual_seed(derive_seed(seed, step, 0)))
        with torch.no_grad():
            vectors = network(normalise(batch.inputs, inputs))
        loss = nn.functional.cross_entropy(head(vectors), batch.targets, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    theirs = trained[0][0].head
    with seeded(derive_seed(seed)):
        start = nn.Linear(16, 4).weight
    assert (theirs.weight - start).abs().max() > 0.01
    torch.testing.assert_close(theirs.weight, head.weight, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(theirs.bias, head.bias, rtol=1e-4, atol=1e-5)


def test_a_suite_says_all_or_a_number():
    evaluators = Plugins().evaluators
    assert evaluators.draft("finetune", {"frozen": "all", "hidden": 2048}).frozen == "all"
    assert evaluators.canonical("finetune", {"frozen": "all", "hidden": 2048}) == {"frozen": "all", "hidden": 2048}
    assert evaluators.canonical("finetune", {"frozen": 0, "hidden": 0}) == {}
    assert evaluators.completed("finetune", {"frozen": 2})["frozen"] == 2
    with pytest.raises(UsageError, match="option frozen='everything'"):
        evaluators.draft("finetune", {"frozen": "everything"})


def test_equal_seeds_give_equal_results_and_others_do_not():
    first, again, other = (evaluate(seed=seed, views="random5") for seed in (0, 0, 1))
    assert first == again
    assert first.predictions != other.predictions


def test_neither_rate_nor_network_depends_on_test_labels():
    found = evaluate(lrs=(0.001, 0.03))
    dealt = evaluate(RelabelledTest(MovingSquares(), 1), lrs=(0.001, 0.03))
    assert dealt.predictions.predicted == found.predictions.predicted
    assert dealt.notes == found.notes


def test_the_rate_is_chosen_by_groups_that_did_not_train(trained):
    found = evaluate(encoder=informed_encoder(), frames=2000, lrs=(1e-7, 0.1))
    assert found.notes["lr"] == 0.1
    accuracies = found.notes["validation_top1"]
    assert accuracies["0.1"] == 1.0 > accuracies["1e-07"]
    held_out = [split for _, split in trained[:2]]
    assert [split.name for _, split in trained] == ["train", "train", "test"]
    groups = {video.group for video in held_out[0].videos}
    assert len(groups) == 2  # a third of six
    assert len(held_out[0]) == 16 == sum(video.group in groups for video in MovingSquares().split("train").videos)


def test_training_to_validate_does_not_see_the_held_out_videos(monkeypatch):
    shown_to = []
    monkeypatch.setattr(
        Supervised,
        "build_loss",
        lambda self, network, dim, train: shown_to.append(train) or Classifier(network, dim, 4, 0.1),
    )
    evaluate(lrs=(0.01, 0.03))
    whole = {video.id for video in MovingSquares().split("train").videos}
    rest, again, everything = ({video.id for video in split.videos} for split in shown_to)
    assert rest == again < everything == whole
    assert {v.group for v in shown_to[0].videos}.isdisjoint(v.group for v in shown_to[2].videos if v.id not in rest)


def test_a_rate_that_diverges_loses(trained):
    found = evaluate(encoder=informed_encoder(), frames=2000, lrs=(1e30, 0.1))
    assert found.notes["lr"] == 0.1
    assert found.notes["validation_top1"]["1e+30"] is None


def test_a_rate_that_diverges_on_all_of_train_gives_way(monkeypatch):
    really = Supervised.train

    def diverges(self, loss, inputs, train, session):
        if self.lr == 0.1 and len(train) == 48:
            raise DivergedError
        really(self, loss, inputs, train, session)

    monkeypatch.setattr(Supervised, "train", diverges)
    found = evaluate(encoder=informed_encoder(), frames=2000, lrs=(1e-7, 0.1))
    assert max(found.notes["validation_top1"], key=found.notes["validation_top1"].get) == "0.1"
    assert found.notes["lr"] == 1e-7


@pytest.mark.parametrize("lrs", [(1e30,), (1e30, 1e32)])
def test_every_rate_diverges(lrs):
    names = ", ".join(f"{lr:g}" for lr in lrs).replace("+", r"\+")
    with pytest.raises(DivergedError, match=f"diverged at every learning rate: {names}; lower lrs"):
        evaluate(lrs=lrs)


class Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.vector = nn.Parameter(torch.linspace(-1, 1, 16))

    def forward(self, clips):
        return self.vector.expand(len(clips), -1)


def classifier(network):
    torch.manual_seed(0)
    return Classifier(network, 16, 4, 0.0)


def few():
    split = MovingSquares().split("test")
    return dataclasses.replace(split, videos=split.videos[:4], frames=split.frames[:4])


@pytest.mark.parametrize("average", ["softmax", "logits"])
def test_a_constant_network_scores_alike_under_every_policy(average):
    with torch.random.fork_rng():
        constant = classifier(Constant())
    logits = constant.head(constant.network.vector).detach().double()
    expected = (logits.softmax(0) if average == "softmax" else logits).expand(4, -1)
    for views in POLICIES:
        scores = video_scores(constant, TinyBackbone.inputs, few(), views=views, average=average, seed=0)
        torch.testing.assert_close(scores, expected)


@pytest.mark.parametrize("views", POLICIES)
@pytest.mark.parametrize("average", ["softmax", "logits"])
def test_scores_are_the_mean_over_a_videos_views(views, average):
    with torch.random.fork_rng():
        network = classifier(TinyBackbone().build(seed=0)).eval()
    split, inputs = few(), TinyBackbone.inputs
    scores = video_scores(network, inputs, split, views=views, average=average, seed=3)
    for video in range(len(split)):
        rows = []
        for clip in sampled_clips(split, video, inputs.view, views, seed=3):
            with torch.no_grad():
                logits = network.head(network.network(normalise(clip[None], inputs)))[0].double()
            rows.append(logits.exp() / logits.exp().sum() if average == "softmax" else logits)
        torch.testing.assert_close(scores[video], sum(rows) / len(rows), rtol=1e-5, atol=1e-6)
    if average == "softmax":
        torch.testing.assert_close(scores.sum(1), torch.ones(4, dtype=torch.float64))


@pytest.mark.parametrize("views", POLICIES)
def test_every_policy_reads_the_answer_where_the_network_knows_it(views):
    two_groups = ChangedSquares(test=keep(lambda video: video.group in ("test-0", "test-1")))
    found = evaluate(two_groups, informed_encoder(), frames=2000, lrs=(0.1,), views=views, mirror=views == "25x10")
    for label, predicted in zip(found.predictions.labels, found.predictions.predicted[0], strict=True):
        left_or_right = views == "25x10" and label < 2  # mirrored views leave that open
        assert predicted in ({0, 1} if left_or_right else {label})


def test_top5_where_there_are_more_than_five_classes():
    def eight(split):
        videos = tuple(
            dataclasses.replace(v, labels={"action": v.labels["action"] + 4 * (i // 4 % 2)})
            for i, v in enumerate(split.videos)
        )
        return dataclasses.replace(split, videos=videos, classes={"action": tuple("abcdefgh")})

    found = evaluate(ChangedSquares(train=eight, test=eight), informed_encoder(), frames=2000, lrs=(0.1,))
    values = {score.metric: score for score in found.scores}
    assert values["top5"].value >= values["top1"].value
    assert values["top5"].value > 0.9  # 0.5 is the most that top-1 can reach
    assert (values["top5"].baseline, values["top1"].baseline) == (5 / 8, 1 / 8)
    metric = next(metric for metric in Finetune.card.metrics if metric.id == "top5")
    assert float(of_predictions(found.predictions, metric).mean()) == pytest.approx(values["top5"].value)
    assert [score.metric for score in evaluate().scores] == ["top1", "mean_class_accuracy"]


def test_weights_made_in_inference_mode_can_be_trained():
    """As those of an encoder that moved to another device while it encoded."""
    with torch.inference_mode():
        module = TinyBackbone().build(seed=0)
    assert next(module.buffers()).is_inference()
    assert evaluate(encoder=NetworkEncoder(module, TinyBackbone.inputs)) == evaluate(encoder=built(0))


def test_the_encoders_own_view_is_what_it_is_tuned_on(trained):
    inputs = dataclasses.replace(TinyBackbone.inputs, view=View(frames=4, stride=3, size=24))
    encoder = NetworkEncoder(TinyBackbone().build(seed=0), inputs)
    evaluate(encoder=encoder)
    with pytest.raises(UsageError, match="one example shows 4 frames, and the budget is 3"):
        evaluate(encoder=encoder, frames=3)


def short(split):
    videos = tuple(dataclasses.replace(video, frames=5) for video in split.videos)
    return dataclasses.replace(split, videos=videos, frames=tuple(frames[:5] for frames in split.frames))


def test_videos_shorter_than_a_clip():
    found = evaluate(ChangedSquares(train=short, test=short), views="sliding")
    assert len(found.predictions.predicted[0]) == 32


def test_a_class_absent_from_test_is_noted():
    found = evaluate(ChangedSquares(test=keep(lambda video: video.labels["action"] != 2)))
    assert found.notes["classes_absent_from_test"] == ["up"]


def test_one_group_cannot_validate():
    alone = ChangedSquares(train=keep(lambda video: video.group == "train-0"))
    with pytest.raises(DataError, match=r"one group only \('train-0'\)"):
        evaluate(alone, lrs=(0.1, 0.2))


def test_one_group_is_enough_where_nothing_is_chosen():
    assert evaluate(ChangedSquares(train=keep(lambda video: video.group == "train-0"))).notes["validation_top1"] == {}


def test_a_few_videos_of_each_class(monkeypatch):
    seen = []

    class Watching(Supervised):
        def draw(self, train, view, size, generator):
            seen.append(train)
            return super().draw(train, view, size, generator)

    monkeypatch.setattr(finetune, "Supervised", Watching)
    found = evaluate(shots=2, frames=64)
    assert found.notes["train_videos"] == 8
    assert all(sorted(video.labels["action"] for video in split.videos) == sorted([0, 1, 2, 3] * 2) for split in seen)
    shown = {video.id for video in seen[0].videos}
    evaluate(shots=2, frames=64, encoder=UntrainedEncoder())
    assert {video.id for video in seen[-1].videos} == shown  # the same for every encoder
    evaluate(shots=2, frames=64, seed=1)
    assert {video.id for video in seen[-1].videos} != shown
    seen.clear()
    several = evaluate(shots=2, frames=64, draws=3)
    assert len({frozenset(video.id for video in split.videos) for split in seen}) == 3
    assert len(several.predictions.predicted) == len(several.notes["lr"]) == 3
    assert several.predictions.predicted[0] == found.predictions.predicted[0]
    with pytest.raises(DataError, match=r"has [0-9]+ training videos, 99 are to be drawn"):
        evaluate(shots=99)


class TwoStreams(nn.Module):
    """A network of its own for each of two streams."""

    def __init__(self):
        super().__init__()
        self.one, self.other = (TinyBackbone().build(seed=seed) for seed in (0, 1))

    def forward(self, clips):
        return self.one(clips["one"]) + self.other(clips["other"])


def test_encoders_that_cannot_be_fine_tuned():
    assert Finetune.card.needs - UninformedEncoder.promise.offers == {"trainable"}  # not applicable in every plan
    with pytest.raises(UsageError, match="3 stages are to be frozen, but the network has 2"):
        evaluate(frozen=3)
    streams = dict.fromkeys(("one", "other"), TinyBackbone.inputs)
    with pytest.raises(UsageError, match="expected a network of one stream, got streams one, other"):
        evaluate(encoder=NetworkEncoder(TwoStreams(), streams))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 0}, "frames and batch_size must be at least 1"),
        ({"batch_size": 0}, "frames and batch_size must be at least 1"),
        ({"frozen": -1}, "frozen at least 0"),
        ({"hidden": -1}, "hidden at least 0"),
        ({"shots": 0}, "shots and draws must be at least 1"),
        ({"shots": 5, "draws": 0}, "shots and draws must be at least 1"),
        ({"draws": 2}, "several draws need shots"),
        ({"shots": 1, "lrs": (0.001, 0.003)}, r"shots 1 leaves no second video .* got 2 of them; give one, such as"),
        ({"lrs": ()}, "at least one"),
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1"),
        ({"label_smoothing": -0.1}, "label_smoothing must be at least 0 and below 1"),
        ({"lrs": (0.1, 0.1)}, "different positive numbers"),
        ({"lrs": (0.1, -1.0)}, "different positive numbers"),
        ({"views": "25x10", "mirror": False}, "25x10 mirror each crop"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(UsageError, match=message):
        Finetune(**options)
