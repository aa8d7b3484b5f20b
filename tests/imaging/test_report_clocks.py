"""Reports that are due within 24 hours: counted, asked for, told by mail, and late ones named."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from imaging.models import AlarmMail
from imaging.services import alarms
from tests import factories
from trials.models import Deviation, FormEntry, Query
from trials.roles import Role
from trials.services import form_entries, jobs, protocols

pytestmark = pytest.mark.django_db
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
SERIOUS = {
    "term": "Rash",
    "started_at": "2026-03",
    "grade": "3",
    "is_serious": "yes",
    "serious_because": ["AESHOSP"],
    "related_tracer": "POSSIBLY RELATED",
    "related_procedure": {"missing": "NK"},
    "action": "DOSE NOT CHANGED",
    "is_treated": "no",
    "outcome": "RECOVERING/RESOLVING",
}
PREGNANCY = {
    "whose": "PATIENT",
    "last_period_on": "2026-02",
    "due_on": {"missing": "NK"},
    "end": "ONGOING",
}
# Each with what the trial file says is to be done within 24 hours.
REPORTS = {
    "adverse_events": (SERIOUS, "A serious adverse event is reported to the sponsor"),
    "pregnancy_report": (PREGNANCY, "A pregnancy is reported to the sponsor"),
}
both = pytest.mark.parametrize("form", REPORTS)


@pytest.fixture(autouse=True)
def mail(settings):
    settings.MAIL_FROM, settings.ADDRESS = "trial@example.org", "https://trial.example.org"


@pytest.fixture
def site():
    return factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial)


@pytest.fixture
def coordinator(site):
    return person(Role.COORDINATOR, site)


@pytest.fixture
def patient(site, coordinator):
    return factories.make_enrolled(site, by=coordinator)


def person(role, site):
    user = factories.make_user(role, trial=site.trial, site=site)
    with factories.framed():
        user.email = f"{user.username}@example.org"
        user.save(update_fields=["email"])
    return user


def ago(hours):
    return (timezone.now() - timedelta(hours=hours)).isoformat(timespec="minutes")


def known(form, patient, by, hours, **more):
    """A report on what became known so many hours ago."""
    entry = form_entries.begin(patient, form=form, by=by)
    given = {**REPORTS[form][0], "known_at": ago(hours), **more}
    return form_entries.complete(entry, given=given, revision=1, by=by)


def reported(entry, by, hours):
    return form_entries.correct(
        entry, given={"reported_at": ago(hours)}, revision=1, reason="reported", by=by
    )


@both
def test_a_report_is_due_24_hours_after_it_became_known_and_asked_for(patient, coordinator, form):
    entry = known(form, patient, coordinator, 2)
    # Minutes as typed; the seconds of now are none of them.
    ahead = entry.report_due_at - timezone.now()
    assert timedelta(hours=21, minutes=58) < ahead <= timedelta(hours=22)
    query = Query.objects.get(rule=form_entries.REPORT_DUE)
    assert query.text.startswith(f"{REPORTS[form][1]} within 24 h: by ")
    entry = reported(entry, coordinator, 1)
    query.refresh_from_db()
    assert (entry.report_due_at, query.state) == (None, "closed")
    assert not Deviation.objects.exists()


@both
def test_a_report_made_late_is_a_deviation_with_both_times(patient, coordinator, form):
    entry = known(form, patient, coordinator, 30)
    reported(entry, coordinator, 1)
    (late,) = Deviation.objects.filter(rule=form_entries.REPORT_LATE)
    assert f"{REPORTS[form][1]} within 24 h: it was due by " in late.text
    assert set(late.values) == {"found", "expected", "unit"}
    # Corrected to a time within the hours, it was none.
    now = FormEntry.objects.get(pk=entry.pk)
    given = {"reported_at": ago(7)}
    form_entries.correct(now, given=given, revision=2, reason="fax of the day", by=coordinator)
    late.refresh_from_db()
    assert late.state == "closed"


@both
def test_a_report_taken_back_is_due_no_more(patient, coordinator, form, mailoutbox):
    entry = known(form, patient, coordinator, 30)
    form_entries.undo(entry, reason="of another patient", by=coordinator)
    assert alarms.send_due() == 0
    assert (mailoutbox, Query.objects.get().state) == ([], "closed")


@both
@pytest.mark.parametrize("hours", [2, 30])
def test_who_reports_is_told_before_it_is_due_and_after_without_a_name(
    patient, coordinator, site, form, hours, mailoutbox
):
    person(Role.READER, site)
    person(Role.COORDINATOR, factories.make_site(site.trial))
    entry = known(form, patient, coordinator, hours)
    assert alarms.send_due() == 1
    (letter,) = mailoutbox
    assert letter.to == [coordinator.email]
    due = f"{entry.report_due_at:%Y-%m-%d %H:%M} UTC"
    assert letter.body == (
        f"Form {entry.pk}, trial {site.trial}, site {site.code}: its report is due by {due}. "
        f"Enter when it was made.\nhttps://trial.example.org/forms/{entry.pk}/\n"
    )
    assert patient.identifier not in letter.body + letter.subject


@both
def test_it_is_told_once_a_day_until_the_report_is_made(patient, coordinator, form, mailoutbox):
    entry = known(form, patient, coordinator, 2)
    # Whatever the time is now: on the day that it is due, far from both midnights.
    noon = entry.report_due_at.astimezone(UTC).replace(hour=12)
    for hours in (0, 1, 24):
        alarms.send_due(now=noon + timedelta(hours=hours))
    assert len(mailoutbox) == 2
    assert set(AlarmMail.objects.values_list("subject_pk", flat=True)) == {entry.pk}
    reported(entry, coordinator, 1)
    alarms.send_due(now=noon + timedelta(hours=48))
    assert len(mailoutbox) == 2


def test_an_event_that_becomes_serious_later_counts_from_when_that_was_known(patient, coordinator):
    given = {name: one for name, one in SERIOUS.items() if name != "serious_because"}
    entry = form_entries.begin(patient, form="adverse_events", by=coordinator)
    entry = form_entries.complete(
        entry, given=given | {"is_serious": "no"}, revision=1, by=coordinator
    )
    assert (entry.report_due_at, alarms.send_due()) == (None, 0)
    more = {"is_serious": "yes", "serious_because": ["AESLIFE"], "known_at": ago(1)}
    entry = form_entries.correct(entry, given=more, revision=1, reason="grew worse", by=coordinator)
    assert entry.report_due_at > timezone.now() + timedelta(hours=22, minutes=58)
    assert alarms.send_due() == 1
