"""Every operator of the rule language: at its limit, without evidence, and not precise enough."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from tests.trials.judging import NOW, criterion, fact, planned, record, word
from trials import eligibility, spans
from trials.kleene import Truth, all_of, any_of
from trials.readings import Anchor, Consent

ULN = {"reference_low": 5.0, "reference_high": 35.0}
ECOG = {"op": "le", "var": "ecog", "value": 2}
AST = {"op": "le_uln", "var": "ast", "factor": 3}
YES, NO, UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN


# HL7 CQL 1.5, CqlLogicalOperatorsTest: the tables of And, Or and Not.
@pytest.mark.parametrize(
    ("one", "other", "conjunction", "disjunction"),
    [
        (YES, YES, YES, YES),
        (YES, NO, NO, YES),
        (YES, UNKNOWN, UNKNOWN, YES),
        (NO, YES, NO, YES),
        (NO, NO, NO, NO),
        (NO, UNKNOWN, NO, UNKNOWN),
        (UNKNOWN, YES, UNKNOWN, YES),
        (UNKNOWN, NO, NO, UNKNOWN),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_and_and_or_are_those_of_cql(one, other, conjunction, disjunction):
    assert (all_of([one, other]), any_of([one, other])) == (conjunction, disjunction)


def test_not_is_that_of_cql():
    assert [~YES, ~NO, ~UNKNOWN] == [NO, YES, UNKNOWN]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0, 100), "satisfied"),
        ((3, 100), "cannot tell"),
        ((3, None), "excludes"),
    ],
)
def test_at_least_n_counts_what_holds_and_what_may(values, expected):
    ecog, karnofsky = values
    rule = {
        "op": "at_least",
        "n": 2,
        "of": [
            ECOG,
            {"op": "ge", "var": "karnofsky", "value": 70},
            {"op": "attested", "var": "gilbert"},
        ],
    }
    facts = [fact("ecog", ecog), fact("karnofsky", karnofsky)]
    if expected == "satisfied":
        assert word(rule, *facts) == expected
    elif karnofsky is None:
        known_no = fact("gilbert", False)
        assert word(rule, facts[0], fact("karnofsky", 50), known_no) == expected
    else:
        assert word(rule, *facts) == expected


def test_a_numeric_zero_is_a_value():
    assert word(ECOG, fact("ecog", 0)) == "satisfied"
    assert (
        word(
            {"op": "ge", "var": "lesions.measurable_count", "value": 1},
            fact("lesions.measurable_count", 0),
        )
        == "excludes"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [(17.99, "excludes"), (18, "satisfied"), (30, "satisfied"), (30.01, "excludes")],
)
def test_between_includes_both_ends(value, expected):
    rule = {"op": "between", "var": "glucose", "low": 18, "high": 30, "unit": "mmol/L"}
    assert word(rule, fact("glucose", value, "mmol/L")) == expected


def test_age_between_two_limits_is_told_from_the_birth_date():
    rule = {"op": "between", "var": "age_years", "low": 18, "high": 64}
    assert word(rule) == "satisfied"
    assert word(rule, birth="1961-03-31") == "excludes"


@pytest.mark.parametrize(
    ("value", "expected"), [(105, "satisfied"), (105.1, "excludes"), ("<40", "satisfied")]
)
def test_a_multiple_of_the_upper_limit_is_that_of_the_laboratory(value, expected):
    assert word(AST, fact("ast", value, "U/L", details=ULN)) == expected


def test_without_the_limit_of_normal_a_multiple_of_it_cannot_be_told():
    judged = eligibility.judge(criterion(AST), record(fact("ast", 20, "U/L")))
    assert (judged.word, "limits of normal" in judged.reason) == ("cannot tell", True)


def test_at_least_the_lower_limit_of_normal():
    rule = {"op": "ge_lln", "var": "hemoglobin", "factor": 1}
    given = {"reference_low": 12.0, "reference_high": 16.0}
    assert word(rule, fact("hemoglobin", 12, "g/dL", details=given)) == "satisfied"
    assert word(rule, fact("hemoglobin", 11.9, "g/dL", details=given)) == "excludes"


def test_gilbert_allows_three_times_the_limit():
    rule = {
        "op": "any",
        "of": [
            {"op": "le_uln", "var": "bilirubin_total", "factor": 1.5},
            {
                "op": "all",
                "of": [
                    {"op": "attested", "var": "gilbert"},
                    {"op": "le_uln", "var": "bilirubin_total", "factor": 3},
                ],
            },
        ],
    }
    twice = fact("bilirubin_total", 2.4, "mg/dL", details={"reference_high": 1.2})
    assert word(rule, twice) == "cannot tell"
    assert word(rule, twice, fact("gilbert", True)) == "satisfied"
    assert word(rule, twice, fact("gilbert", False)) == "excludes"


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("latest", "satisfied"),
        ("first", "excludes"),
        ("any", "satisfied"),
        ("all", "excludes"),
        ("worst", "excludes"),
    ],
)
def test_which_of_several_results_counts_is_said_by_the_rule(select, expected):
    results = [fact("ecog", 3, at="2026-03-02"), fact("ecog", 1, at="2026-03-20")]
    assert word(ECOG | {"select": select}, *results) == expected


def test_the_worst_result_of_an_exclusion_is_the_one_that_excludes():
    rule = {"op": "gt", "var": "sbp", "value": 150, "unit": "mmHg", "select": "worst"}
    results = [fact("sbp", 160, "mmHg", at="2026-03-02"), fact("sbp", 120, "mmHg")]
    assert word(rule, *results, category="exclusion") == "excludes"


def test_any_result_that_may_lie_outside_the_window_settles_nothing():
    window = {"anchor": "gate", "from": "-P7D", "to": "PT0S"}
    rule = ECOG | {"select": "any", "window": window}
    early = fact("ecog", 1, at="2026-03")
    assert word(rule, early, fact("ecog", 3)) == "cannot tell"


@pytest.mark.parametrize(
    ("stopped", "expected"),
    [
        ("2025-03-30", "satisfied"),
        ("2025-03-31", "excludes"),
        ("2025-03", "cannot tell"),
        (None, "excludes"),
    ],
)
def test_more_than_twelve_months_since_is_strict(stopped, expected):
    rule = {"op": "time_since_gt", "var": "history.allogeneic_sct", "value": "P12M"}
    event = {"name": "SCT", "started_on": "2020-01-01"}
    event |= {"stopped_on": stopped} if stopped else {}
    assert word(rule, fact("history.allogeneic_sct", [event])) == expected


INDUCTION = {"op": "before", "a": "imaging", "b": "therapy.induction_start", "max_gap": "PT72H"}


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-04-03", "satisfied"),
        ("2026-04-06", "excludes"),
        ("2026-04-01", "excludes"),
        ("2026-04", "cannot tell"),
    ],
)
def test_induction_begins_within_72_hours_after_the_scan(start, expected):
    scan = {"imaging": planned("2026-04-02T09:00+00:00")}
    begin = fact("therapy.induction_start", start)
    assert word(INDUCTION, begin, anchors=scan) == expected


def test_an_order_of_events_without_one_of_them_cannot_be_told():
    judged = eligibility.judge(criterion(INDUCTION), record())
    assert judged.word == "cannot tell"
    assert "imaging (no time is recorded)" in judged.reason


def test_an_order_that_rests_on_a_planned_time_is_provisional():
    scan = {"imaging": planned("2026-04-02T09:00+00:00")}
    begin = fact("therapy.induction_start", "2026-04-03")
    judged = eligibility.judge(criterion(INDUCTION), record(begin, anchors=scan))
    assert judged.is_provisional


def test_a_window_may_hang_on_a_recorded_date():
    window = {"anchor": "therapy.induction_start", "from": "-P7D", "to": "PT0S"}
    rule = ECOG | {"window": window}
    begin = fact("therapy.induction_start", "2026-03-25")
    assert word(rule, begin, fact("ecog", 1, at="2026-03-20")) == "satisfied"
    assert word(rule, begin, fact("ecog", 1, at="2026-03-26")) == "cannot tell"


def lutetium(at, nuclide="Lu-177"):
    event = {"name": "therapy", "started_on": at, "stopped_on": at}
    return fact(
        "radiopharmaceutical.other", [event | ({"radionuclide": nuclide} if nuclide else {})]
    )


# Ten half-lives of Lu-177, 6.6443 d each (Laboratoire National Henri Becquerel): 66.4 days.
@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-01-23", "satisfied"), ("2026-01-26", "excludes")],
)
def test_ten_half_lives_of_another_nuclide_have_to_pass(at, expected):
    rule = {"op": "occurred", "var": "radiopharmaceutical.other", "within_half_lives": 10}
    assert word(rule, lutetium(at), category="exclusion") == expected


def test_the_half_lives_of_a_nuclide_nobody_named_cannot_be_told():
    rule = {"op": "occurred", "var": "radiopharmaceutical.other", "within_half_lives": 10}
    assert word(rule, lutetium("2026-01-26", None), category="exclusion") == "cannot tell"


# Computed variables.


def test_the_body_mass_index_is_weight_by_height_squared():
    rule = {"op": "lt", "var": "bmi", "value": 25, "unit": "kg/m2"}
    weight, height = fact("weight", 72, "kg"), fact("height", 170, "cm", at="2020-01-01")
    assert word(rule, weight, height) == "satisfied"  # 24.91
    assert word(rule, fact("weight", 73, "kg"), height) == "excludes"  # 25.26
    assert word(rule, weight) == "cannot tell"


def test_direct_renin_is_never_taken_for_renin_activity():
    activity = {"op": "ge", "var": "arr", "value": 20, "unit": "(ng/dL)/(ng/mL/h)"}
    direct = {"op": "ge", "var": "arr", "value": 2.0, "unit": "(ng/dL)/(mU/L)"}
    facts = [fact("aldosterone", 20, "ng/dL"), fact("renin.direct", 8, "mU/L")]
    assert word(direct, *facts) == "satisfied"  # 2.5
    assert word(activity, *facts) == "cannot tell"


def test_a_positive_pregnancy_test_feeds_the_pregnancy_criterion():
    rule = {"op": "eq", "var": "pregnant", "value": True}
    assert word(rule, fact("pregnancy_test", "positive"), category="exclusion") == "excludes"
    assert word(rule, fact("pregnancy_test", "negative"), category="exclusion") == "satisfied"
    said_no = fact("pregnant", False, at="2026-03-01")
    assert (
        word(rule, said_no, fact("pregnancy_test", "positive"), category="exclusion") == "excludes"
    )


ABLE = {"op": "eq", "var": "able_to_bear_children", "value": True}
TESTED = {"op": "lab_eq", "var": "pregnancy_test", "value": "negative"}


def needs_test(*facts, **changes):
    rule = criterion(TESTED, applies_to=ABLE)
    return eligibility.judge(rule, record(*facts, **changes)).word


@pytest.mark.parametrize(
    "reason",
    [
        ("hysterectomy", True),
        ("bilateral_salpingectomy", True),
        ("bilateral_oophorectomy", True),
        ("menarche", False),
        ("menopause.fsh_confirmed", True),
    ],
)
def test_who_is_surely_unable_to_bear_children_needs_no_test(reason):
    assert needs_test(fact(*reason)) == "not applicable"


def test_twelve_months_without_a_period_count_only_without_another_cause():
    without = fact("amenorrhoea.twelve_months", True)
    assert needs_test(without) == "cannot tell"
    assert needs_test(without, fact("amenorrhoea.other_cause", True)) == "cannot tell"
    assert needs_test(without, fact("amenorrhoea.other_cause", False)) == "not applicable"


def test_tubal_ligation_is_not_sterility():
    assert needs_test(fact("tubal_ligation", True)) == "cannot tell"


def test_whose_ability_is_unknown_counts_as_able_and_passes_with_a_test():
    assert needs_test() == "cannot tell"
    assert needs_test(fact("pregnancy_test", "negative")) == "satisfied"
    assert needs_test(fact("pregnancy_test", "positive")) == "excludes"


def test_a_man_needs_no_pregnancy_test():
    assert needs_test(sex_at_birth="M") == "not applicable"


def test_of_unknown_sex_and_ability_the_test_decides():
    assert needs_test(sex_at_birth="U") == "cannot tell"
    assert needs_test(fact("pregnancy_test", "negative"), sex_at_birth="U") == "satisfied"


def test_a_pregnancy_after_a_hysterectomy_is_a_contradiction_to_settle():
    facts = [fact("hysterectomy", True), fact("pregnancy_test", "positive")]
    assert needs_test(*facts) == "cannot tell"


# Values nothing can be concluded from, and rules that are none.


def test_a_value_with_an_open_query_counts_for_nothing():
    judged = eligibility.judge(criterion(ECOG), record(fact("ecog", 1, is_doubted=True)))
    assert (judged.word, "query" in judged.reason) == ("cannot tell", True)


def test_an_impossible_value_counts_for_nothing():
    rule = {"op": "gt", "var": "weight", "value": 30, "unit": "kg"}
    assert word(rule, fact("weight", -5.0, "kg"), category="exclusion") == "cannot tell"


@pytest.mark.parametrize(
    "broken",
    [
        {"op": "is_fine", "var": "ecog"},
        {"op": "ge"},
        {},
        {"op": "ge", "var": "ecog", "value": "2"},
        {"op": "ge", "var": "no.such.variable", "value": 2},
        {"op": "ge", "var": "ecog", "value": None},
        {"op": "ge", "var": "ecog", "value": True},
        {"op": "ge", "var": "glucose", "value": 2, "unit": "stone"},
        {"op": "in", "var": "diagnosis.group", "value": "NHL"},
        {"op": "at_least", "n": "1", "of": [ECOG]},
        {"op": "all", "of": [ECOG, {"op": "nonsense"}]},
        {"op": "eq", "var": "ecog", "value": 1, "select": "nicest"},
    ],
)
@pytest.mark.parametrize("category", ["inclusion", "exclusion"])
def test_a_rule_that_errors_is_not_known_and_never_passes(broken, category):
    facts = [fact("ecog", 1), fact("glucose", 5, "mmol/L"), fact("diagnosis.group", "NHL")]
    judged = eligibility.judge(criterion(broken, category), record(*facts))
    assert (judged.word, "can't be evaluated" in judged.reason) == ("cannot tell", True)


def test_an_age_written_as_text_does_not_pass():
    # A callable or a text compared as an opaque thing is how another system let 17 pass.
    rule = {"op": "ge", "var": "age_years", "value": "18"}
    assert word(rule, birth="2009") == "cannot tell"
    assert word({"op": "ge", "var": "ecog", "value": 0}, fact("ecog", "seventeen")) == "cannot tell"


def test_what_a_rule_reads_includes_what_its_variables_are_computed_from():
    rule = {"op": "lt", "var": "egfr", "value": 30, "unit": "mL/min/1.73 m2"}
    assert eligibility.variables_of(rule) == {"egfr", "creatinine", "sex_at_birth", "birth_date"}
    assert "hysterectomy" in eligibility.variables_of(ABLE)
    assert eligibility.variables_of(INDUCTION) == {"therapy.induction_start"}


def test_each_comparison_is_kept_with_value_unit_date_and_source():
    judged = eligibility.judge(criterion(ECOG), record(fact("ecog", 1)))
    (leaf,) = eligibility.leaves(judged.workings)
    (found,) = leaf["found"]
    assert (found["value"], found["observed_at"], found["source"]) == (1, "2026-03-30", "report")


def test_a_consent_of_today_without_a_time_was_signed_when_it_was_written_down():
    signed = Consent("1.0", "2026-03-31", recorded_at=NOW)
    assert word({"op": "consent"}, consents=[signed]) == "satisfied"


# A history says nothing of a window that opened after it was told.

CHEMOTHERAPY = {"name": "R-CHOP", "started_on": "2025-01", "stopped_on": "2025-06"}
NEVER = {"op": "never", "var": "therapy.anticancer"}
LAST_MONTH = NEVER | {"window": {"anchor": "imaging", "from": "-P1M", "to": "PT0S"}}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("2026-03-31", "satisfied"),
        # One calendar month before 31 March is 28 February.
        ("2026-02-28", "satisfied"),
        ("2026-02-27", "cannot tell"),
        ("2024-01-01", "cannot tell"),
        ("2026-03", "satisfied"),
        ("2026-02", "cannot tell"),
        ("2026", "cannot tell"),
    ],
)
@pytest.mark.parametrize("events", [[], [CHEMOTHERAPY]])
@pytest.mark.parametrize("rule", [LAST_MONTH, {**LAST_MONTH, "op": "occurred"}])
def test_a_history_told_before_the_window_opened_says_nothing_of_it(told, expected, events, rule):
    category = "inclusion" if rule["op"] == "never" else "exclusion"
    assert word(rule, fact("therapy.anticancer", events, at=told), category=category) == expected


def test_an_old_history_still_tells_what_did_happen():
    event = {"name": "R-CHOP", "started_on": "2026-01-05", "stopped_on": "2026-03-06"}
    assert word(LAST_MONTH, fact("therapy.anticancer", [event], at="2026-02-07")) == "excludes"


def test_an_old_none_does_not_make_a_rule_inapplicable():
    """What does not surely leave a patient out is judged, and says so."""
    rule = criterion(LAST_MONTH, applies_to={**LAST_MONTH, "op": "occurred"})
    judged = eligibility.judge(rule, record(fact("therapy.anticancer", [], at="2026-01-01")))
    assert judged.word == "cannot tell"


def test_the_words_say_that_the_history_is_to_be_told_again():
    judged = eligibility.judge(
        criterion(LAST_MONTH), record(fact("therapy.anticancer", [], at="2026-01-01"))
    )
    assert (
        "A history of 2026-01-01 is too old to answer this: ask again and record the answer with "
        "its date, also if nothing was added."
    ) in judged.reason


def test_a_window_that_opens_ahead_is_provisional_and_judged_again():
    told = fact("therapy.anticancer", [], at="2026-03-30")
    scan = {"imaging": planned("2026-06-14T09:00+00:00")}
    judged = eligibility.judge(criterion(LAST_MONTH), record(told, anchors=scan))
    assert (judged.word, judged.is_provisional) == ("satisfied", True)


def test_more_than_twelve_months_since_needs_a_history_of_those_twelve_months():
    rule = {"op": "time_since_gt", "var": "history.allogeneic_sct", "value": "P12M"}
    event = {"name": "SCT", "started_on": "2020-01-01", "stopped_on": "2020-01-01"}
    assert word(rule, fact("history.allogeneic_sct", [event], at="2025-12-01")) == "satisfied"
    assert word(rule, fact("history.allogeneic_sct", [event], at="2021-12-01")) == "cannot tell"


@pytest.mark.parametrize(
    ("told", "expected"), [("2026-03-17", "satisfied"), ("2026-03-16", "cannot tell")]
)
@pytest.mark.parametrize("rule", [NEVER, LAST_MONTH])
def test_a_trial_may_say_for_how_long_a_history_counts(told, expected, rule):
    asked = rule | {"told_within": "P14D"}
    assert word(asked, fact("therapy.anticancer", [], at=told)) == expected


def test_the_day_a_history_was_told_is_a_day_of_the_site():
    rule = NEVER | {"told_within": "P0D"}
    auckland = ZoneInfo("Pacific/Auckland")
    # 01:00 on 1 April there, while it is still 31 March in Greenwich.
    gate = {"gate": Anchor(spans.span("2026-04-01T01:00+13:00", UTC))}
    told = fact("therapy.anticancer", [], at="2026-03-31")
    assert word(rule, told, anchors=gate) == "satisfied"
    assert word(rule, told, anchors=gate, zone=auckland) == "cannot tell"


@pytest.mark.parametrize("stopped", ["2024", "2024-12-31"])
def test_an_event_that_ended_before_it_began_settles_nothing(stopped):
    event = {"name": "R-CHOP", "started_on": "2026-03-01", "stopped_on": stopped}
    assert word(NEVER, fact("therapy.anticancer", [event])) == "cannot tell"
