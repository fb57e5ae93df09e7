"""Stored fits: every file that was saved is compared before it is loaded."""

from __future__ import annotations

import pytest

from harness.errors import StoreError
from harness.execution.stored_encoders import load_encoder
from harness.store import fits
from harness.system import files


@pytest.fixture
def fit(tmp_path):
    """Folder of a complete fit with weights, a folder of tables and training logs."""
    folder = tmp_path / "store" / "fits" / "k"
    for name in ("weights.safetensors", "tables/a.npy", "training/logs/events"):
        files.write_bytes(folder / name, name.encode())
    files.write_json(folder / fits.FIT, {"seed": 0, fits.CHECKSUMS: fits.saved_checksums(folder)})
    return folder


class Method:
    def load(self, backbone, folder):
        return (folder / "weights.safetensors").read_text()


def test_a_whole_fit_is_loaded(fit, capsys):
    assert sorted(fits.saved_checksums(fit)) == ["tables/a.npy", "weights.safetensors"]
    assert fits.damage(fit) == ""
    assert fits.is_checked(fit)
    assert fits.is_stored(fit)
    assert load_encoder(fit, Method(), None) == "weights.safetensors"
    (fit / "training" / "logs" / "events").unlink()  # nobody loads it
    assert fits.is_stored(fit)
    assert capsys.readouterr().err == ""


def test_what_a_killed_process_left_is_no_file_of_a_fit(fit):
    left = (".weights.safetensors.x1.tmp", "tables/.a.npy.x2.tmp", "tables/.nfs0001")
    for name in left:
        files.write_bytes(fit / name, b"half")
    assert sorted(fits.saved_checksums(fit)) == ["tables/a.npy", "weights.safetensors"]
    of_older_version = {**fits.saved_checksums(fit), **dict.fromkeys(left, "0")}
    files.write_json(fit / fits.FIT, {"seed": 0, fits.CHECKSUMS: of_older_version})
    for name in left:
        (fit / name).unlink()
    assert fits.damage(fit) == ""


def test_none_is_no_damaged_one(fit):
    (fit / fits.FIT).unlink()
    assert not fits.is_stored(fit)
    assert (fit / "weights.safetensors").exists()
    with pytest.raises(FileNotFoundError):
        load_encoder(fit, Method(), None)


DAMAGES = [
    (lambda fit: (fit / "weights.safetensors").write_bytes(b"weights.safetensorr"), "weights.safetensors is not as it"),
    (lambda fit: (fit / "tables" / "a.npy").write_bytes(b""), "tables/a.npy is not as it was saved"),
    (lambda fit: (fit / "tables" / "a.npy").unlink(), "tables/a.npy is missing"),
    (lambda fit: (fit / fits.FIT).write_bytes(b'{"seed"'), "fit.json is no record of a fit"),
    (lambda fit: (fit / fits.FIT).write_bytes(b"\xff\xfe"), "fit.json is no record of a fit"),
    (lambda fit: (fit / fits.FIT).write_bytes(b"[1]"), "fit.json is no record of a fit"),
    (lambda fit: (fit / fits.FIT).write_bytes(b'{"checksums": 1}'), "fit.json is no record of a fit"),
]


@pytest.mark.parametrize(("harm", "problem"), DAMAGES)
def test_a_damaged_fit_is_set_aside_to_be_fitted_again(fit, capsys, harm, problem):
    harm(fit)
    assert not fits.is_stored(fit)
    aside = fit.parent.parent / "damaged" / "fits" / "k"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{fit}: damaged ({problem}")
    assert line.endswith(f"; set aside as {aside}; it is fitted again")
    assert not fit.exists()
    assert (aside / "weights.safetensors").exists()


def test_a_damaged_fit_is_never_loaded(fit):
    (fit / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(StoreError, match=r"damaged .*; set aside as .*; run its suite again to fit it again"):
        load_encoder(fit, Method(), None)
    assert not fit.exists()


def test_a_fit_of_an_older_version_is_read_unchecked(fit):
    files.write_json(fit / fits.FIT, {"seed": 0})
    (fit / "weights.safetensors").write_bytes(b"other")
    assert fits.damage(fit) == ""
    assert not fits.is_checked(fit)
    assert load_encoder(fit, Method(), None) == "other"


def test_a_file_that_may_not_be_read_stops_and_is_left(fit, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setenv("HARNESS_HOME", str(fit.parent.parent.parent))
    monkeypatch.setattr(fits, "file_checksum", denied)
    with pytest.raises(StoreError, match=r"permission denied.*HARNESS_HOME"):
        fits.is_stored(fit)
    assert fit.exists()


def test_curves_are_where_tensorboard_finds_them(fit):
    assert fits.curves(fit) is None
    (fit / "training" / "tensorboard").mkdir()
    assert fits.curves(fit) == fit / "training" / "tensorboard"
