"""A submission made patients after patients is the one made at once, to the last byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reporting import adam, sdtm
from reporting.adam import Membership, Populations
from reporting.sdtm.model import FormRows, Row, Source, Value
from reporting.services.spilling import Spill
from tests.reporting.sdtm_trial import SUBJECT, made
from trials import populations

FURTHER = "DEMO-101-009"


def of_two() -> Source:
    """The trial with a second patient who has whatever the first has, read by someone else.

    Among it is a comment that is longer than one variable holds, which the first has not.
    """
    one = made()
    tables = {name: [*rows, *_again(name, rows)] for name, rows in one.tables.items()}
    forms = {
        name: FormRows(each.table, [*each.rows, *_again(name, each.rows)])
        for name, each in one.forms.items()
    }
    unlisted = next(row for row in tables["evidence"] if row["variable"] == "ecog")
    tables["evidence"].append({**unlisted, "usubjid": FURTHER, **_LONG})
    return replace(one, tables=tables, forms=forms)


_LONG: dict[str, Any] = {"evidence": 990, "variable": "unheard_of", "value": "told at length " * 40}


# What tells rows apart over the whole trial.
_NUMBERS = frozenset(
    {"allocation", "assessment", "baseline_scan", "comparison", "consent", "deviation"}
    | {"evaluation", "evidence", "finding", "first_scan", "pair", "read", "record_pk", "region"}
    | {"run", "scan", "second_scan", "series"}
)


def _again(name: str, rows: Any) -> list[dict[str, Any]]:
    found = [{**row, "usubjid": FURTHER} for row in rows if row["usubjid"] == SUBJECT]
    for row in found:
        row |= {key: row[key] + 5000 for key in _NUMBERS & row.keys() if isinstance(row[key], int)}
        if "reader" in row:
            row["reader"] = 3
        if name == "patients":
            row |= {"patient": "101-009", "enrolled_at": row["enrolled_at"] - timedelta(days=90)}
    return found


def in_parts(source: Source) -> Iterator[Source]:
    """One patient after the other."""
    readers = frozenset(
        row["reader"] for rows in source.tables.values() for row in rows if "reader" in row
    )
    for patient in source.rows("patients"):

        def mine(rows: Any, who: str = patient["usubjid"]) -> list[Row]:
            return [row for row in rows if row["usubjid"] == who]

        yield replace(
            source,
            tables={name: mine(rows) for name, rows in source.tables.items()},
            forms={name: FormRows(one.table, mine(one.rows)) for name, one in source.forms.items()},
            readers=readers,
        )


@pytest.fixture
def spill() -> Iterator[Spill]:
    found = Spill()
    yield found
    found.close()


def content(domains: tuple[sdtm.Domain, ...]) -> list[tuple[Any, list[tuple[Value, ...]]]]:
    return [(replace(one, rows=[]), list(one.rows)) for one in domains]


def made_in_parts(source: Source, spill: Spill) -> tuple[sdtm.Domain, ...]:
    submission = sdtm.Submission(source, spill.rows)
    for part in in_parts(source):
        submission.add(part)
    return submission.domains()


def test_domains_are_the_same_whether_patients_come_at_once_or_one_by_one(spill):
    source = of_two()
    at_once, found = sdtm.domains(source), made_in_parts(source, spill)
    assert content(found) == content(at_once)
    names = {one.name: one.names for one in found}
    # Neither would be told by a single patient: the longest comment, and all who read.
    assert "COVAL2" in names["CO"]
    assert {"READER 1", "READER 2"} <= {
        one["TREVALID"] for one in next(one for one in found if one.name == "TR").records()
    }


def test_what_spilled_can_be_read_by_two_at_a_time(spill):
    rows = spill.rows()
    rows.extend([("a", 1), ("b", None)])
    rows.extend([])
    rows.extend([("c", 2.5)])
    assert list(zip(rows, rows, strict=True)) == [(one, one) for one in rows]
    assert (len(rows), [one for one, _ in rows]) == (3, ["a", "b", "c"])


def test_analysis_datasets_are_the_same_whether_patients_come_at_once_or_one_by_one(spill):
    source = of_two()
    stated = populations.stated(source.definition)
    members = [
        Membership(who, "SAF", "", is_in=who == FURTHER, is_decided=who == FURTHER)
        for who in (SUBJECT, FURTHER)
    ]
    at_once = adam.datasets(sdtm.domains(source), Populations(stated, members))
    domains = made_in_parts(source, spill)
    found = adam.datasets(domains, Populations(stated, members), keep=spill.rows, patients=1)
    assert content(found) == content(at_once)
    flags = {one["USUBJID"]: one["SAFFL"] for one in found[0].records()}
    assert (flags[SUBJECT], flags[FURTHER]) == ("N", "Y")
