"""SDTM held to CDISC CORE, which nobody here wrote: clean where it should be, and not blind.

CORE needs Python 3.12 and an environment of its own, `make core-setup`; its rules lie beside the
reference data. `make core` runs these tests, since they take minutes; where either is missing they
say so, and `make core` fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config import core
from reporting import define, sdtm
from reporting.formats import FORMATS, About
from reporting.formats.staged import Stage
from reporting.sdtm import checks, described
from reporting.sdtm.model import Domain
from reporting.sdtm.tables import dataset
from tests.reporting.sdtm_trial import made

pytestmark = pytest.mark.core
ABOUT = About(study="DEMO", export=1, as_of=datetime(2026, 4, 1, tzinfo=UTC), software="0.1.0")

STUDY = define.Study("DEMO", "A trial", "DEMO", 1, ABOUT.as_of, ABOUT.software)


@pytest.fixture(scope="module", autouse=True)
def _there_is_core() -> None:
    if reason := core.why_not():
        if os.environ.get("TRIALTRACE_REQUIRE_CORE"):
            pytest.fail(reason)
        pytest.skip(reason)


def written(folder: Path, domains: tuple[Domain, ...]) -> Path:
    """The domains that have records with their define.xml, as an export writes them."""
    tables = described.described(domains, "xpt")
    content = define.written(STUDY, described.STANDARDS, tables)
    (folder / core.DEFINE).write_bytes(content)
    for one in domains:
        if one.rows:
            stage = Stage(dataset(one), folder / "rows.arrow")
            for _ in stage.batches(one.rows):
                pass
            with (folder / f"{one.name.lower()}.xpt").open("wb") as file:
                FORMATS["sdtm-xpt"].write(stage.staged(), file, ABOUT)
    (folder / "rows.arrow").unlink()
    return folder


Change = Callable[[list[dict[str, Any]]], None]


def spoiled(domains: tuple[Domain, ...], name: str, change: Change) -> tuple[Domain, ...]:
    """The same domains, the rows of one of them changed."""

    def one(domain: Domain) -> Domain:
        if domain.name != name:
            return domain
        records = domain.records()
        change(records)
        rows = tuple(tuple(record[one.name] for one in domain.variables) for record in records)
        return replace(domain, rows=rows)

    return tuple(one(domain) for domain in domains)


def first(records: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    return next(one for one in records if all(one[key] == wanted[key] for key in wanted))


def put(**values: Any) -> Change:
    return lambda records: records[0].update(values)


# Twelve mistakes, of which the reference on these exports says that CORE alone finds seven: where
# each is, and the rule of CORE, the list of the terminology or the words of our own that tell it.
MISTAKES: dict[str, tuple[str, Change, str]] = {
    "ends before it begins": ("EX", put(EXENDTC="2026-03-01T08:00:00"), "CORE-000718"),
    "a code of nine letters": ("LB", put(LBTESTCD="CREATININ"), "CORE-000220"),
    "a negative dose": ("EX", put(EXDOSE=-157.375), "CORE-000308"),
    "a date that is none": ("AE", put(AESTDTC="02MAR2026"), "02MAR2026"),
    "an exclusion answered N": ("IE", put(IEORRES="N"), "CORE-000011"),
    "a patient twice": ("DM", lambda rows: rows.append(dict(rows[0])), "CORE-000351"),
    "a qualifier of nothing": ("SUPPEX", put(IDVARVAL="99"), "CORE-000206"),
    "sex in full": ("DM", put(SEX="Male"), "DM.SEX"),
    "a unit in words": ("VS", put(VSORRESU="centimetres"), "centimetres"),
    "SUV in g/mL": (
        "TR",
        lambda rows: first(rows, TRSTRESU="kg/L").update(TRSTRESU="g/mL"),
        "TR.TRSTRESU",
    ),
    "an assessor of no kind": (
        "TR",
        lambda rows: first(rows, TREVALID="READER 1").update(TREVAL=""),
        "TREVALID without TREVAL",
    ),
    "no sexes in the summary": (
        "TS",
        lambda rows: rows.remove(first(rows, TSPARMCD="SEXPOP")),
        "TS has no SEXPOP",
    ),
}
RULES = sorted({told for *_, told in MISTAKES.values() if told.startswith("CORE")})


def complaints(folder: Path, domains: tuple[Domain, ...]) -> Iterator[str]:
    """All that is said of a submission, by whoever looks at it."""
    yield from map(str, core.findings(written(folder, domains), RULES))
    yield from map(str, core.terms(folder))
    yield from checks.problems(domains)


def test_a_trial_with_every_form_has_no_finding_that_is_not_accepted(tmp_path):
    written(tmp_path, sdtm.domains(made()))
    found = [*core.findings(tmp_path), *core.terms(tmp_path)]
    assert [str(one) for one in found if not core.is_accepted(one)] == []


def test_each_of_twelve_mistakes_is_found(tmp_path):
    domains = sdtm.domains(made())
    for name, change, _ in MISTAKES.values():
        domains = spoiled(domains, name, change)
    said = "\n".join(complaints(tmp_path, domains))
    missed = [what for what, (*_, told) in MISTAKES.items() if told not in said]
    assert missed == [], said


def test_a_define_xml_that_says_otherwise_than_the_guide_is_found(tmp_path):
    """CORE reads define.xml, and does not pass it by."""
    domains = tuple(one for one in sdtm.domains(made()) if one.name == "SC")
    path = written(tmp_path, domains) / core.DEFINE
    right = path.read_text()
    wrong = right.replace('Role="Topic"', 'Role="Rule"')
    assert wrong != right
    path.write_text(wrong)
    found = core.findings(tmp_path, ["CORE-001081"])
    assert [(one.rule, one.dataset) for one in found] == [("CORE-001081", "SC")]
