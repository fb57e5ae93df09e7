"""`harness runs`, `compare`, `show --by`, `pack`, `merge` and `gc` on the runs of the toy suite."""

from __future__ import annotations

import json
import re

import pytest

from harness.api import leaderboard
from harness.leaderboard.results_file import table_values
from harness.store.runs import Store
from harness.system import paths

ONE = ("--set", "methods=[counted]", "--set", "evaluators=[{name: knn, k: 5}]")
SUITE = {"name": "toy", "title": "Toy", "frames": 512, "methods": ["counted"], "backbones": ["small_2d"]} | {
    "pretraining": ["blobs"],
    "evaluators": [{"name": "knn", "k": 5}],
    "seeds": [0, 1],
}


@pytest.fixture
def runs(harness, compute):
    """The runs of the method `counted` with two seeds, measured by k-NN."""
    compute(SUITE)
    return json.loads(harness("runs", "--json").stdout)


def test_two_stores_become_the_board_of_one_machine(harness, compute, monkeypatch, tmp_path):
    def home(name):
        monkeypatch.setenv("HARNESS_HOME", str(tmp_path / name))

    for name, seeds in (("first", [0]), ("second", [1]), ("one", [0, 1])):
        home(name)
        compute({**SUITE, "seeds": seeds})
    harness("leaderboard", "toy", *ONE, "-o", str(tmp_path / "expected"))
    assert harness("pack", "toy", *ONE, "-o", str(tmp_path / "one.zip")).stdout.endswith("one.zip: 2 runs\n")
    home("second")
    packed = harness("pack", "toy", *ONE, "-o", str(tmp_path / "second.zip"), "--json")
    assert json.loads(packed.stdout) == {"file": str(tmp_path / "second.zip"), "runs": 1}
    home("first")
    merged = harness("merge", str(tmp_path / "second.zip"), "--json")
    assert merged.returncode == 0, merged.stderr
    assert len(json.loads(merged.stdout)["taken"]) == 1
    harness("leaderboard", "toy", *ONE, "-o", str(tmp_path / "board"))
    folders = tmp_path / "board", tmp_path / "expected"
    mine, other = (table_values(leaderboard(folder)) for folder in folders)
    assert mine == other
    assert mine[0]["cells"][0]["status"] == "done"
    for name in ("table.csv", "README.md"):
        mine, other = ((folder / name).read_text() for folder in folders)
        assert mine == other
    again = harness("merge", str(tmp_path / "one.zip"), str(tmp_path / "one"))
    assert again.returncode == 0, again.stderr
    assert again.stdout == "0 runs and 1 fits taken, 4 runs were here, 0 conflicts, 0 refused\n"


def test_stored_runs_are_listed_and_filtered(harness, runs):
    assert [(run["method"], run["evaluator"], run["status"], run["seed"]) for run in runs] == [
        ("counted", "knn(k=5)", "done", 0),
        ("counted", "knn(k=5)", "done", 1),
    ]
    size = Store(paths.store()).path(runs[0]["key"]).stat().st_size
    assert runs[0]["bytes"] >= size
    for option, value, count in (
        ("--method", "count*", 2),
        ("--method", "sfa", 0),
        ("--data", "blobs", 2),
        ("--backbone", "tiny", 0),
        ("--evaluator", "knn", 2),
        ("--evaluator", "knn(k=5)", 2),
        ("--evaluator", "knn(k=[5])", 2),
        ("--evaluator", "knn(k=6)", 0),
        ("--status", "failed", 0),
        ("--since", "2020-01-01", 2),
        ("--since", "2999-01-01T10:00+02:00", 0),
    ):
        assert len(json.loads(harness("runs", option, value, "--json").stdout)) == count, (option, value)
    listed = harness("runs")
    assert listed.stdout.splitlines()[1].startswith(runs[0]["key"][:12])
    assert "2 runs; the store in" in listed.stderr
    wrong = harness("runs", "--since", "yesterday")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "expected a date" in wrong.stderr


def test_two_runs_are_compared(harness, runs, tmp_path):
    keys = [run["key"][:8] for run in runs]
    text = harness("compare", *keys, "--pictures", str(tmp_path / "pictures")).stdout
    assert "seed" in text
    assert "both get wrong" in text
    values = json.loads(harness("compare", *keys, "--json").stdout)
    top1 = values["metrics"]["top1"]
    assert top1["difference"]["mean"] == pytest.approx(runs[1]["score"] - runs[0]["score"])
    assert values["same_protocol"]
    assert values["classes"].keys() == {"left", "right", "up", "down"}
    wrong = len(values["videos"]["both_wrong"]) + len(values["videos"]["only_second_right"])
    assert 1 - wrong / 32 == pytest.approx(runs[0]["score"])
    assert (tmp_path / "pictures" / "both-wrong.png").read_bytes().startswith(b"\x89PNG")
    assert harness("compare", keys[0], "zz").returncode == 2


def test_data_that_are_others_by_now_name_no_class_and_draw_no_picture(harness, runs, monkeypatch, tmp_path):
    find = Store.find

    def of_others(store, key):
        run = find(store, key)
        manifests = {**run.protocol["manifests"], "test": "0" * 64}
        return run.model_copy(update={"protocol": {**run.protocol, "manifests": manifests}})

    keys = [run["key"] for run in runs]
    monkeypatch.setattr(Store, "find", of_others)
    said = (
        f"run {keys[0][:12]}: split 'test' of blobs has other files or labels here than those that it was measured on"
    )
    compared = harness("compare", *keys, "--pictures", str(tmp_path / "pictures"))
    assert "class 0" in compared.stdout
    assert "left" not in compared.stdout
    assert said in compared.stderr
    assert "no picture is drawn" in compared.stderr
    assert not (tmp_path / "pictures").exists()
    assert f"{said}; its parts are of the labels that are here" in harness("show", keys[0], "--by", "action").stderr
    refused = harness("map", keys[0], "-o", str(tmp_path / "map"))
    assert refused.returncode == 4
    assert f"{said}; set the location of its data, or run its suite again" in refused.stderr
    assert not (tmp_path / "map").exists()


def test_runs_are_fused_and_their_calibration_shown(harness, compute):
    compute(
        {**SUITE, "seeds": [0], "evaluators": [{"name": "knn", "k": 5}, "linear_probe", "linear_svm", "clustering"]}
    )
    keys = {run["evaluator"]: run["key"] for run in json.loads(harness("runs", "--json").stdout)}
    two = keys["knn(k=5)"], keys["linear_probe"]
    fused = harness("fuse", *two, "--weights", "1,3")
    assert fused.returncode == 0, fused.stderr
    lines = fused.stdout.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["run", two[0][:12], two[1][:12], "fusion"]
    assert " points of top-1, without interval: under 6 groups" in lines[-1]
    assert " points of mAP, without interval: under 6 groups" in lines[-1]
    document = json.loads(harness("fuse", *two, "--json").stdout)
    assert [(run["key"], run["weight"]) for run in document["runs"]] == [(two[0], 0.5), (two[1], 0.5)]
    assert lines[-1].startswith(f"fusion less {document['best'][:12]}, the best run: ")
    gained = document["fusion"]["top1"] - max(run["scores"]["top1"] for run in document["runs"])
    assert document["gains"]["top1"]["mean"] == pytest.approx(gained)
    shown = harness("show", two[1]).stdout.splitlines()
    place = shown.index("class scores (logits)")
    titles = [line.split(":")[0].strip() for line in shown[place + 1 : place + 5]]
    assert titles == [
        "mean average precision over classes",
        "expected calibration error, 15 bins",
        "negative log-likelihood, nats",
        "Brier score",
    ]
    measures = json.loads(harness("show", two[1], "--json").stdout)["class_score_measures"]
    assert shown[place + 4] == f"  Brier score: {measures['brier_score']:.4f}"
    of_margins = json.loads(harness("show", keys["linear_svm"], "--json").stdout)["class_score_measures"]
    assert list(of_margins) == ["mean_average_precision"]
    clustering = keys["clustering"]
    assert "class scores" not in harness("show", clustering).stdout
    for arguments, said in (
        ((two[0], clustering), "has no class scores"),
        ((two[0], keys["linear_svm"]), "has margins, which are no probabilities"),
        ((*two, "--weights", "1;3"), "--weights 1;3: expected numbers with commas, such as 2,1"),
        ((*two, "--weights", "1"), "expected a weight for each of 2 runs"),
    ):
        refused = harness("fuse", *arguments)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr


def test_a_run_whose_class_scores_are_gone_is_computed_again(harness, runs):
    key, store = runs[0]["key"], Store(paths.store())
    content = store.class_scores_path(key).read_bytes()
    store.class_scores_path(key).unlink()
    arguments = ("run", "toy", *ONE, "--set", "seeds=[0, 1]", "-o", str(harness.folder / "board"))
    cells = json.loads(harness(*arguments, "--dry-run", "--json").stdout)
    assert {cell["key"]: cell["state"] for cell in cells} == {key: "to do", runs[1]["key"]: "done"}
    again = harness(*arguments)
    assert again.returncode == 0, again.stderr
    assert store.class_scores_path(key).read_bytes() == content


def test_a_run_is_shown_by_label(harness, runs):
    values = json.loads(harness("show", runs[0]["key"], "--by", "action", "--json").stdout)
    parts = values["parts"]
    mean = sum(part["interval"]["mean"] * part["videos"] for part in parts.values()) / 32
    assert mean == pytest.approx(runs[0]["score"])
    assert harness("show", runs[0]["key"], "--by", "length").stdout.splitlines()[1].startswith("2.0 s ")
    assert "did you mean 'action'" in harness("show", runs[0]["key"], "--by", "acton").stderr


def test_curves_of_a_fit_are_named(harness, runs):
    assert "curves" not in harness("show", runs[0]["key"]).stdout
    log = paths.store() / "fits" / runs[0]["fit"] / "training" / "tensorboard"
    log.mkdir(parents=True)
    assert f"  curves: tensorboard --logdir {log}\n" in harness("show", runs[0]["key"]).stdout


def test_cells_of_one_evaluator_are_computed(harness):
    arguments = ("run", "toy", "--set", "methods=[counted]", "--set", "seeds=[0]")
    harness(*arguments, "--only", "knn", "--workers", "1")
    states = {
        cell["evaluator"]: cell["state"] for cell in json.loads(harness(*arguments, "--dry-run", "--json").stdout)
    }
    assert states == {"knn(k=5)": "done", "clustering(repeats=2)": "to do"}
    wrong = harness(*arguments, "--only", "kn", "--dry-run")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean 'knn'" in wrong.stderr
    assert harness(*arguments, "--workers", "0").returncode == 2


def test_what_no_suite_names_is_listed_and_deleted_only_when_asked(harness, runs, compute, tmp_path):
    store = Store(paths.store())
    kept = ("toy", *ONE, "--set", "seeds=[0]")
    board = tmp_path / "board"
    harness("leaderboard", *kept, "-o", str(board))
    nothing = harness("gc", "toy", "--json")  # its cells, as the suite ships, are these and more
    assert nothing.returncode == 0, nothing.stderr
    assert json.loads(nothing.stdout) == []
    (other,) = compute({**SUITE, "evaluators": [{"name": "knn", "k": 7}], "seeds": [0]})
    (listed,) = json.loads(harness("gc", "toy", "--json").stdout)
    assert (listed["kind"], listed["key"]) == ("run", other.key)  # of a fit that is kept
    listed = json.loads(harness("gc", str(board), "--json").stdout)
    gone = {(one["kind"], one["key"]) for one in listed if one["kind"] != "features"}
    assert gone == {("run", runs[1]["key"]), ("run", other.key), ("fit", runs[1]["fit"])}
    assert len(list(store)) == 3
    done = harness("gc", str(board), "--delete")
    assert done.returncode == 0
    assert [run.key for run in store] == [runs[0]["key"]]
    assert [path.name for path in (store.folder / "fits").iterdir()] == [runs[0]["fit"]]
    assert harness("gc").returncode == 2


def test_gc_keeps_the_parts_of_composites_and_what_it_cannot_know_of(harness, compute):
    composites = [{"name": "both", "of": ["random_init", "counted"]}]
    compute({**SUITE, "composites": composites, "seeds": [0, 1]})
    suite = ("toy", *ONE, "--set", "composites=[{name: both, of: [random_init, counted]}]", "--set", "seeds=[0]")
    assert harness("leaderboard", *suite, "-o", "board").returncode == 0
    listed = json.loads(harness("gc", "board", "--json").stdout)
    store = Store(paths.store())
    needed = {key for run in store if run.identity.seed == 0 for key in (run.fit_key, *run.provenance.get("fits", ()))}
    fits = {path.name for path in (store.folder / "fits").iterdir()}
    assert fits & needed
    assert {one["key"] for one in listed if one["kind"] == "fit"} == fits - needed != set()
    results = harness.folder / "board" / "results.json"  # as it was written before runs recorded their parts
    results.write_text(re.sub(r'"fits": \[[^\]]*\],?', "", results.read_text()))
    listed = json.loads(harness("gc", "board", "--json").stdout)
    assert not [one for one in listed if one["kind"] == "fit"]
    (harness.folder / "list.csv").write_text("path,split,label\n")
    text = json.dumps({**SUITE, "name": "mine", "pretraining": ["manifest"], "paths": {"manifest": "list.csv"}})
    (harness.folder / "mine.yaml").write_text(text)
    unknown = harness("gc", "mine.yaml", "--delete")
    assert (unknown.returncode, unknown.stdout) == (4, "")
    assert "what it needs is unknown without its data" in unknown.stderr


def test_options_of_runs_that_are_unknown_are_named(harness, runs):
    path = Store(paths.store()).path(runs[0]["key"])
    record = json.loads(path.read_text())
    del record["checksum"], record["provenance"]["finished"]
    path.write_text(json.dumps(record))
    assert len(json.loads(harness("runs", "--since", "2020-01-01", "--json").stdout)) == 1
    assert harness("runs", "--status", "bogus").returncode == 2
    assert harness("leaderboard", "toy", "--as", "latex", "--json").returncode == 2
    assert harness("leaderboard", ".", "--as", "mteb", "--check").returncode == 2


def test_options_that_would_do_nothing_are_refused(harness, runs):
    assert harness("leaderboard", "toy", *ONE, "-o", "board").returncode == 0
    for arguments, message in (
        (("leaderboard", "board", "--set", "seeds=[0]"), "--set changes a suite, and board is taken for a board"),
        (("leaderboard", "board", "--check", "--set", "seeds=[0]"), "--set changes a suite"),
        (("leaderboard", "board", "--check", "-o", "other"), "--check writes nothing: not beside -o"),
        (("leaderboard", "board", "--as", "latex", "-o", "other"), "--as latex writes nothing: not beside -o"),
        (("verify", runs[0]["key"], "--set", "seeds=[0]"), f"--set changes a suite, and {runs[0]['key']} is none"),
    ):
        done = harness(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr


def test_stale_files_are_printed_as_json(harness, runs):
    assert harness("leaderboard", "toy", *ONE, "-o", "board").returncode == 0
    done = harness("leaderboard", "board", "--check", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    (harness.folder / "board" / "table.csv").write_text("edited by hand")
    done = harness("leaderboard", "board", "--check", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, ["table.csv"])
