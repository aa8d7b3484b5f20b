"""Items that are computed: by which rule, of what, and why there is no value."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from trials import case_report_forms, form_checks, item_computations, item_values, trial_yaml
from trials.item_values import Given, Moment

GENERAL = {
    one["identifier"]: one
    for one in trial_yaml.read(
        (Path(case_report_forms.__file__).parent / "general_forms.yaml").read_text()
    ).content
}
AT = Moment(datetime(2026, 11, 2, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
# An invented sampling without stimulation. By hand: selectivity 1200/300 = 4 and 900/300 = 3,
# aldosterone over cortisol 36000/1200 = 30 and 4500/900 = 5, lateralisation 30/5 = 6.
SAMPLING = {
    "sampled_on": "2026-10-01",
    "is_stimulated": "no",
    "technique": "SEQUENTIAL",
    "has_confounder": "no",
    "cortisol_unit": "nmol/L",
    "cortisol_left": "1200",
    "cortisol_right": "900",
    "cortisol_peripheral": "300",
    "aldosterone_unit": "pmol/L",
    "aldosterone_left": "36000",
    "aldosterone_right": "4500",
    "aldosterone_peripheral": "600",
}
SURVIVAL = {"counted_from": "2026-01-31", "origin": "SCAN"}


def form(name):
    return case_report_forms.form(GENERAL[name])


def computed(name, given):
    read = {item: item_values.given(one) for item, one in given.items()}
    found = item_values.checked(form(name), read, at=AT)
    assert not found.errors
    return found.values


def test_the_indices_of_a_venous_sampling_are_computed():
    found = computed("adrenal_vein_sampling", SAMPLING)
    values = {name: one.value for name, one in found.items()}
    assert (values["selectivity_left"], values["selectivity_right"]) == (4.0, 3.0)
    assert (values["is_selective"], values["lateralisation_index"]) == ("BOTH", 6.0)
    assert values["lateralisation"] == "LEFT"


@pytest.mark.parametrize(
    ("changes", "selective", "lateralisation"),
    [
        # Ratios of 30 and 5 the other way round.
        ({"aldosterone_left": "6000", "aldosterone_right": "27000"}, "BOTH", "RIGHT"),
        # 6 over 5 is 1.2, below 2.
        ({"aldosterone_left": "7200"}, "BOTH", "BILATERAL"),
        # A limit belongs to what is selective, and to what is lateralised: 10 over 5 is 2.
        ({"cortisol_right": "600", "aldosterone_right": "9000"}, "BOTH", "LEFT"),
        # Under stimulation 5 is asked of selectivity, which is 4 and 3 here.
        ({"is_stimulated": "yes"}, "NOT BOTH", None),
        ({"cortisol_right": "599"}, "NOT BOTH", None),
        # One side that fails decides, whatever the other one.
        ({"cortisol_right": "599", "cortisol_left": {"missing": "NK"}}, "NOT BOTH", None),
    ],
)
def test_cut_offs_follow_the_guideline(changes, selective, lateralisation):
    found = computed("adrenal_vein_sampling", SAMPLING | changes)
    assert found["is_selective"].value == selective
    assert found["lateralisation"].value == lateralisation


def test_what_is_not_selective_is_not_evaluable_and_says_so():
    found = computed("adrenal_vein_sampling", SAMPLING | {"cortisol_right": "310"})
    for name in ("lateralisation_index", "lateralisation"):
        assert found[name].missing == "NE"
        assert found[name].reason == "The sampling is not shown to be selective on both sides."


def test_a_part_that_is_missing_is_named():
    given = SAMPLING | {"cortisol_right": {"missing": "ND", "reason": "no cannulation"}}
    found = computed("adrenal_vein_sampling", given)
    assert found["selectivity_right"].reason == (
        "There is no value of Cortisol, right adrenal vein."
    )
    assert (found["is_selective"].missing, found["lateralisation"].missing) == ("NE", "NE")


def test_nothing_is_divided_by_zero():
    found = computed("adrenal_vein_sampling", SAMPLING | {"aldosterone_right": "0"})
    assert found["lateralisation_index"].missing == "NE"
    assert found["lateralisation_index"].reason.endswith("is 0.")


def test_time_to_an_event_is_counted_in_days_and_months():
    given = SURVIVAL | {"event": "PROGRESSION", "event_on": "2026-07-31", "shown_by": "IMAGING"}
    found = computed("progression", given)
    # 28 + 31 + 30 + 31 + 30 + 31 days from February to July; 181 / 30.4375 = 5.9466.
    assert (found["is_event"].value, found["time_days"].value) == ("EVENT", 181)
    assert found["time_months"].value == pytest.approx(5.946612, abs=1e-6)


def test_who_is_censored_counts_to_the_last_day_known_to_be_free():
    given = SURVIVAL | {"event": "NONE", "free_until": "2026-03-02", "censored_because": "LOST"}
    found = computed("progression", given)
    assert (found["is_event"].value, found["time_days"].value) == ("CENSORED", 30)


def test_a_day_known_to_the_month_gives_no_time():
    given = SURVIVAL | {"event": "DEATH", "event_on": "2026-07"}
    found = computed("progression", given)
    assert found["is_event"].value == "EVENT"
    assert found["time_days"].reason == (
        "Day of the event is known as 2026-07 only, not to the day."
    )


def test_nobody_enters_what_is_computed():
    item = form("adrenal_vein_sampling").item("selectivity_left")
    read = {name: Given(one) for name, one in (SAMPLING | {"selectivity_left": "9"}).items()}
    found = item_values.checked(form("adrenal_vein_sampling"), read, at=AT)
    assert found.errors["selectivity_left"].code == "computed"
    assert item_computations.words(form("adrenal_vein_sampling"), item) == (
        "Cortisol, left adrenal vein / Cortisol, peripheral vein"
    )


ITEMS = [
    {"identifier": "a", "label": "A", "type": "decimal"},
    {"identifier": "on", "label": "On", "type": "date"},
    {"identifier": "b", "label": "B", "type": "decimal"},
]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": {"item": "c"}}, "there is no earlier item 'c'."),
        ({"value": {"item": "on"}}, "on is date, expected is a number."),
        ({"cases": []}, "only a number or a choice is computed, a number by its value."),
        (
            {"value": {"op": "days", "from": ["on"], "to": ["a"]}},
            "a is decimal, expected is a date.",
        ),
        (
            {"value": {"op": "divide", "of": [{"item": "a"}, {"item": "a"}, {"item": "a"}]}},
            "divide takes two parts.",
        ),
    ],
)
def test_a_rule_that_can_not_be_computed_is_refused(changes, message):
    items = [*ITEMS[:2], {**ITEMS[2], "computed": changes}]
    stated = case_report_forms.form({"identifier": "f", "label": "F", "items": items})
    assert message in list(item_computations.errors(stated, stated.items[2]))


def test_what_is_filled_in_does_not_hang_on_what_is_computed():
    items = [
        ITEMS[0],
        {**ITEMS[2], "computed": {"value": {"item": "a"}}},
        {**ITEMS[1], "condition": {"op": "gt", "var": "b", "value": 1}},
    ]
    stated = {"identifier": "f", "label": "F", "items": items, "provenance": "proposed"}
    definition = {"visits": [], "forms": [stated], "general_forms": []}
    found = list(form_checks.errors(definition, anchors=()))
    assert found == [
        (
            ("forms", 0, "items", 2, "condition"),
            "b is computed: only what is entered decides.",
        )
    ]
