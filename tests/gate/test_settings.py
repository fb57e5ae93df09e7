from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.gate.settings import GateSettings, gate_settings


def test_a_repository_without_settings_has_a_folder_of_benchmarks(tmp_path):
    install = (".", "pytest", "memray; sys_platform != 'win32'")
    assert gate_settings(tmp_path) == GateSettings(benchmarks=("benchmarks",), install=install)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'toy'\n")
    assert gate_settings(tmp_path) == GateSettings()


def test_settings_are_read(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.harness.gate]\nbenchmarks = ["speed"]\ninstall = ["-e", "."]\nbounds = {time = 0.05, kernels = 0.1}\n'
    )
    assert gate_settings(tmp_path) == GateSettings(
        benchmarks=("speed",), install=("-e", "."), bounds={"time": 0.05, "kernels": 0.1}
    )


def test_settings_of_a_package_of_the_repository_are_named_as_not_read(tmp_path, capsys):
    package = tmp_path / "packages" / "a"
    package.mkdir(parents=True)
    (package / "pyproject.toml").write_text("[tool.harness.gate]\nbounds = {time = 0.5}\n")
    assert gate_settings(tmp_path) == GateSettings()
    assert capsys.readouterr().err == ""
    assert gate_settings(tmp_path, "packages/a/src") == GateSettings()
    assert "[tool.harness.gate] of packages/a/pyproject.toml is not read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[tool.harness.gate]\nbenchmark = ["x"]\n', r"\[tool.harness.gate\] benchmark: Extra inputs"),
        ("[tool.harness.gate]\nbounds = {time = 'x'}\n", r"bounds.time: Input should be a valid number"),
        ("[tool.harness.gate]\nbounds = {time = -0.1}\n", r"bounds.time: Input should be greater than or equal to 0"),
        ("[tool.harness.gate]\nbounds = {time = nan}\n", r"bounds.time: Input should be"),
        ("[tool.harness.gate]\nbounds = {time = inf}\n", r"bounds.time: Input should be a finite number"),
        ("[tool\n", "pyproject.toml: "),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, text, message):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        gate_settings(tmp_path)
