"""Which process takes which tests, where a run is divided among several."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain

import pytest

from tests.conftest import ROOT

PLUGIN = """
from config.pytest_division import Division

def pytest_xdist_make_scheduler(config, log):
    return Division(config, log)
"""
TEST = """
import os, pathlib, time, pytest

@pytest.mark.parametrize("number", range(4))
def test_it(number):
    time.sleep({seconds})
    with (pathlib.Path.cwd() / os.environ["PYTEST_XDIST_WORKER"]).open("a") as file:
        file.write(__file__.rsplit("tests/")[-1] + "\\n")
"""
# As they are collected: those alone, the journeys, those whose rows stay.
SLEEPS = {
    "a_alone": 0.1,
    "b_alone": 0.1,
    "c_alone": 0.1,
    "journeys/d_journey": 0.01,
    "journeys/e_journey": 0.01,
    "k_live": 0.01,
    "l_live": 0.01,
}


@pytest.mark.parametrize("processes", [1, 2])
def test_journeys_go_to_one_process_and_files_without_rows_never_after_them(tmp_path, processes):
    taken = divided(tmp_path, processes)
    ran = sorted(chain.from_iterable(taken.values()))
    assert ran == sorted(f"{name}.py" for name in SLEEPS for _ in "1234")
    with_journeys = [files for files in taken.values() if any("journey" in one for one in files)]
    assert len(with_journeys) == 1
    for files in taken.values():
        assert files == sorted(files)
    if processes == 2:
        assert with_journeys[0][0] == "journeys/d_journey.py"


def divided(folder, processes: int) -> dict[str, list[str]]:
    """The files of the tests that each process ran, in its order."""
    (folder / "division_plugin.py").write_text(PLUGIN)
    names = [f"tests/{name}.py" for name in SLEEPS]
    for name, seconds in zip(names, SLEEPS.values(), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(TEST.format(seconds=seconds))
    ours = ("PYTEST_PLUGINS", "PYTEST_XDIST_WORKER")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist.plugin", "-p", "division_plugin",
         "-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder", *names],
        cwd=folder,
        env=environment | {"PYTHONPATH": f"{ROOT}:{folder}"},
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {file.name: file.read_text().split() for file in folder.glob("gw*")}
