"""Criteria on the boundary, where evidence is missing, and where it is not precise enough."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trials import eligibility, spans
from trials.eligibility import Criterion
from trials.kleene import Truth, all_of, any_of
from trials.readings import Anchor, Consent, Fact, Record

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
_numbers = count(1)

ADULT = Criterion(
    "I1",
    "inclusion",
    "Age 18 or more",
    {"op": "ge", "var": "age_years", "at": "consent", "value": 18},
)
CONSENT = Criterion("I2", "inclusion", "Signed consent", {"op": "consent"})
LABS = {"anchor": "imaging", "from": "-P30D", "to": "PT0S"}
RENAL = Criterion(
    "E2",
    "exclusion",
    "eGFR below 30",
    {"op": "lt", "var": "egfr", "value": 30, "unit": "mL/min/1.73 m2", "window": LABS},
)
EGFR_OR_CLEARANCE = Criterion(
    "I7",
    "inclusion",
    "eGFR above 30 or creatinine clearance above 60",
    {
        "op": "any",
        "of": [
            {"op": "gt", "var": "egfr", "value": 30, "unit": "mL/min/1.73 m2", "window": LABS},
            {
                "op": "gt",
                "var": "creatinine_clearance",
                "value": 60,
                "unit": "mL/min",
                "window": LABS,
            },
        ],
    },
)
WASH_OUT = Criterion(
    "E3",
    "exclusion",
    "Anti-cancer therapy within one month before imaging",
    {
        "op": "occurred",
        "var": "therapy.anticancer",
        "window": {"anchor": "imaging", "from": "-P1M", "to": "PT0S"},
    },
)
NAIVE = Criterion(
    "I4",
    "inclusion",
    "Treatment-naive",
    {"op": "never", "var": "therapy.anticancer", "window": {"anchor": "imaging"}},
)
PREGNANCY = Criterion(
    "E1",
    "exclusion",
    "Pregnancy or breast-feeding",
    {
        "op": "any",
        "of": [
            {"op": "eq", "var": "pregnant", "value": True},
            {"op": "eq", "var": "breastfeeding", "value": True},
        ],
    },
    applies_to={"op": "eq", "var": "sex_at_birth", "value": "F"},
)
GLUCOSE = Criterion(
    "E5",
    "exclusion",
    "Plasma glucose above 200 mg/dL",
    {
        "op": "gt",
        "var": "glucose",
        "value": 200,
        "unit": "mg/dL",
        "window": {"anchor": "gate", "from": "-PT4H", "to": "PT0S"},
    },
    applies_to={"op": "eq", "var": "scan.tracer", "value": "FDG"},
    gate="pre_injection",
)


def fact(variable, value, unit="", *, at="2026-03-30", recorded=NOW, specific=False):
    return Fact(next(_numbers), variable, value, unit, at, recorded, "report", specific)


def record(*facts, consents=("2026-03-31T08:00+00:00",), zone=UTC, **changes):
    values = {
        "sex_at_birth": "F",
        "birth": "1961-04-23",
        "facts": facts,
        "consents": [Consent("1.0", one) for one in consents],
        "anchors": {
            "gate": Anchor(spans.moment(NOW)),
            **({"consent": Anchor(spans.span(consents[0], zone))} if consents else {}),
        },
        "zone": zone,
    }
    return Record(**values | changes)


def word(criterion, *facts, **changes):
    return eligibility.judge(criterion, record(*facts, **changes)).word


# Age at consent.


@pytest.mark.requirement("R63")
@pytest.mark.parametrize(
    ("birth", "signed", "expected"),
    [
        ("2008-03-31", "2026-03-31", "satisfied"),  # the 18th birthday
        ("2008-04-01", "2026-03-31", "excludes"),  # one day younger: 17 years, 364 days
        ("2008-03", "2026-03-31", "satisfied"),  # born by the 31st, all of March has turned 18
        ("2008-03", "2026-03-30", "cannot tell"),
        ("2008", "2026-03-31", "cannot tell"),
        ("2007", "2026-03-31", "satisfied"),
        ("2008-03-15", "2026-03", "cannot tell"),
        ("2008-02-29", "2026-02-28", "excludes"),  # completes the year on 1 March
        ("2008-02-29", "2026-03-01", "satisfied"),
    ],
)
def test_age_at_consent_is_told_where_the_dates_allow_it(birth, signed, expected):
    assert word(ADULT, birth=birth, consents=[signed]) == expected


def test_the_day_of_an_age_is_the_day_at_the_site():
    # 23:30 UTC on the eve of the birthday is already the birthday in Berlin.
    signed = ["2026-03-30T23:30+00:00"]
    assert word(ADULT, birth="2008-03-31", consents=signed) == "excludes"
    berlin = ZoneInfo("Europe/Berlin")
    assert word(ADULT, birth="2008-03-31", consents=signed, zone=berlin) == "satisfied"


def test_an_imprecise_age_says_what_would_settle_it():
    judged = eligibility.judge(ADULT, record(birth="2008", consents=["2026-03-31"]))
    assert judged.reason == (
        "Age: 17 to 18 years (born 2008; consent 2026-03-31); whether that is at least 18 years "
        "can't be told. Give the date of birth, or that of the consent, more precisely."
    )


def test_age_without_a_consent_is_provisional_at_the_assessment():
    judged = eligibility.judge(ADULT, record(consents=[]))
    assert (judged.word, judged.is_provisional) == ("satisfied", True)


def test_birth_dates_that_contradict_each_other_are_both_possible():
    contradiction = fact("birth_date", "2009-01-01")
    assert word(ADULT, contradiction, birth="1999-01-01") == "cannot tell"


# Kidney function.


@pytest.mark.requirement("R63")
@pytest.mark.parametrize(
    ("value", "excludes_below", "wants_above"),
    [
        (29.99, "excludes", "excludes"),
        (30, "satisfied", "excludes"),
        (30.01, "satisfied", "satisfied"),
        ("<30", "excludes", "excludes"),
        (">90", "satisfied", "satisfied"),
        (">15", "cannot tell", "cannot tell"),
    ],
)
def test_egfr_of_exactly_30_is_not_below_and_not_above(value, excludes_below, wants_above):
    egfr = fact("egfr", value, "mL/min/1.73 m2")
    clearance = fact("creatinine_clearance", 60, "mL/min")
    assert word(RENAL, egfr) == excludes_below
    assert word(EGFR_OR_CLEARANCE, egfr, clearance) == wants_above


def test_the_clearance_alone_can_satisfy_an_or():
    assert word(EGFR_OR_CLEARANCE, fact("creatinine_clearance", 70, "mL/min")) == "satisfied"


def test_an_or_without_any_evidence_cannot_be_told():
    assert word(EGFR_OR_CLEARANCE) == "cannot tell"


@pytest.mark.parametrize(("value", "unit"), [(2.0, "mg/dL"), (176.8, "µmol/L")])
def test_creatinine_counts_through_ckd_epi_2021(value, unit):
    # 2.0 mg/dL, 65 years, female: 27.2135 mL/min/1.73 m2 (R package nephro).
    judged = eligibility.judge(RENAL, record(fact("creatinine", value, unit), birth="1961-01-01"))
    found = judged.workings["expression"]["found"][0]
    assert judged.word == "excludes"
    assert found["compared"][0] == pytest.approx(27.2135, abs=5e-5)
    assert "CKD-EPI 2021" in judged.reason


def test_creatinine_of_unknown_sex_is_judged_over_both():
    # 2.1 mg/dL at 50: 28.1 in a woman, 37.6 in a man. 1.0: both far above 30.
    changes = {"sex_at_birth": "U", "birth": "1976-01-01"}
    assert word(RENAL, fact("creatinine", 2.1, "mg/dL"), **changes) == "cannot tell"
    assert word(RENAL, fact("creatinine", 1.0, "mg/dL"), **changes) == "satisfied"


def test_of_one_day_the_reported_egfr_counts_before_the_computed_one():
    reported, creatinine = fact("egfr", 45, "mL/min/1.73 m2"), fact("creatinine", 3.0, "mg/dL")
    judged = eligibility.judge(RENAL, record(reported, creatinine))
    assert (judged.word, judged.evidence) == ("satisfied", (reported.evidence,))


def test_a_newer_creatinine_counts_before_an_older_reported_egfr():
    reported = fact("egfr", 45, "mL/min/1.73 m2", at="2026-03-20")
    assert word(RENAL, reported, fact("creatinine", 3.0, "mg/dL")) == "excludes"


def test_cockcroft_gault_names_the_weight_it_used():
    # Born 1961-04-23, so 64: (140 - 64) * 60 / (72 * 0.9) * 0.85 = 59.8; by the eGFR 71 > 30.
    only = Criterion("I7", "inclusion", "CrCl above 60", EGFR_OR_CLEARANCE.expression["of"][1])
    judged = eligibility.judge(
        only, record(fact("creatinine", 0.9, "mg/dL"), fact("weight", 60, "kg"))
    )
    assert judged.word == "excludes"
    assert "59.81 mL/min by Cockcroft–Gault" in judged.reason
    assert "weight 60 kg" in judged.reason


@pytest.mark.parametrize("weight", [">60", "<80"])
def test_a_weight_that_is_only_a_limit_gives_no_clearance(weight):
    only = Criterion("I7", "inclusion", "CrCl above 60", EGFR_OR_CLEARANCE.expression["of"][1])
    facts = [fact("creatinine", 1.0, "mg/dL"), fact("weight", weight, "kg")]
    judged = eligibility.judge(only, record(*facts))
    assert judged.word == "cannot tell"
    assert "needs the weight itself" in judged.reason


def test_cockcroft_gault_without_a_weight_asks_for_it():
    only = Criterion("I7", "inclusion", "CrCl above 60", EGFR_OR_CLEARANCE.expression["of"][1])
    judged = eligibility.judge(only, record(fact("creatinine", 0.9, "mg/dL")))
    assert judged.word == "cannot tell"
    assert "needs the weight" in judged.reason


def test_an_impossible_value_cannot_be_judged_until_it_is_corrected():
    judged = eligibility.judge(RENAL, record(fact("creatinine", 0, "mg/dL")))
    assert judged.word == "cannot tell"
    assert "correct it" in judged.reason


# Windows: which evidence counts.


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-01", "satisfied"),  # 30 days before the 31st, a closed end
        ("2026-02-28", "cannot tell"),
        ("2026-03", "satisfied"),
        ("2026", "cannot tell"),
        ("2026-04-01", "cannot tell"),  # after the anchor
    ],
)
def test_only_evidence_within_the_window_counts(at, expected):
    assert word(RENAL, fact("egfr", 80, "mL/min/1.73 m2", at=at)) == expected


def test_the_newest_value_in_the_window_counts():
    older = fact("egfr", 80, "mL/min/1.73 m2", at="2026-03-10")
    newer = fact("egfr", 20, "mL/min/1.73 m2", at="2026-03-20")
    assert word(RENAL, older, newer) == "excludes"
    assert word(RENAL, newer, older) == "excludes"


def test_two_values_of_one_day_that_differ_in_effect_need_their_times():
    high, low = (fact("egfr", value, "mL/min/1.73 m2") for value in (80, 20))
    assert word(RENAL, high, low) == "cannot tell"
    timed = fact("egfr", 80, "mL/min/1.73 m2", at="2026-03-30T23:59+00:00")
    earlier = fact("egfr", 20, "mL/min/1.73 m2", at="2026-03-30T07:00+00:00")
    assert word(RENAL, timed, earlier) == "satisfied"


def test_a_value_of_today_without_a_time_counts_when_it_was_recorded_by_now():
    assert word(RENAL, fact("egfr", 80, "mL/min/1.73 m2", at="2026-03-31")) == "satisfied"


def test_a_day_recorded_after_the_injection_may_be_after_it():
    late = fact("egfr", 80, "mL/min/1.73 m2", at="2026-03-31", recorded=NOW + timedelta(hours=1))
    assert word(RENAL, late) == "cannot tell"


@pytest.mark.parametrize("basis", ["planned", "assessment"])
def test_a_window_before_a_time_that_is_not_actual_is_provisional(basis):
    anchors = {
        "gate": Anchor(spans.moment(NOW)),
        "imaging": Anchor(spans.moment(NOW), basis),
    }
    egfr = fact("egfr", 80, "mL/min/1.73 m2")
    assert eligibility.judge(RENAL, record(egfr, anchors=anchors)).is_provisional
    actual = anchors | {"imaging": Anchor(spans.moment(NOW))}
    assert not eligibility.judge(RENAL, record(egfr, anchors=actual)).is_provisional


# Therapies.


def history(*events, at="2026-03-31"):
    return fact("therapy.anticancer", list(events), at=at)


@pytest.mark.requirement("R63")
@pytest.mark.parametrize(
    ("stopped", "expected"),
    [
        ("2026-02-27", "satisfied"),  # one calendar month before 31 March is 28 February
        ("2026-02-28", "excludes"),
        ("2026-03-01", "excludes"),
        ("2026-02", "cannot tell"),
        ("2026", "cannot tell"),
        ("2025", "satisfied"),
    ],
)
def test_the_wash_out_is_a_calendar_month_clamped(stopped, expected):
    assert (
        word(
            WASH_OUT, history({"name": "rituximab", "stopped_on": stopped, "started_on": "2025-01"})
        )
        == expected
    )


def test_a_therapy_that_goes_on_overlaps_the_wash_out():
    assert word(WASH_OUT, history({"name": "ibrutinib", "started_on": "2024"})) == "excludes"


def test_no_therapy_at_all_has_to_be_said():
    assert word(WASH_OUT) == "cannot tell"
    assert word(WASH_OUT, fact("therapy.anticancer", None)) == "cannot tell"
    assert word(WASH_OUT, history()) == "satisfied"


def test_a_therapy_of_a_year_leaves_treatment_naive_open_within_it():
    anchors = {"gate": Anchor(spans.moment(NOW)), "imaging": Anchor(spans.span("2025-03-10", UTC))}
    taken = history({"name": "rituximab", "started_on": "2025", "stopped_on": "2025"})
    assert word(NAIVE, taken, anchors=anchors) == "cannot tell"
    earlier = history({"name": "rituximab", "started_on": "2024", "stopped_on": "2024"})
    assert word(NAIVE, earlier, anchors=anchors) == "excludes"


def test_criteria_of_sources_that_disagree_do_not_exclude_alone():
    pair = [
        Criterion(**{**_fields(NAIVE), "conflicts_with": ("E3",)}),
        Criterion(**{**_fields(WASH_OUT), "conflicts_with": ("I4",)}),
    ]
    long_ago = history({"name": "rituximab", "started_on": "2020", "stopped_on": "2020"})
    recent = history({"name": "rituximab", "started_on": "2026-03-10", "stopped_on": "2026-03-10"})
    words = {
        name: [one.word for one in eligibility.judge_all(pair, record(told)).values()]
        for name, told in {"long ago": long_ago, "recent": recent, "never": history()}.items()
    }
    assert words == {
        "long ago": ["cannot tell", "satisfied"],
        "recent": ["excludes", "excludes"],
        "never": ["satisfied", "satisfied"],
    }


def _fields(criterion):
    return {name: getattr(criterion, name) for name in Criterion.__slots__}


# Pregnancy.


def test_pregnancy_applies_to_female_sex_at_birth_only():
    assert word(PREGNANCY, sex_at_birth="M") == "not applicable"
    assert word(PREGNANCY, sex_at_birth="F") == "cannot tell"
    assert word(PREGNANCY, sex_at_birth="U") == "cannot tell"


def test_sex_that_registration_and_evidence_contradict_is_unknown():
    assert word(PREGNANCY, fact("sex_at_birth", "M"), sex_at_birth="F") == "cannot tell"


@pytest.mark.parametrize(
    ("pregnant", "breastfeeding", "expected"),
    [
        (False, False, "satisfied"),
        (True, None, "excludes"),
        (None, True, "excludes"),
        (False, None, "cannot tell"),
        (None, None, "cannot tell"),
    ],
)
def test_pregnancy_or_breast_feeding_excludes_and_silence_does_not_clear(
    pregnant, breastfeeding, expected
):
    facts = [fact("pregnant", pregnant), fact("breastfeeding", breastfeeding)]
    assert word(PREGNANCY, *facts) == expected


def test_both_answers_no_clear_a_patient_of_unknown_sex():
    facts = [fact("pregnant", False), fact("breastfeeding", False)]
    assert word(PREGNANCY, *facts, sex_at_birth="U") == "satisfied"


# Glucose.


@pytest.mark.requirement("R63")
@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (200, "mg/dL", "satisfied"),
        (201, "mg/dL", "excludes"),
        (11.1, "mmol/L", "satisfied"),  # 199.97 mg/dL, not rounded before it is compared
        (11.2, "mmol/L", "excludes"),
    ],
)
def test_glucose_is_compared_unrounded_in_the_unit_of_the_limit(value, unit, expected):
    measured = fact("glucose", value, unit, at="2026-03-31T11:00+00:00")
    assert word(GLUCOSE, measured, tracer="FDG") == expected


def test_glucose_is_asked_of_the_fdg_scan_alone():
    assert word(GLUCOSE, tracer="PTF") == "not applicable"
    assert word(GLUCOSE, tracer="FDG") == "cannot tell"


def test_a_scan_that_fails_is_rescheduled_and_the_patient_stays():
    measured = fact("glucose", 250, "mg/dL", at="2026-03-31T11:00+00:00")
    judged = eligibility.judge(GLUCOSE, record(measured, tracer="FDG"))
    assert "Reschedule this scan" in judged.reason
    assert judged.reason.startswith(
        "Plasma glucose: 250 mg/dL (2026-03-31T11:00+00:00, report), which is above 200 mg/dL."
    )


@pytest.mark.parametrize("at", ["2026-03-31T07:59+00:00", "2026-03-31T12:01+00:00", "2026-03-31"])
def test_a_glucose_not_surely_of_the_last_four_hours_does_not_count(at):
    late = NOW + timedelta(hours=1)
    measured = fact("glucose", 100, "mg/dL", at=at, recorded=late)
    assert word(GLUCOSE, measured, tracer="FDG") == "cannot tell"


# Consent.


@pytest.mark.requirement("R63")
@pytest.mark.parametrize(
    ("signed", "procedure", "expected"),
    [
        ("2026-03-30T08:00:01+00:00", "2026-03-30T08:00:00+00:00", "excludes"),
        ("2026-03-30T08:00:00+00:00", "2026-03-30T08:00:00+00:00", "satisfied"),
        ("2026-03-30", "2026-03-30", "cannot tell"),
        ("2026-03-30", "2026-03-30T10:00+00:00", "cannot tell"),
        ("2026-03-30", "2026-03-31", "satisfied"),
        ("2026-03-30", "2026-03-29", "excludes"),
    ],
)
def test_no_study_specific_procedure_before_consent(signed, procedure, expected):
    done = fact("creatinine", 1.0, "mg/dL", at=procedure, specific=True)
    assert word(CONSENT, done, consents=[signed]) == expected


def test_standard_of_care_may_be_older_than_consent():
    assert word(CONSENT, fact("creatinine", 1.0, "mg/dL", at="2026-01-01")) == "satisfied"


def test_study_specific_evidence_before_consent_is_flagged_where_it_is_used():
    early = fact("egfr", 80, "mL/min/1.73 m2", at="2026-03-20", specific=True)
    judged = eligibility.judge(RENAL, record(early))
    assert "study-specific and before consent" in judged.reason


def test_a_withdrawn_consent_no_longer_stands():
    withdrawn = Consent("1.0", "2026-03-01", withdrawn_at=NOW)
    assert word(CONSENT, consents=[]) == "cannot tell"
    judged = eligibility.judge(CONSENT, Record(**_record_fields() | {"consents": [withdrawn]}))
    assert judged.word == "excludes"


def test_a_consent_of_another_version_does_not_stand():
    asked = Criterion("I2", "inclusion", "Consent 2.0", {"op": "consent", "versions": ["2.0"]})
    judged = eligibility.judge(asked, record())
    assert (judged.word, "Expected is version 2.0." in judged.reason) == ("excludes", True)


def _record_fields():
    plain = record()
    return {one.name: getattr(plain, one.name) for one in fields(Record) if one.init}


def test_a_list_cut_off_in_its_source_excludes_nobody_and_clears_whom_it_names():
    cut_off = Criterion(
        "I8",
        "inclusion",
        "Planned induction based on methotrexate, or …",
        {
            "op": "any",
            "of": [
                {"op": "in", "var": "therapy.planned_induction", "value": ["HD_MTX_based"]},
                {"op": "unstated", "text": "the rest of the list"},
            ],
        },
    )
    assert word(cut_off, fact("therapy.planned_induction", "HD_MTX_based")) == "satisfied"
    assert word(cut_off, fact("therapy.planned_induction", "other")) == "cannot tell"


# The gate as a whole.


def test_one_true_exclusion_decides_although_the_rest_is_missing():
    pregnant = record(fact("pregnant", True), consents=[])
    judged = eligibility.judge_all([ADULT, CONSENT, RENAL, PREGNANCY], pregnant)
    assert eligibility.verdict(judged.values()) == "ineligible"


def test_one_open_criterion_keeps_the_gate_open():
    judged = eligibility.judge_all([ADULT, RENAL], record())
    assert eligibility.verdict(judged.values()) == "not_evaluable"


def test_an_exclusion_that_is_met_excludes_and_an_inclusion_that_is_met_satisfies():
    pregnant = eligibility.judge(PREGNANCY, record(fact("pregnant", True)))
    adult = eligibility.judge(ADULT, record())
    assert (pregnant.outcome, pregnant.word) == ("met", "excludes")
    assert (adult.outcome, adult.word) == ("met", "satisfied")


# Properties.

truths = st.sampled_from(list(Truth))


@given(st.lists(truths), st.integers(min_value=0), st.sampled_from([Truth.YES, Truth.NO]))
def test_an_answer_to_what_was_open_never_turns_yes_into_no(values, at, learnt):
    open_ones = [i for i, value in enumerate(values) if value is Truth.UNKNOWN]
    better = list(values)
    if open_ones:
        better[open_ones[at % len(open_ones)]] = learnt
    for rule in (all_of, any_of):
        assert rule(values) in {Truth.UNKNOWN, rule(better)}


@given(st.lists(truths))
def test_all_and_any_are_each_other_s_mirror(values):
    assert all_of(values) is ~any_of(~value for value in values)


days = st.dates(min_value=date(2006, 1, 1), max_value=date(2010, 12, 31))


@given(born=days, signed=st.dates(min_value=date(2025, 1, 1), max_value=date(2026, 3, 31)))
def test_a_more_precise_birth_date_never_flips_a_decided_age(born, signed):
    text = born.isoformat()
    words = [
        word(ADULT, birth=text[:length], consents=[signed.isoformat()]) for length in (4, 7, 10)
    ]
    exact = words[-1]
    assert exact != "cannot tell"
    assert all(one in {"cannot tell", exact} for one in words)


@given(stopped=st.dates(min_value=date(2025, 1, 1), max_value=date(2026, 3, 31)))
def test_a_more_precise_therapy_date_never_flips_a_decided_wash_out(stopped):
    words = [
        word(
            WASH_OUT,
            history(
                {"name": "x", "started_on": "2024", "stopped_on": stopped.isoformat()[:length]}
            ),
        )
        for length in (4, 7, 10)
    ]
    assert all(one in {"cannot tell", words[-1]} for one in words)


@given(days=st.floats(min_value=-100, max_value=100), value=st.floats(min_value=1, max_value=150))
def test_evidence_outside_the_window_changes_nothing(days, value):
    at = NOW + timedelta(days=days)
    assume(not datetime(2026, 3, 1, tzinfo=UTC) <= at <= NOW)
    inside = fact("egfr", 80, "mL/min/1.73 m2", at="2026-03-15T08:00+00:00")
    late = NOW + timedelta(days=101)
    more = fact("egfr", value, "mL/min/1.73 m2", at=at.isoformat(), recorded=late)
    alone = eligibility.judge(RENAL, record(inside))
    assert eligibility.judge(RENAL, record(inside, more)) == alone


@given(low=st.floats(0, 100), width=st.floats(0, 50), limit=st.floats(0, 150))
def test_a_comparison_is_certain_exactly_when_both_ends_agree(low, width, limit):
    high = low + width
    for operator, holds in {
        "gt": lambda x: x > limit,
        "ge": lambda x: x >= limit,
        "lt": lambda x: x < limit,
        "le": lambda x: x <= limit,
    }.items():
        ends = {holds(low), holds(high)}
        expected = Truth.known(ends.pop()) if len(ends) == 1 else Truth.UNKNOWN
        assert eligibility.compared(operator, low, high, limit) is expected
