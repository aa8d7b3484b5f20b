"""Visits as dated windows, the worklist, the calendar and its feed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from tests import factories
from trials.models import CalendarFeed, PlannedScan
from trials.roles import Role
from trials.schedule import Anchor, Appointment, Standing, Visit, dated, urgent
from trials.selectors import schedule as selectors
from trials.services import calendars, jobs, protocols, scans
from trials.spans import span

BERLIN = ZoneInfo("Europe/Berlin")
PET1 = Visit("PET1", "First PET", "consent", "P14D", "P0D", "P28D", has_scan=True)
PET2 = Visit("PET2", "Second PET", "visit.PET1", "P3D", "P1D", "P14D", has_scan=True)
CALL = Visit("FU", "Call", "visit.PET2", "P3D", "P1D", "P7D")
CONSENT = {"consent": Anchor(span("2026-03-01", BERLIN))}


def at(*parts, zone=UTC):
    return datetime(*parts, tzinfo=zone)


def found(now, *, anchors=CONSENT, visits=(PET1, PET2, CALL), **appointments):
    rows = dated(visits, anchors=anchors, appointments=appointments, now=now, zone=BERLIN)
    return {one.visit.identifier: one for one in rows}


def test_windows_are_days_of_the_site_from_their_anchor():
    one = found(at(2026, 3, 5))["PET1"]
    assert one.opens_at == at(2026, 3, 1, zone=BERLIN)
    # 28 days later the clock has gone forward, and it is still the whole day.
    assert one.closes_at == at(2026, 3, 29, 23, 59, 59, 999999, zone=BERLIN)
    assert one.target_at == at(2026, 3, 15, zone=BERLIN)
    assert not one.is_provisional


@pytest.mark.parametrize(
    ("now", "standing"),
    [
        (at(2026, 2, 28, 12), Standing.AHEAD),
        (at(2026, 3, 1, 12), Standing.DUE),
        (at(2026, 3, 15, 23), Standing.DUE),
        (at(2026, 3, 17, 12), Standing.OVERDUE),
        (at(2026, 3, 29, 21, 59), Standing.OVERDUE),
        (at(2026, 3, 29, 22, 0, 1), Standing.MISSED),
    ],
)
def test_a_visit_without_a_time_goes_from_not_yet_to_missed(now, standing):
    assert found(now)["PET1"].standing is standing


@pytest.mark.parametrize(
    ("appointment", "now", "standing"),
    [
        (Appointment(at(2026, 3, 10, 9)), at(2026, 3, 9), Standing.SCHEDULED),
        (Appointment(at(2026, 3, 10, 9)), at(2026, 3, 10, 10), Standing.OVERDUE),
        (Appointment(at(2026, 4, 10, 9)), at(2026, 3, 9), Standing.SCHEDULED_OUTSIDE),
        (Appointment(at(2026, 3, 10), at(2026, 3, 10)), at(2026, 5, 1), Standing.DONE),
        (Appointment(at(2026, 3, 10), at(2026, 3, 31)), at(2026, 5, 1), Standing.DONE_OUTSIDE),
    ],
)
def test_a_visit_with_a_time_stands_by_it(appointment, now, standing):
    assert found(now, PET1=appointment)["PET1"].standing is standing


def test_how_far_outside_is_told():
    early = Appointment(at(2026, 2, 28, 12, zone=BERLIN))
    assert found(at(2026, 2, 1), PET1=early)["PET1"].off_by == timedelta(hours=-12)


def test_a_window_from_a_planned_time_is_provisional_and_from_an_actual_one_is_not():
    planned = found(at(2026, 3, 5), PET1=Appointment(at(2026, 3, 10, 9)))["PET2"]
    assert (planned.is_provisional, planned.opens_at) == (True, at(2026, 3, 11, zone=BERLIN))
    given_ = Appointment(at(2026, 3, 10, 9), at(2026, 3, 12, 9))
    actual = found(at(2026, 3, 13), PET1=given_)["PET2"]
    assert (actual.is_provisional, actual.opens_at) == (False, at(2026, 3, 13, zone=BERLIN))
    guessed = found(at(2026, 3, 5))["FU"]
    assert guessed.is_provisional
    assert guessed.opens_at == at(2026, 3, 19, zone=BERLIN)


def test_without_an_anchor_or_a_window_nothing_is_late():
    assert found(at(2026, 3, 5), anchors={})["PET1"].standing is Standing.NO_ANCHOR
    bare = Visit("PET1", "First PET", "consent", has_scan=True)
    assert found(at(2030, 1, 1), visits=(bare,))["PET1"].standing is Standing.NO_WINDOW


def test_a_visit_without_a_scan_is_missed_as_one_with_a_scan_is():
    assert found(at(2027, 1, 1))["FU"].standing is Standing.MISSED


@pytest.mark.parametrize(
    ("took_place", "standing", "off_by"),
    [
        ("2026-03-01", Standing.DONE, None),
        ("2026-03-29", Standing.DONE, None),
        ("2026-03-31", Standing.DONE_OUTSIDE, timedelta(days=1, microseconds=1)),
        ("2026-03-30T00:30+02:00", Standing.DONE_OUTSIDE, timedelta(minutes=30, microseconds=1)),
    ],
)
def test_a_recorded_visit_is_done_inside_or_outside_its_window(took_place, standing, off_by):
    visit = Visit("LAB", "Blood", "consent", "P14D", "P0D", "P28D")
    done = {"LAB": span(took_place, BERLIN)}
    (one,) = dated(
        [visit], anchors=CONSENT, appointments={}, now=at(2027, 1, 1), zone=BERLIN, done=done
    )
    assert (one.standing, one.off_by, one.is_done) == (standing, off_by, True)


def test_a_visit_known_to_the_day_may_straddle_a_window_of_hours():
    visit = Visit("LAB", "Blood", "consent", "", "", "PT12H")
    anchors = {"consent": Anchor(span("2026-03-01T06:00+01:00", BERLIN))}
    (one,) = dated(
        [visit],
        anchors=anchors,
        appointments={},
        now=at(2027, 1, 1),
        zone=BERLIN,
        done={"LAB": span("2026-03-01", BERLIN)},
    )
    assert (one.standing, one.off_by) == (Standing.DONE_UNSURE, None)


def test_windows_are_counted_from_the_day_a_visit_took_place():
    lab = Visit("LAB", "Blood", "consent", "P1D", "P0D", "P3D")
    call = Visit("FU", "Call", "visit.LAB", "P7D", "P5D", "P9D")
    _, one = dated(
        [lab, call],
        anchors=CONSENT,
        appointments={},
        now=at(2026, 3, 5),
        zone=BERLIN,
        done={"LAB": span("2026-03-03", BERLIN)},
    )
    assert (one.opens_at, one.is_provisional) == (at(2026, 3, 8, zone=BERLIN), False)


def test_visits_that_hang_on_each_other_wait():
    one = Visit("A", "A", "visit.B", "P1D", "P0D", "P2D", has_scan=True)
    other = Visit("B", "B", "visit.A", "P1D", "P0D", "P2D", has_scan=True)
    rows = found(at(2026, 3, 5), visits=(one, other))
    assert {row.standing for row in rows.values()} == {Standing.NO_ANCHOR}


@given(st.integers(0, 365 * 24), st.permutations([PET1, PET2, CALL]))
def test_the_order_of_visits_changes_nothing(hours, visits):
    now = at(2026, 1, 1) + timedelta(hours=hours)
    assert found(now, visits=tuple(visits)) == found(now)


def test_the_most_urgent_comes_first():
    now = at(2026, 3, 20)
    rows = dated((PET1, PET2), anchors=CONSENT, appointments={}, now=now, zone=BERLIN)
    assert [one.visit.identifier for one in urgent(rows, until=now + timedelta(days=7))] == [
        "PET1",
        "PET2",
    ]


# On the record

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()


@pytest.fixture
def site(db):
    return factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


def enrolled(site, by):
    patient = factories.make_enrolled(site, by=by)
    with factories.framed():
        patient.consents.update(signed_at=(timezone.localdate() - timedelta(days=3)).isoformat())
    return patient


def plan(site, identifier="ptf"):
    return PlannedScan.objects.get(version=site.version_in_force, identifier=identifier)


def test_the_worklist_names_who_needs_what(site, coordinator, client):
    waiting, late = enrolled(site, coordinator), enrolled(site, coordinator)
    scan = scans.schedule(
        late,
        planned_scan=plan(site),
        planned_at=timezone.now() - timedelta(hours=3),
        by=coordinator,
    )
    client.force_login(coordinator)
    lines = client.get(reverse("worklist")).context["lines"]
    # Three hours ago may be yesterday: then the second PET is due already.
    told = [
        (one.patient, one.what, one.standing, one.page, one.pk)
        for one in lines
        if not one.visit and one.what != "Second PET"
    ]
    assert told[:2] == [
        (late, "Pentixafor PET/CT", "overdue", "scan", scan.pk),
        (waiting, "First PET", "due", "scan_new", waiting.pk),
    ]
    other = factories.make_site(site.trial)
    assert client.get(reverse("worklist"), {"site": other.pk}).context["chosen"] is None


def test_the_worklist_costs_as_many_queries_for_one_patient_as_for_four(
    site, coordinator, django_assert_num_queries
):
    def lines():
        return selectors.worklist(site.patients.all())

    enrolled(site, coordinator)
    with django_assert_num_queries(6):
        lines()
    for _ in range(3):
        enrolled(site, coordinator)
    with django_assert_num_queries(6):
        lines()


def test_the_calendar_shows_a_month_on_the_clock_of_the_site(site, coordinator, client):
    patient = enrolled(site, coordinator)
    with factories.framed():
        site.time_zone = "Europe/Berlin"
        site.save(update_fields=["time_zone"])
    # Half past eleven in the evening UTC is the first of April in Berlin.
    scans.schedule(
        patient, planned_scan=plan(site), planned_at=at(2026, 3, 31, 22, 30), by=coordinator
    )
    client.force_login(coordinator)
    april = client.get(reverse("calendar"), {"month": "2026-04"}).content.decode()
    assert f"00:30 {patient}" in april
    assert client.get(reverse("calendar"), {"month": "2026-03"}).context["count"] == 0
    assert client.get(reverse("calendar"), {"month": "nonsense"}).status_code == 200
    assert client.get(reverse("calendar"), {"month": "9999-12"}).status_code == 404


def test_a_patient_s_page_shows_the_visits(site, coordinator, client):
    patient = enrolled(site, coordinator)
    client.force_login(coordinator)
    page = client.get(reverse("patient", args=[patient.pk])).content.decode()
    assert "Planned visits with their windows" in page
    assert "Follow-up call" in page


def events(content):
    return {str(one["uid"]): one for one in Calendar.from_ical(content).walk("VEVENT")}


def test_a_feed_tells_time_and_place_and_no_patient(site, coordinator, client):
    patient = enrolled(site, coordinator)
    when = timezone.now().replace(microsecond=0) + timedelta(days=2)
    scan = scans.schedule(patient, planned_scan=plan(site), planned_at=when, by=coordinator)
    client.force_login(coordinator)
    address = client.post(reverse("calendar_feed")).context["address"]
    client.logout()
    answer = client.get(address)
    assert answer["Content-Type"].startswith("text/calendar")
    (event,) = events(answer.content).values()
    assert (event.start, str(event["summary"])) == (when, "DEMO: Pentixafor PET/CT")
    assert (str(event["location"]), int(event["sequence"])) == (f"Site {site.code}", 0)
    for identity in (patient.identifier, patient.screening_number, site.name, patient.birth):
        assert identity not in answer.content.decode()
    scans.reschedule(scan, planned_at=when + timedelta(days=1), reason="camera", by=coordinator)
    scans.cancel(scan, reason="patient unwell", by=coordinator)
    (event,) = events(client.get(address).content).values()
    assert (int(event["sequence"]), str(event["status"])) == (2, "CANCELLED")


def test_a_new_address_ends_the_old_and_an_end_ends_it(site, coordinator, client):
    client.force_login(coordinator)
    first = client.post(reverse("calendar_feed")).context["address"]
    second = client.post(reverse("calendar_feed")).context["address"]
    assert (client.get(first).status_code, client.get(second).status_code) == (404, 200)
    client.post(reverse("calendar_feed"), {"end": "yes"})
    assert client.get(second).status_code == 404
    secret = second.rsplit("/", 1)[1]
    assert not CalendarFeed.objects.filter(digest__contains=secret[:20]).exists()


def test_a_feed_of_an_account_that_ended_is_closed(site, coordinator):
    secret = calendars.renew(coordinator)
    assert calendars.user_of(secret) == coordinator
    with factories.framed():
        coordinator.is_active = False
        coordinator.save(update_fields=["is_active"])
    assert calendars.user_of(secret) is None
