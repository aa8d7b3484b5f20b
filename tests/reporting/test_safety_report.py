"""Safety as a report: who is in the denominator, whose event it is, what a sign did.

Counted by hand, and two series from outside: the interval of R's binom.test, and Student's sleep
data, whose paired t-test R prints.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reporting.reports import safety
from reporting.reports.content import Share
from reporting.reports.rows import Rows

DAYS = {"PTF": datetime(2026, 3, 2, 10, tzinfo=UTC), "FDG": datetime(2026, 3, 9, 10, tzinfo=UTC)}


def injected(patient, tracer, at=None):
    return {"patient": patient, "tracer": tracer, "injected_at": at or DAYS[tracer]}


def event(patient, term, began="2026-03-02", grade="1", relation="NOT RELATED", serious=False):
    return {
        "patient": patient,
        "term": term,
        "started_at": began,
        "grade": grade,
        "is_serious": serious,
        "related_tracer": relation,
        "related_procedure": "NOT RELATED",
    }


def part(content, title):
    (found,) = (one for one in content.parts if one.title == title)
    return found


def overview(content, tracer, kind):
    table = part(content, "Adverse events of those exposed")
    return next(row for row in table.rows if (row[0], row[2]) == (tracer, kind))


SCANS = [injected("1", "PTF"), injected("1", "FDG"), injected("2", "PTF"),
         {"patient": "3", "tracer": "FDG", "injected_at": None}]  # fmt: skip


def of_site(patient, zone="Europe/Berlin"):
    return {"patient": patient, "site_time_zone": zone}


PATIENTS = [of_site("1"), of_site("2"), of_site("3")]


def test_the_denominator_is_who_was_injected_with_the_tracer():
    rows = Rows(
        {
            "patients": PATIENTS,
            "scans": SCANS,
            safety.EVENTS: [
                event("1", "Nausea", "2026-03-02", "2", "RELATED"),
                event("1", "nausea", "2026-03-10", "3", "POSSIBLY RELATED", serious=True),
                event("2", "Headache", "2026-03-01"),
                event("2", "Taste", "2026"),
            ],
        }
    )
    content = safety.safety(rows)
    table = part(content, "Adverse events of those exposed")
    assert (table.n, table.missing) == (2, ((f"events that {safety.BEFORE}", 1),))
    assert overview(content, "All", "Any adverse event")[3::2] == (Share(2, 2), 3)
    assert overview(content, "PTF", "Any adverse event")[3::2] == (Share(2, 2), 2)
    assert overview(content, "FDG", "Serious and related to the tracer")[3::2] == (Share(1, 1), 1)
    # A patient counts once for a term, with the highest grade, however it is spelt.
    term, patients, events, *grades = part(content, "Adverse events by term").rows[0]
    assert (term, patients, events) == ("Nausea", Share(1, 2), 2)
    assert grades == [0, 0, 1, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("began", "tracer"),
    [
        ("2026-03-01", None),
        ("2026-03-02", "PTF"),
        ("2026-03-08", "PTF"),
        ("2026-03-09", "FDG"),
        ("2026-04", "FDG"),
        # In March either may have come before it.
        ("2026-03", ""),
        ("", ""),
    ],
)
def test_an_event_belongs_to_the_last_tracer_up_to_its_day(began, tracer):
    assert safety.tracer_of(began, [("2026-03-02", "PTF"), ("2026-03-09", "FDG")]) == tracer


def test_two_tracers_on_the_day_of_an_event_do_not_tell_whose_it_is():
    assert safety.tracer_of("2026-03-02", [("2026-03-02", "PTF"), ("2026-03-02", "FDG")]) == ""


def told_of(zone, began):
    """The overview of one patient who was injected in the afternoon of 2 March in Los Angeles."""
    scans = [injected("1", "PTF", datetime(2026, 3, 3, 0, 30, tzinfo=UTC))]
    rows = {"patients": [of_site("1", zone)], "scans": scans,
            safety.EVENTS: [event("1", "Nausea", began)]}  # fmt: skip
    return safety.safety(Rows(rows))


def test_an_injection_has_its_day_by_the_clock_of_the_site_as_an_event_has():
    content = told_of("America/Los_Angeles", "2026-03-02")
    table = part(content, "Adverse events of those exposed")
    assert table.missing == ()
    assert overview(content, "PTF", "Any adverse event")[3] == Share(1, 1)
    assert any("by the clock of the site" in note for note in table.notes)
    before = told_of("America/Los_Angeles", "2026-03-01")
    assert part(before, "Adverse events of those exposed").missing != ()


def test_without_the_clock_of_a_site_events_about_the_day_of_the_injection_are_not_told():
    for began, share in (("2026-03-02", 0), ("2026-03-03", 1), ("2026-03-04", 1)):
        content = told_of(None, began)
        assert overview(content, "All", "Any adverse event")[3] == Share(1, 1)
        assert overview(content, "PTF", "Any adverse event")[3] == Share(share, 1)
        notes = part(content, "Adverse events of those exposed").notes
        assert any("not told for 1 of the patients" in note for note in notes)


def test_rates_have_the_exact_interval_that_r_prints():
    """R, help of binom.test: 682 of 925, 95 percent confidence interval 0.7076683 0.7654066."""
    names = [str(i) for i in range(925)]
    rows = Rows(
        {
            "patients": [of_site(one) for one in names],
            "scans": [injected(one, "PTF") for one in names],
            safety.EVENTS: [event(one, "Nausea") for one in names[:682]],
        }
    )
    rate = overview(safety.safety(rows), "PTF", "Any adverse event")[4]
    assert (rate.lower, rate.upper) == pytest.approx((70.76683, 76.54066), abs=1e-5)


def test_vital_signs_have_the_paired_t_test_that_r_prints():
    """Student's sleep (R datasets): t = -4.0621, p = 0.002833, mean -1.58, -2.459886 -0.7001142."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    forms = [
        {"patient": str(i), "before_pulse": str(two), "after_pulse": str(one)}
        for i, (one, two) in enumerate(zip(first, second, strict=True))
    ]
    forms.append({"patient": "x", "before_pulse": "60", "after_pulse": None})
    content = safety.safety(Rows({"scans": SCANS, safety.SIGNS: forms}))
    (row,) = part(content, "Vital signs before and after the injection").rows
    sign, n, missing, *_, change, p = row
    assert (sign, n, missing) == ("Heart rate, /min", 10, 1)
    assert (change.value, change.lower, change.upper) == pytest.approx(
        (-1.58, -2.459886, -0.7001142), abs=1e-6
    )
    assert p.value == pytest.approx(0.002833, abs=5e-7)


def test_rows_of_a_file_give_what_rows_of_now_give():
    """There a moment is text, and of a form every cell."""
    live = {
        "patients": PATIENTS,
        "scans": SCANS,
        safety.EVENTS: [event("1", "Nausea", serious=True)],
    }
    filed = {
        "patients": PATIENTS,
        "scans": [
            one | {"injected_at": one["injected_at"] and one["injected_at"].isoformat()}
            for one in SCANS
        ],
        safety.EVENTS: [event("1", "Nausea", serious="Y")],
    }
    assert safety.safety(Rows(live)) == safety.safety(Rows(filed))


def test_nobody_injected_is_no_rate():
    content = safety.safety(Rows({"scans": SCANS[3:], safety.EVENTS: [event("3", "Nausea")]}))
    assert content.why_empty == safety.EMPTY
