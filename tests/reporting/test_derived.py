"""Values that nobody entered, by their rules."""

from __future__ import annotations

import doctest

import pytest

from reporting import csvtext, derived
from trials.variables import VARIABLES


@pytest.mark.parametrize(
    ("birth", "at", "years"),
    [
        ("1961-04-23", "2026-04-22", 64),
        ("1961-04-23", "2026-04-23", 65),
        ("1961-04-23", "2026-04-23T00:10:00+02:00", 65),
        # Born on a leap day: the year is completed on 1 March where there is no 29 February.
        ("2000-02-29", "2026-02-28", 25),
        ("2000-02-29", "2026-03-01", 26),
        # As precise as needed: the month tells, or it does not.
        ("1961-04", "2026-03", 64),
        ("1961-04", "2026-05", 65),
        ("1961-04", "2026-04-15", None),
        ("1961", "2026-07-01", None),
        ("1961", "2026-12-31", 65),
        ("1961-01-01", "2026", 65),
        ("1961-04-23", None, None),
    ],
)
def test_the_age_is_told_only_where_the_dates_leave_one_answer(birth, at, years):
    assert derived.age_years(birth, at) == years


@pytest.mark.parametrize(
    ("dates", "first"),
    [
        # 22:45 and 23:30 in Greenwich, the offsets hide their order.
        (["2026-03-31T23:30:00+00:00", "2026-04-01T00:45:00+02:00"], "2026-04-01T00:45:00+02:00"),
        # A moment that Greenwich has a day earlier is of the day after, on which a day begins.
        (["2026-03-31T23:30:00+00:00", "2026-04-01"], "2026-04-01"),
        (["2026-03", "2026-03-01"], "2026-03"),
        ([], None),
    ],
)
def test_the_first_consent_is_the_earliest_moment_and_not_the_smallest_text(dates, first):
    assert derived.earliest(dates, "Europe/Berlin") == first
    assert derived.earliest(dates[::-1], "Europe/Berlin") == first


@pytest.mark.parametrize(
    ("category", "word", "answer"),
    [
        ("inclusion", "satisfied", "Y"),
        ("inclusion", "excludes", "N"),
        ("exclusion", "satisfied", "N"),
        ("exclusion", "excludes", "Y"),
        ("inclusion", "cannot tell", None),
        ("exclusion", "not applicable", None),
    ],
)
def test_the_checklist_answer_says_whether_the_statement_holds(category, word, answer):
    assert derived.checklist_answer(category, word) == answer


@pytest.mark.parametrize(
    ("variable", "value", "text", "number"),
    [
        ("creatinine", 0.9, "0.9", 0.9),
        ("lesions.measurable_count", 3, "3", 3.0),
        ("egfr", ">90", ">90", None),
        ("pregnant", False, "N", None),
        ("pregnant", None, None, None),
        ("therapy.anticancer", [], "[]", None),
        (
            "therapy.anticancer",
            [{"stopped_on": "2026-01", "name": "R-CHOP"}],
            '[{"name": "R-CHOP", "stopped_on": "2026-01"}]',
            None,
        ),
        ("birth_date", "1961-04-23", "1961", None),
    ],
)
def test_evidence_keeps_its_value_and_loses_the_day_of_birth(variable, value, text, number):
    assert derived.evidence_text(variable, value) == text
    assert derived.evidence_number(value) == number


def test_the_day_of_birth_is_known_by_the_name_evidence_is_recorded_under():
    assert set(VARIABLES) >= derived.YEAR_ONLY
    assert set(VARIABLES) >= set(derived.CDISC_CODES)
    # Other dates are those of procedures, as precise as every time of an observation.
    dates = {name for name, variable in VARIABLES.items() if variable.kind == "date"}
    assert {name for name in dates if "birth" in name} == derived.YEAR_ONLY


@pytest.mark.parametrize("module", [csvtext, derived])
def test_the_examples_in_the_docstrings_are_true(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
