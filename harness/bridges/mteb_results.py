"""Results of a board in MTEB's format, as files of tasks of our own."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.bridges.mteb_names import metadata_fields, model_name, task_name
from harness.errors import DataError, UsageError
from harness.evaluators.cards import RANKS
from harness.leaderboard.results_file import NAME, load_results
from harness.store.choices import Choice, share_of
from harness.store.records import Run
from harness.system import files, progress

COUNTERPARTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        **{name: {"accuracy": "top1"} for name in ("linear_probe", "linear_svm", "knn")},
        "few_shot": {"accuracy": "top1_5"},
        "clustering": {"v_measure": "nmi", "ami": "ami"},
        "retrieval": {
            "ndcg_at_10": "ndcg_10",
            "map": "map",
            **{f"hit_rate_at_{k}": f"recall_{k}" for k in RANKS},
        },
        "pair_classification": {
            "cosine_ap": "average_precision",
            "cosine_accuracy": "best_accuracy",
            "cosine_f1": "best_f1",
        },
    }
)
"""Metrics of MTEB that mean what ours do, by evaluator, the main score first.

NMI with the mean of both entropies is the V-measure; R@k, a hit among the first k, is its hit rate, not its recall.
"""


def results(board: Path, output: Path) -> list[Path]:
    """Write the runs of a board as MTEB's cache has them.

    That is `results/<model>/<revision>/<task>.json`. Written are evaluators whose metrics have a counterpart there,
    of runs that are done and not stale. A model is a fit, its revision the fit's key; seeds that share a fit are
    the experiments of one result, whose scores are their means. The names of tasks are our own, and no version of
    MTEB is given, because none has measured them. What is left out is said on stderr.

    Args:
        board: folder with a `results.json`.
        output: new or empty.

    Returns:
        The files, in order of their names.

    Raises:
        UsageError: when the output has files.
        DataError: when the board cannot be read, or has nothing to write.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        msg = f"{output}: has files already; give a new folder"
        raise UsageError(msg)
    grouped: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    left_out: Counter[str] = Counter()
    for cell in load_results(board / NAME).planned:
        run = cell.run
        if cell.identity.evaluator.name not in COUNTERPARTS:
            left_out[f"{cell.identity.evaluator.name}, of which MTEB has no counterpart"] += 1
            continue
        if cell.not_applicable:
            left_out["not applicable"] += 1
            continue
        if run is None or run.status != "done" or run.key != cell.key:
            left_out["to do, failed, or of older code or data"] += 1
            continue
        identity = run.identity
        backbone = None if identity.backbone is None else identity.backbone.label
        model = model_name(_short(identity.method), backbone, run.fit_key)
        grouped[model, run.fit_key, task_name(identity.data.label, identity.evaluator.label)].append(run)
    for why, count in left_out.items():
        progress.say(f"left out: {count} cell{'s' * (count > 1)}: {why}")
    if not grouped:
        msg = f"{board}: no run of {', '.join(COUNTERPARTS)} is done; MTEB has no counterpart of the others"
        raise DataError(msg)
    with files.filling(output) as partial:
        for (model, revision, task), runs in grouped.items():
            folder = partial / "results" / model.replace("/", "__") / revision
            files.write_json(folder / f"{task}.json", _result(task, runs))
            files.write_json(folder / "model_meta.json", metadata_fields(model, revision))
    return sorted(output.rglob("*.json"))


def _short(method: Choice) -> str:
    """Name of a method, with the share of its fit where it is not the whole."""
    share = share_of(method)
    return method.name if share is None else f"{method.name}-at-{share}"


def _result(task: str, runs: Sequence[Run]) -> dict[str, Any]:
    """One result: means over runs, and the scores of each."""
    each = [_scores(run) for run in runs]
    shared = [name for name in each[0] if all(name in one for one in each)]
    means = {name: sum(one[name] for one in each) / len(each) for name in shared}
    last = runs[-1]
    scores = {
        **means,
        "main_score": next(iter(means.values())),
        "scores_per_experiment": each,
        "hf_subset": "default",
        "languages": ["zxx-Zxxx"],  # no linguistic content
        "runs": [run.key for run in runs],
        "protocol": last.protocol_id,
    }
    return {
        "dataset_revision": last.protocol_id,
        "task_name": task,
        "mteb_version": None,
        "scores": {"test": [scores]},
        "evaluation_time": None,
        "kg_co2_emissions": None,
    }


def _scores(run: Run) -> dict[str, float]:
    """Scores of a run under MTEB's names, the main one first."""
    named = COUNTERPARTS[run.identity.evaluator.name]
    found = {name: run.score(metric) for name, metric in named.items()}
    return {name: score.value for name, score in found.items() if score is not None}
