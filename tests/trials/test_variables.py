"""What may be recorded as evidence, and how units convert."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import factories
from trials import variables
from trials.models import Evidence
from trials.roles import Role
from trials.services import evidence
from trials.services.errors import Invalid
from trials.variables import VariableError


def test_creatinine_converts_by_the_factor_laboratories_print():
    # KDIGO 2024: creatinine in mg/dL times 88.4 is µmol/L.
    assert variables.converted("creatinine", 1.0, frm="mg/dL", to="µmol/L") == pytest.approx(88.4)


def test_the_glucose_limit_lies_between_two_tenths_of_a_millimole():
    # 180.156 g/mol: 11.1 mmol/L is 199.97 mg/dL, 11.2 mmol/L is 201.77 mg/dL.
    in_mg = [variables.converted("glucose", v, frm="mmol/L", to="mg/dL") for v in (11.1, 11.2)]
    assert in_mg == [pytest.approx(199.973, abs=5e-4), pytest.approx(201.775, abs=5e-4)]


@given(st.floats(min_value=0.01, max_value=1e4))
def test_a_conversion_there_and_back_changes_nothing(value):
    there = variables.converted("glucose", value, frm="mmol/L", to="mg/dL")
    back = variables.converted("glucose", there, frm="mg/dL", to="mmol/L")
    assert math.isclose(back, value, rel_tol=1e-12)


@pytest.mark.parametrize("unit", ["umol/L", "µmol/L", "μmol/L"])
def test_micro_is_one_unit_however_it_is_typed(unit):
    assert variables.checked("creatinine", 80, unit) == (80, "µmol/L")


@pytest.mark.parametrize(
    ("name", "value", "unit", "field"),
    [
        ("haemoglobin", 12, "g/dL", "variable"),
        ("creatinine", 1.0, "", "unit"),
        ("creatinine", 1.0, "mmol/L", "unit"),
        ("pregnant", False, "kg", "unit"),
        ("creatinine", "one", "mg/dL", "value"),
        ("creatinine", "1,0", "mg/dL", "value"),
        ("creatinine", True, "mg/dL", "value"),
        ("creatinine", math.nan, "mg/dL", "value"),
        ("pregnant", "no", "", "value"),
        ("pregnant", 0, "", "value"),
        ("birth_date", "1961-02-30", "", "value"),
        ("diagnosis.group", "lymphoma", "", "value"),
        ("therapy.anticancer", "none", "", "value"),
        ("therapy.anticancer", [{"stopped_on": "2025"}], "", "value"),
        ("therapy.anticancer", [{"name": "rituximab", "stopped_on": "May"}], "", "value"),
        ("therapy.anticancer", [{"name": "rituximab", "dose": 1}], "", "value"),
        ("coenrolled_protocols", ["17-X-0001"], "", "value"),
    ],
)
def test_what_cannot_be_recorded_is_refused_at_its_field(name, value, unit, field):
    with pytest.raises(VariableError) as refusal:
        variables.checked(name, value, unit)
    assert refusal.value.field == field


def test_not_known_and_none_at_all_are_different_answers():
    assert variables.checked("therapy.anticancer", None, "")[0] is None
    assert variables.checked("therapy.anticancer", [], "")[0] == []


@pytest.fixture
def coordinator(db):
    site = factories.make_site(factories.make_trial())
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site), site


def recorded(coordinator, variable, value, unit=""):
    user, site = coordinator
    return evidence.record(
        factories.make_patient(site, by=user),
        variable=variable,
        value=value,
        unit=unit,
        observed_at="2026-03-01",
        is_study_specific=False,
        source="laboratory report",
        by=user,
    )


def test_evidence_in_a_foreign_unit_is_refused_at_its_field(coordinator):
    with pytest.raises(Invalid) as refusal:
        recorded(coordinator, "creatinine", 1.0, "g/L")
    assert refusal.value.field == "unit"


def test_an_answer_not_known_is_kept_as_such(coordinator):
    row = recorded(coordinator, "pregnant", None)
    assert Evidence.objects.get(pk=row.pk).value is None


def test_a_correction_is_checked_as_the_first_entry_was(coordinator):
    row = recorded(coordinator, "creatinine", 1.0, "mg/dL")
    with pytest.raises(Invalid) as refusal:
        evidence.correct(
            row,
            value="high",
            unit="mg/dL",
            observed_at="2026-03-01",
            source="laboratory report",
            reason="typing error",
            by=coordinator[0],
        )
    assert refusal.value.field == "value"
