"""Deviations as a report, counted by hand: what is one, over whom, and what rows do not hold."""

from __future__ import annotations

import pytest
from django.apps import apps

from reporting.reports import deviations
from reporting.reports.content import Share
from reporting.reports.rows import Rows
from trials.services import deviations as services


def patient(name, site, *, enrolled=True):
    return {"usubjid": f"T-{name}", "site": site, "enrolled_at": "2026-03-02" if enrolled else None}


def deviation(name, site, rule="", *, about="trials_injection", text="Text.", **more):
    row = {"usubjid": f"T-{name}", "site": site, "rule": rule, "text": text, "state": "drafted"}
    return row | {"about_table": about, "is_important": False} | more


PATIENTS = [patient("1", "101"), patient("2", "101"), patient("3", "102", enrolled=False)]
FOUND = [
    deviation("1", "101", "late", is_important=True, state="closed"),
    deviation("1", "101", "late"),
    deviation("1", "101", about="trials_consent", state="acknowledged"),
    deviation("2", "101", "late", text=f"Too late. {deviations.WITHDRAWN[0]}"),
    deviation("3", "102", about="trials_unheard_of"),
]


@pytest.fixture(scope="module")
def content():
    return deviations.deviations(Rows({"patients": PATIENTS, "deviations": FOUND}))


def rows_of(content, title):
    (table,) = (one for one in content.tables if one.title == title)
    return table, {row[0]: row[1:] for row in table.rows}


def test_rates_are_over_the_enrolled_of_a_site(content):
    table, rows = rows_of(content, "Deviations by site")
    assert (table.n, table.missing) == (4, (("withdrawn, for the record was corrected", 1),))
    count, important, patients, share, each = rows["101"]
    assert (count, important, patients) == (3, 1, Share(1, 2))
    # Clopper-Pearson of 1 in 2: the beta quantiles are 1 - sqrt(0.975) and sqrt(0.975).
    assert (share.value, share.lower, share.upper) == pytest.approx(
        (50.0, 1.2579, 98.7421), abs=1e-4
    )
    assert each.value == 1.5
    assert rows["All sites"][:3] == (4, 1, Share(1, 2))


def test_a_site_without_an_enrolled_patient_has_no_rate(content):
    _, rows = rows_of(content, "Deviations by site")
    share, each = rows["102"][3:5]
    assert (share.value, each.value) == (None, None)
    assert deviations.NO_PATIENT in each.reason


def test_each_is_under_what_it_is_about(content):
    _, rows = rows_of(content, "Deviations by what they are about")
    assert rows["Injection"][4:] == (1, 0, 1)
    assert {name: row[0] for name, row in rows.items()} == {
        "Injection": 2,
        "Consent": 1,
        "Other": 1,
    }


def test_the_figure_tells_of_each_rule_how_many_are_important(content):
    (figure,) = content.figures
    assert figure.alternative.endswith(
        "by rule. found by a person 2, 0 important; late 2, 1 important."
    )


def test_an_older_export_says_what_it_does_not_hold():
    bare = [{key: value for key, value in one.items() if key not in ("is_important", "text")}
            for one in FOUND]  # fmt: skip
    content = deviations.deviations(Rows({"patients": PATIENTS, "deviations": bare}))
    table, _ = rows_of(content, "Deviations by site")
    assert "Importance is not in these rows for 5." in table.notes
    assert any("withdrawn can't be told" in note for note in table.notes)


def test_no_deviation_of_enrolled_patients_is_a_rate_of_nought():
    content = deviations.deviations(Rows({"patients": PATIENTS}))
    _, rows = rows_of(content, "Deviations by site")
    assert (rows["All sites"][0], rows["All sites"][4].value) == (0, 0.0)


def test_every_category_is_of_a_table_of_the_record():
    tables = {model._meta.db_table for model in apps.get_models()}
    assert set(deviations.CATEGORIES) - tables == set()


def test_withdrawn_is_known_by_the_words_of_the_record():
    assert deviations.WITHDRAWN == (services.WITHDRAWN, services.SINCE)
