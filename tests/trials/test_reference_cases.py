"""The boundary cases of the protocols, one row each, on the criteria the product ships.

Each row is a sentence of the reference that the five trials were read from, with what it
expects; where the reference was corrected since (a gate of its own for each scan, evidence of
standard care before consent), the row says how. What a row does not name is missing.
"""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path

import pytest

from tests.trials.judging import NOW, fact
from trials import eligibility, protocol, spans, variables
from trials.eligibility import Criterion
from trials.readings import Anchor, Consent, Record

FOLDER = Path(protocol.__file__).parent
SCHEMA = json.loads((FOLDER / "protocol.schema.json").read_text())
MET, NOT_MET, OPEN, NOT_ASKED = "satisfied", "excludes", "cannot tell", "not applicable"
PENTIXAFOR, LYMFOR, CNS = "NCT05093335", "NCT06125028", "NCT05222269"
GFR = "mL/min/1.73 m2"


def criterion(trial, identifier):
    """A criterion as the shipped file of a trial has it."""
    text = (FOLDER / "definitions" / f"{trial}.yaml").read_text()
    rows = protocol.parse(text, schema=SCHEMA)["criteria"]
    row = next(one for one in rows if one["identifier"] == identifier)
    return Criterion(
        identifier,
        row["category"],
        row["text"],
        row["expression"],
        applies_to=row.get("applies_to"),
        gate=row["gate"],
    )


def record(*facts, signed="2026-03-31T08:00+00:00", at=None, **changes):
    anchors = {"gate": Anchor(spans.moment(NOW)), "consent": Anchor(spans.span(signed, UTC))}
    if at:
        anchors["imaging"] = Anchor(spans.span(at, UTC))
    given = {
        "sex_at_birth": "F",
        "birth": "1961-04-23",
        "facts": facts,
        "consents": [Consent("1.0", signed)],
        "anchors": anchors,
        "zone": UTC,
    }
    return Record(**given | changes)


def glucose(value, unit="mmol/L"):
    return fact("glucose", value, unit, "2026-03-31T11:00+00:00")


def egfr(value):
    return fact("egfr", value, GFR)


def clearance(value):
    return fact("creatinine_clearance", value, "mL/min")


def therapy(*events, at="2026-03-31"):
    return fact("therapy.anticancer", list(events), "", at)


def procedure(at):
    return fact("creatinine", 1.0, "mg/dL", at, is_study_specific=True)


YEAR = {"name": "rituximab", "started_on": "2025", "stopped_on": "2025"}
FDG, PTF = {"tracer": "FDG"}, {"tracer": "PTF"}

# The sentence; trial and criterion; evidence; what else differs; what is expected.
CASES = [
    ("11.1 mmol/L, limit above 200 mg/dL", LYMFOR, "E3", [glucose(11.1)], FDG, MET),
    ("11.2 mmol/L, limit above 200 mg/dL", LYMFOR, "E3", [glucose(11.2)], FDG, NOT_MET),
    ("200 mg/dL is not above 200", LYMFOR, "E3", [glucose(200, "mg/dL")], FDG, MET),
    ("200.01 is, unrounded", LYMFOR, "E3", [glucose(200.01, "mg/dL")], FDG, NOT_MET),
    ("glucose missing, the tracer is Pentixafor", LYMFOR, "E3", [], PTF, NOT_ASKED),
    ("glucose missing, the tracer is FDG", LYMFOR, "E3", [], FDG, OPEN),
    ("eGFR of exactly 30, excluded below 30", PENTIXAFOR, "E2", [egfr(30)], {}, MET),
    ("eGFR of exactly 30, wanted above 30", LYMFOR, "I7", [egfr(30), clearance(60)], {}, NOT_MET),
    ("the clearance branch may rescue it", LYMFOR, "I7", [egfr(30), clearance(60.1)], {}, MET),
    ("without the clearance it stays open", LYMFOR, "I7", [egfr(30)], {}, OPEN),
    ("creatinine missing, clearance 70", LYMFOR, "I7", [clearance(70)], {}, MET),
    ("both missing", LYMFOR, "I7", [], {}, OPEN),
    (
        "consent a second after a study-specific procedure",
        LYMFOR,
        "I1",
        [procedure("2026-03-31T08:00:00+00:00")],
        {"signed": "2026-03-31T08:00:01+00:00"},
        NOT_MET,
    ),
    (
        "consent by date only, a procedure of the same day",
        LYMFOR,
        "I1",
        [procedure("2026-03-31T08:00:00+00:00")],
        {"signed": "2026-03-31"},
        OPEN,
    ),
    (
        # Corrected: the rule is about study-specific procedures; standard of care is legitimate.
        "standard of care a second before consent",
        LYMFOR,
        "I1",
        [fact("creatinine", 1.0, "mg/dL", "2026-03-31T08:00:00+00:00")],
        {"signed": "2026-03-31T08:00:01+00:00"},
        MET,
    ),
    ("18th birthday on the day of consent", LYMFOR, "I2", [], {"birth": "2008-03-31"}, MET),
    ("one day younger", LYMFOR, "I2", [], {"birth": "2008-04-01"}, NOT_MET),
    (
        "the birth month only, in the month of the birthday",
        LYMFOR,
        "I2",
        [],
        {"birth": "2008-03", "signed": "2026-03-15"},
        OPEN,
    ),
    (
        # More than the reference: on its last day, everybody born in the month has turned 18.
        "the birth month only, on the last day of it",
        LYMFOR,
        "I2",
        [],
        {"birth": "2008-03", "signed": "2026-03-31"},
        MET,
    ),
    (
        'therapy of "2025", treatment-naive before 2025-03-10',
        LYMFOR,
        "I4",
        [therapy(YEAR)],
        {"at": "2025-03-10"},
        OPEN,
    ),
    ("a history that was never asked is open", LYMFOR, "I4", [], {"at": "2026-03-31"}, OPEN),
    ('an asserted "none" is false', LYMFOR, "I4", [therapy()], {"at": "2026-03-31"}, MET),
    (
        "a month before 31 March is 28 February, closed",
        LYMFOR,
        "E2",
        [therapy({"name": "x", "started_on": "2026-02-28", "stopped_on": "2026-02-28"})],
        {"at": "2026-03-31"},
        NOT_MET,
    ),
    (
        "and the day before that is outside, though 30 days would be 1 March",
        LYMFOR,
        "E2",
        [therapy({"name": "x", "started_on": "2026-02-27", "stopped_on": "2026-02-27"})],
        {"at": "2026-03-31"},
        MET,
    ),
    (
        "what goes on overlaps the wash-out",
        LYMFOR,
        "E2",
        [therapy({"name": "x", "started_on": "2024"})],
        {"at": "2026-03-31"},
        NOT_MET,
    ),
    ('"<30" is all below', PENTIXAFOR, "E2", [egfr("<30")], {}, NOT_MET),
    ('"<31" straddles the limit', PENTIXAFOR, "E2", [egfr("<31")], {}, OPEN),
    ('a reported ">90" is accepted', PENTIXAFOR, "E2", [egfr(">90")], {}, MET),
    ("pregnancy is asked of female sex at birth", PENTIXAFOR, "E1", [], {}, OPEN),
    ("and of nobody else", PENTIXAFOR, "E1", [], {"sex_at_birth": "M"}, NOT_ASKED),
    (
        "whether it applies is unknown and it is not cleared",
        PENTIXAFOR,
        "E1",
        [],
        {"sex_at_birth": "U"},
        OPEN,
    ),
]


@pytest.mark.requirement("R63")
@pytest.mark.parametrize(
    ("trial", "identifier", "facts", "changes", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_the_boundary_case_comes_out_as_the_reference_says(
    trial, identifier, facts, changes, expected
):
    asked = criterion(trial, identifier)
    assert eligibility.judge(asked, record(*facts, **changes)).word == expected


def test_one_true_exclusion_and_the_rest_missing_is_ineligible():
    asked = [criterion(PENTIXAFOR, one) for one in ("I1", "I2", "I3", "I4", "E1", "E2", "E3")]
    of = record(fact("pregnant", True), fact("breastfeeding", None))
    judged = eligibility.judge_all(asked, of)
    assert {one.word for one in judged.values()} >= {OPEN, NOT_MET}
    assert eligibility.verdict(judged.values()) == "ineligible"


def test_without_that_exclusion_the_same_is_not_evaluable():
    asked = [criterion(PENTIXAFOR, one) for one in ("I1", "I2", "I3", "I4", "E2", "E3")]
    judged = eligibility.judge_all(asked, record())
    assert eligibility.verdict(judged.values()) == "not_evaluable"


# 11.1 mmol/L by the molar mass of glucose: 18.0156 mg/dL each.
def test_glucose_converts_by_its_molar_mass():
    found = variables.converted("glucose", 11.1, frm="mmol/L", to="mg/dL")
    assert found == pytest.approx(199.97, abs=0.005)


# CKD-EPI 2021, as the R package nephro gives it. The reference divides µmol/L by 88.42; by the
# molar mass, 113.12 g/mol, 1 mg/dL is 88.40 µmol/L, which laboratories print and we use.
CKD_EPI = [
    (1.0, 50, "F", 68.6335),
    (1.0, 50, "M", 91.6915),
    (2.0, 65, "F", 27.2135),
    (0.6, 30, "F", 123.7579),
    (0.9, 40, "M", 110.7256),
]


@pytest.mark.parametrize(("creatinine", "age", "sex", "expected"), CKD_EPI)
def test_ckd_epi_2021_by_the_record(creatinine, age, sex, expected):
    for value, unit in ((creatinine, "mg/dL"), (creatinine * 88.4, "µmol/L")):
        born = f"{2026 - age}-01-01"
        of = record(fact("creatinine", value, unit), sex_at_birth=sex, birth=born)
        found = eligibility.judge(criterion(PENTIXAFOR, "E2"), of).workings["expression"]["found"]
        assert found[0]["compared"][0] == pytest.approx(expected, abs=5e-5)


# Glucose belongs to the day of the FDG scan; a failure reschedules it and excludes nobody.
def test_glucose_is_a_criterion_of_a_scan_and_never_of_enrolment():
    asked = criterion(LYMFOR, "E3")
    judged = eligibility.judge(asked, record(glucose(12), **FDG))
    assert (asked.gate, judged.word) == ("per_scan", NOT_MET)
    assert "Reschedule this scan" in judged.reason


# An allogeneic transplantation has to lie more than 12 months before, the 72 hours are closed.
def gap(start, end):
    asked = Criterion(
        "I6",
        "inclusion",
        "Induction within 72 h after the scan",
        {"op": "before", "a": "imaging", "b": "therapy.induction_start", "max_gap": "PT72H"},
    )
    anchors = {
        "gate": Anchor(spans.moment(NOW)),
        "imaging": Anchor(spans.span(start, UTC)),
        "therapy.induction_start": Anchor(spans.span(end, UTC)),
    }
    return eligibility.judge(asked, record(anchors=anchors)).word


def test_an_induction_at_72_hours_is_within_and_a_second_later_is_not():
    begun = "2026-03-20T08:00:00+00:00"
    assert gap(begun, "2026-03-23T08:00:00+00:00") == MET
    assert gap(begun, "2026-03-23T08:00:01+00:00") == NOT_MET
    assert gap(begun, begun) != MET


def test_an_age_from_a_birth_month_is_two_ages():
    found = spans.completed_years(spans.span("2007-03", UTC), spans.span("2025-03-10", UTC), UTC)
    assert found == (17, 18)
