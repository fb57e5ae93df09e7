"""The evaluators that fabricated runs are of."""

from __future__ import annotations

from harness.cards import EvaluatorCard, Metric, Point

TOP1 = Metric(
    id="top1", title="Top-1 accuracy", unit="%", higher_is_better=True, bounds=(0.0, 1.0), statistic="accuracy"
)
ENTROPY = Metric(
    id="conditional_entropy",
    title="Conditional entropy",
    unit="bits",
    higher_is_better=False,
    statistic="conditional_entropy",
)
PCP = Metric(id="pcp", title="Percentage of correct parts", unit="%", higher_is_better=True, bounds=(0.0, 1.0))

CARDS = {
    "linear_probe": EvaluatorCard(
        name="linear_probe",
        summary="A linear classifier on frozen features.",
        protocol="Kornblith 2019",
        metrics=(TOP1,),
    ),
    "knn": EvaluatorCard(name="knn", summary="A vote of the nearest videos.", protocol="Wu 2018", metrics=(TOP1,)),
    "clustering": EvaluatorCard(
        name="clustering", summary="k-means against classes.", protocol="Redondo-Cabrera 2019", metrics=(ENTROPY,)
    ),
    "pose": EvaluatorCard(name="pose", summary="Joints from a feature map.", protocol="FLIC", metrics=(PCP,)),
}


def _shots(at: int | None) -> Metric:
    return Metric(
        id=f"top1_{at or 'all'}",
        title=f"Top-1 accuracy, {at or 'all'} videos",
        unit="%",
        higher_is_better=True,
        bounds=(0.0, 1.0),
        statistic="mean",
        point=Point(curve="top-1", axis="videos a class", at=at),
    )


CARDS |= {
    "few_shot": EvaluatorCard(
        name="few_shot",
        summary="A few labels.",
        protocol="Goyal 2019",
        metrics=(*map(_shots, (5, 1, None)), Metric(id="kappa", title="Kappa", unit="1", higher_is_better=True)),
    ),
    "throughput": EvaluatorCard(
        name="throughput",
        summary="Speed.",
        protocol="a clock",
        time=True,
        metrics=(Metric(id="clips_per_s", title="Encoding", unit="clips/s", higher_is_better=True),),
    ),
}
