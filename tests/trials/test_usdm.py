"""USDM: held to a model and rules that nobody here wrote, and nothing of the protocol lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from trials import protocol, usdm

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "trials"
FILES = sorted((FOLDER / "definitions").rglob("*.yaml"))
SCHEMA = json.loads((FOLDER / "protocol.schema.json").read_text())
READER = ROOT / ".venv" / "usdm" / "bin" / "python"
# The checker's list of organizations has none of unknown kind, which an invented trial needs.
UNKNOWN_ORGANIZATION = {"DDF00140"}


def definition(file: Path) -> dict:
    return protocol.parse(file.read_text(), schema=SCHEMA)


def written(file: Path) -> dict:
    return usdm.usdm(definition(file), version="1", system_version="test")


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("usdm")
    paths = {file: folder / f"{file.stem}.json" for file in FILES}
    for file, path in paths.items():
        path.write_text(json.dumps(written(file)))
    done = subprocess.run(
        [READER, ROOT / "tests" / "usdm_reader.py", *paths.values()],
        capture_output=True,
        check=True,
        text=True,
    )
    found = json.loads(done.stdout)
    return {file.stem: found[str(path)] for file, path in paths.items()}


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_another_reader_takes_the_file_and_its_rules_pass(read, file):
    found = read[file.stem]
    allowed = UNKNOWN_ORGANIZATION if file.stem.startswith("demo") else set()
    assert set(found["failed"]) <= allowed
    assert found["errors"] == []
    # The library implements this many of its rules; fewer would mean that it looked at less.
    assert found["passed"] >= 23


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_another_reader_finds_every_criterion(read, file):
    names = [one["identifier"] for one in definition(file)["criteria"]]
    assert read[file.stem]["criteria"] == names


def extensions(node: dict) -> dict[str, str]:
    prefix = f"{usdm.EXTENSION}:"
    return {
        one["url"].removeprefix(prefix): one["valueString"] for one in node["extensionAttributes"]
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_rule_of_each_criterion_comes_back_as_it_was(file):
    design = written(file)["study"]["versions"][0]["studyDesigns"][0]
    back = [json.loads(extensions(one)["expression"]) for one in design["eligibilityCriteria"]]
    assert back == [one["expression"] for one in definition(file)["criteria"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_whole_definition_comes_back_as_it_was(file):
    version = written(file)["study"]["versions"][0]
    assert json.loads(extensions(version)["definition"]) == definition(file)


def test_what_no_source_states_is_not_made_up():
    study = written(FOLDER / "definitions" / "NCT05093335.yaml")["study"]
    version = study["versions"][0]
    assert [one["text"] for one in version["titles"]] == [
        "NCT05093335 (title not stated in the sources read)"
    ]
    design = version["studyDesigns"][0]
    assert (design["arms"], design["model"]["code"]) == ([], "UNK")
    assert "plannedEnrollmentNumber" not in design["population"]


def test_a_phase_that_the_sources_disagree_on_has_no_code():
    study = written(FOLDER / "definitions" / "NCT06125028.yaml")["study"]
    design = study["versions"][0]["studyDesigns"][0]
    assert "studyPhase" not in design
    assert design["model"]["decode"] == "Crossover Study"


def test_writing_twice_gives_the_same_file():
    file = FOLDER / "definitions" / "demo.yaml"
    assert written(file) == written(file)


def test_every_identifier_in_the_file_is_its_own():
    def ids(node):
        if isinstance(node, dict):
            yield from [node["id"]] if "id" in node else []
            for one in node.values():
                yield from ids(one)
        elif isinstance(node, list):
            for one in node:
                yield from ids(one)

    found = list(ids(written(FOLDER / "definitions" / "demo.yaml")))
    assert len(found) == len(set(found))
