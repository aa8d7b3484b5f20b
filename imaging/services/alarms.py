"""Alarms by e-mail: what stays longer than it should is told to whoever can move it.

Once a day for each thing and person, and never with an identity: a mail names trial, site and
the number of the transmittal or job, and leads to the page behind the log-in.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from smtplib import SMTPRecipientsRefused
from types import MappingProxyType

from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse
from django.utils import timezone

from imaging.models import AlarmMail, Transmittal
from imaging.selectors import waiting
from trials import roles
from trials.models import FormEntry, Job, Membership, ScopedModel, User
from trials.services import audit, jobs

log = logging.getLogger(__name__)

State = Transmittal.State
# Whom a state waits for; where no person is, whoever looks after the jobs.
WAITS_FOR: Mapping[str, str] = MappingProxyType(
    {State.RECEIVING: "images.upload", State.QUARANTINED: "images.decide"}
)
KEEPERS = "jobs.order"
# A mail names so many things and says how many more there are.
NAMED = 20
# A report is told of while there is time to make it; most are due within a day.
SOON = timedelta(hours=24)


@dataclass(frozen=True)
class Late:
    """A thing that waits, for whom, and what a mail says of it."""

    row: ScopedModel
    permission: str
    sentence: str
    page: str

    @property
    def key(self) -> tuple[str, int]:
        return self.row._meta.db_table, self.row.pk


def send_due(*, now: datetime | None = None) -> int:
    """Tell everybody with an address what they were not told today; how many mails went out."""
    if not settings.MAIL_FROM:
        return 0
    at = now or timezone.now()
    things = [*_transmittals(at), *_jobs(), *_reports(at)]
    told = 0
    for user, mine in _by_user(things).items():
        try:
            told += _told(user, mine, at)
        except SMTPRecipientsRefused:
            log.error("a mail was not taken, it is tried again")
        except OSError as error:
            # Nobody else is asked to wait for a server that is away.
            log.error("mails could not be sent, they are tried again: %s", type(error).__name__)
            break
    return told


def _transmittals(now: datetime) -> Iterator[Late]:
    late = waiting.late(Transmittal.objects.select_related("site__trial"), now=now)
    for row in late.order_by("pk"):
        since = row.moved_at.astimezone(UTC)
        yield Late(
            row,
            WAITS_FOR.get(row.state, KEEPERS),
            f"Transmittal {row.pk}, trial {row.site.trial}, site {row.site.code}: "
            f"{row.get_state_display().lower()} since {since:%Y-%m-%d %H:%M} UTC. "
            f"{waiting.advice_of(row)}",
            reverse("transmittal", args=[row.pk]),
        )


def _jobs() -> Iterator[Late]:
    parked = Job.objects.filter(state=Job.State.PARKED, trial__isnull=False)
    for row in parked.select_related("trial", "site").order_by("pk"):
        at = f"trial {row.trial}" + (f", site {row.site.code}" if row.site else "")
        yield Late(
            row,
            KEEPERS,
            f"Job {row.pk} ({row.kind}), {at}: given up after three attempts. Look why, and order "
            "it again.",
            f"{reverse('jobs')}?state=parked",
        )


def _reports(now: datetime) -> Iterator[Late]:
    """Reports of forms that are due soon or overdue."""
    due = FormEntry.objects.filter(report_due_at__lte=now + SOON)
    for row in due.select_related("patient__trial", "patient__site").order_by("report_due_at"):
        yield Late(
            row,
            "form.record",
            f"Form {row.pk}, trial {row.patient.trial}, site {row.patient.site.code}: its report "
            f"is due by {row.report_due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC. Enter when it was "
            "made.",
            reverse("form_entry", args=[row.pk]),
        )


def _by_user(things: Iterable[Late]) -> dict[User, list[Late]]:
    held = list(Membership.objects.current().exclude(user__email="").select_related("user"))
    found: dict[User, list[Late]] = defaultdict(list)
    for thing in things:
        for user in {one.user for one in held if _reaches(one, thing)}:
            found[user].append(thing)
    return found


def _reaches(membership: Membership, thing: Late) -> bool:
    trial, site = thing.row.scope()
    return (
        roles.granted(membership.role, thing.permission)
        and membership.trial_id == trial
        and membership.site_id in {None, site}
    )


def _told(user: User, mine: list[Late], at: datetime) -> bool:
    """Send what of it is new today, recorded only if it was sent."""
    today = at.astimezone(UTC).date()
    rows = AlarmMail.objects.filter(user=user, on=today)
    with audit.action("alarm.mailed", actor=jobs.system_user(), reason="waits too long"):
        # Two workers that look at once wait for each other here.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        told = set(rows.values_list("subject_table", "subject_pk"))
        new = [one for one in mine if one.key not in told]
        if not new:
            return False
        AlarmMail.objects.bulk_create(
            AlarmMail(
                user=user, subject_table=one.key[0], subject_pk=one.key[1], on=today, sent_at=at
            )
            for one in new
        )
        send_mail(_subject(new), _text(new), settings.MAIL_FROM, [user.email])
    return True


def _subject(new: list[Late]) -> str:
    return f"TrialTrace: {len(new)} waiting longer than they should"


def _text(new: list[Late]) -> str:
    lines = [f"{one.sentence}\n{settings.ADDRESS}{one.page}" for one in new[:NAMED]]
    if len(new) > NAMED:
        lines.append(f"And {len(new) - NAMED} more: {settings.ADDRESS}/")
    return "\n\n".join(lines) + "\n"
