"""Alarms by e-mail: to whoever can move it, once a day for each thing, and without a name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from smtplib import SMTPRecipientsRefused
from typing import ClassVar

import pytest
from django.core.mail.backends.locmem import EmailBackend

from imaging.models import AlarmMail, Transmittal
from imaging.services import alarms
from tests import factories
from trials.models import AuditEvent, Job
from trials.roles import Role
from trials.services import jobs

pytestmark = pytest.mark.django_db

State = Transmittal.State
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def mail(settings, tmp_path):
    """Mail goes to files, as `TRIALTRACE_MAIL=file:///…` has it."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    settings.MAIL_FROM, settings.ADDRESS = "trial@example.org", "https://trial.example.org"
    return tmp_path


@pytest.fixture
def scan(pet_site, coordinator):
    return factories.make_scan(factories.make_enrolled(pet_site, by=coordinator), by=coordinator)


def person(role: Role, site, *, at_all_sites: bool = False):
    user = factories.make_user(role, trial=site.trial, site=None if at_all_sites else site)
    with factories.framed():
        user.email = f"{user.username}@example.org"
        user.save(update_fields=["email"])
    return user


def held(scan, state=State.QUARANTINED, days: float = 4) -> Transmittal:
    with factories.framed():
        return Transmittal.objects.create(
            site=scan.patient.site,
            scheduled_scan=scan,
            state=state,
            sent_by=jobs.system_user(),
            moved_at=NOW - timedelta(days=days),
        )


def letters(folder) -> list:
    """The mails in the folder, each file of which may hold several."""
    written = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    found = [path.read_bytes() for path in written]
    parts = [part.strip() for one in found for part in one.split(b"-" * 79 + b"\n")]
    return [message_from_bytes(part) for part in parts if part]


def test_who_decides_is_told_what_waits_where_without_a_name(scan, mail):
    manager = person(Role.DATA_MANAGER, scan.patient.site, at_all_sites=True)
    person(Role.COORDINATOR, scan.patient.site)
    late = held(scan)
    held(scan, days=2)
    assert alarms.send_due(now=NOW) == 1
    (letter,) = letters(mail)
    assert (letter["To"], letter["From"]) == (manager.email, "trial@example.org")
    assert letter["Subject"] == "TrialTrace: 1 waiting longer than they should"
    site = scan.patient.site
    assert letter.get_payload() == (
        f"Transmittal {late.pk}, trial {site.trial}, site {site.code}: quarantined, a person "
        "decides since 2026-03-06 12:00 UTC. A data manager has not decided yet.\n"
        f"https://trial.example.org/transmittals/{late.pk}/"
    )
    assert scan.patient.identifier not in letter.as_string()


WAITS = [
    (State.QUARANTINED, Role.DATA_MANAGER),
    (State.RECEIVED, Role.ADMINISTRATOR),
    (State.RELEASED, Role.ADMINISTRATOR),
]


@pytest.mark.parametrize(("state", "role"), WAITS)
def test_each_state_is_told_to_whoever_it_waits_for(scan, state, role):
    user, reader = person(role, scan.patient.site), person(Role.READER, scan.patient.site)
    stranger = person(role, factories.make_site(scan.patient.trial))
    held(scan, state)
    alarms.send_due(now=NOW)
    told = set(AlarmMail.objects.values_list("user", flat=True))
    assert (user.pk in told, reader.pk in told, stranger.pk in told) == (True, False, False)


def test_it_is_told_once_a_day_and_again_on_the_next(scan, mail):
    person(Role.DATA_MANAGER, scan.patient.site)
    first = held(scan)
    for hours in (0, 1, 11):
        alarms.send_due(now=NOW + timedelta(hours=hours))
    assert len(letters(mail)) == 1
    second = held(scan)
    alarms.send_due(now=NOW + timedelta(hours=11))
    assert len(letters(mail)) == 2
    assert f"/{first.pk}/" not in letters(mail)[1].get_payload()
    alarms.send_due(now=NOW + timedelta(hours=13))
    assert f"/{first.pk}/" in letters(mail)[2].get_payload()
    assert f"/{second.pk}/" in letters(mail)[2].get_payload()


def test_a_job_given_up_is_told_to_who_orders_it_again(scan, mail):
    manager = person(Role.DATA_MANAGER, scan.patient.site)
    with factories.framed():
        job = jobs.enqueue("imaging.release", actor=jobs.system_user(), on=scan)
    Job.objects.filter(pk=job.pk).update(state=Job.State.PARKED, error="ZZCANARY^Anna")
    alarms.send_due(now=NOW)
    (letter,) = letters(mail)
    assert letter["To"] == manager.email
    assert f"Job {job.pk} (imaging.release)" in letter.get_payload()
    assert "ZZCANARY" not in letter.as_string()


def test_what_was_told_is_on_the_trail(scan):
    user, late = person(Role.DATA_MANAGER, scan.patient.site), held(scan)
    alarms.send_due(now=NOW)
    row = AlarmMail.objects.get()
    assert (row.user, row.subject_pk) == (user, late.pk)
    event = AuditEvent.objects.get(table="imaging_alarmmail", row=str(row.pk))
    assert (event.action, event.actor_name) == ("alarm.mailed", "System")


class Refusing(EmailBackend):
    def send_messages(self, _messages):
        raise ConnectionRefusedError


def test_a_mail_that_can_not_be_sent_is_told_by_the_next_look(scan, settings, mail):
    person(Role.DATA_MANAGER, scan.patient.site)
    held(scan)
    files = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = f"{__name__}.Refusing"
    assert alarms.send_due(now=NOW) == 0
    assert not AlarmMail.objects.exists()
    settings.EMAIL_BACKEND = files
    assert alarms.send_due(now=NOW) == 1


@pytest.fixture
def server(settings, monkeypatch):
    """Answers one mail after the other with what it is given; the rest it takes."""
    settings.EMAIL_BACKEND = f"{__name__}.Answering"
    monkeypatch.setattr(Answering, "asked", [], raising=False)
    monkeypatch.setattr(Answering, "answers", [], raising=False)
    return Answering


class Answering(EmailBackend):
    asked: ClassVar[list[str]]
    answers: ClassVar[list[Exception]]

    def send_messages(self, messages):
        self.asked.append(messages[0].to[0])
        if self.answers:
            raise self.answers.pop()
        return len(messages)


def test_where_the_server_is_away_nobody_else_is_tried(scan, server):
    people = [person(Role.DATA_MANAGER, scan.patient.site) for _ in range(3)]
    held(scan)
    server.answers.append(ConnectionRefusedError())
    assert alarms.send_due(now=NOW) == 0
    assert len(server.asked) == 1
    assert server.asked[0] in {one.email for one in people}
    assert not AlarmMail.objects.exists()


def test_an_address_that_the_server_refuses_holds_up_nobody_else(scan, server):
    people = [person(Role.DATA_MANAGER, scan.patient.site) for _ in range(3)]
    held(scan)
    server.answers.append(SMTPRecipientsRefused({}))
    assert alarms.send_due(now=NOW) == 2
    assert sorted(server.asked) == sorted(one.email for one in people)
    told = set(AlarmMail.objects.values_list("user__email", flat=True))
    assert told == set(server.asked[1:])


def test_without_a_server_of_mail_nothing_is_sent_or_recorded(scan, settings, mail):
    settings.MAIL_FROM = ""
    person(Role.DATA_MANAGER, scan.patient.site)
    held(scan)
    assert (alarms.send_due(now=NOW), letters(mail)) == (0, [])
    assert not AlarmMail.objects.exists()
