"""Privacy incidents: images of another person, from becoming known to being closed.

Opened by a rule or a person; judged, whether somebody has to be notified; contained, when no
original and no released image of it is left; then closed with what was done about it. Who closes
one before that is refused, so that it can't be clicked away.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.utils import timezone

from imaging.models import PrivacyIncident, ReceivedFile, Transmittal
from imaging.services import clearing
from imaging.services.ledger import about
from trials import permissions
from trials.models import User
from trials.services import audit, jobs
from trials.services.errors import Invalid, Refused

State = PrivacyIncident.State
Notification = PrivacyIncident.Notification
# Rules of the inspection by which images are of another person.
BY_RULE = frozenset({"several-patients", "patient-known-otherwise"})
# General Data Protection Regulation, article 33(1): without undue delay, within 72 hours.
HOURS = 72
# Where its images are in the archive.
OUT = {
    Transmittal.State.RELEASED,
    Transmittal.State.ASSEMBLED,
    Transmittal.State.QUANTIFIED,
}
# A file in one of these states lies in the quarantine or the archive.
THERE = [*clearing.WAITING, ReceivedFile.State.RELEASED]


def found_by_rule(transmittal: Transmittal, *, code: str, text: str) -> None:
    """Open one for what the inspection found, once. Inside the action of the inspection."""
    if code in BY_RULE:
        PrivacyIncident.objects.get_or_create(
            transmittal=transmittal,
            code=code,
            defaults={
                "site": transmittal.site,
                "text": text,
                "found_by": jobs.system_user(),
            },
        )


def report(transmittal: Transmittal, *, text: str, by: User) -> PrivacyIncident:
    """A person knows that images are of somebody else."""
    permissions.require(by, "incident.report", transmittal)
    _require_text("text", text, "Say what is known, without naming anybody.")
    with audit.action("incident.reported", actor=by, reason=text, **about(transmittal)):
        return PrivacyIncident.objects.create(
            transmittal=transmittal, site=transmittal.site, text=text.strip(), found_by=by
        )


def judge(
    incident: PrivacyIncident,
    *,
    notification: str,
    basis: str,
    by: User,
    notified_on: date | None = None,
) -> PrivacyIncident:
    """Whether somebody has to be notified, why, and when it was done."""
    permissions.require(by, "incident.handle", incident)
    if notification not in set(Notification.values) - {Notification.UNDECIDED}:
        raise Invalid("notification", "Say who has to be notified, or that nobody has to be.")
    _require_text("basis", basis, "Say on what the decision rests.")
    if notification == Notification.NONE and notified_on:
        raise Invalid("notified_on", "Nobody is notified: leave the day empty.")
    if notified_on and notified_on > incident.site.today():
        raise Invalid("notified_on", "This day lies ahead.")
    with audit.action("incident.judged", actor=by, reason=basis, **about(incident.transmittal)):
        locked = _locked(incident)
        locked.notification, locked.basis = notification, basis.strip()
        locked.notified_on = notified_on
        locked.judged_by, locked.judged_at = by, timezone.now()
        locked.save()
    return locked


def contain(incident: PrivacyIncident, *, reason: str, by: User) -> None:
    """Have every image of it removed: the originals that wait, or the series it went into."""
    permissions.require(by, "incident.handle", incident)
    audit.require_reason(reason)
    transmittal = incident.transmittal
    if is_contained(incident):
        raise Refused("contained-already", "No image of it is held any more.")
    if transmittal.state == Transmittal.State.QUARANTINED:
        # It opens incidents, and so knows this module.
        from imaging.services import inspection

        inspection.decide(transmittal, release=False, reason=reason, by=by)
        return
    if transmittal.state not in OUT:
        raise Refused(
            "incident-moving",
            f"The transmittal is {transmittal.get_state_display().lower()}: what is still worked "
            "on is removed once it has come to rest. Try again in a minute.",
        )
    with audit.action("incident.contained", actor=by, reason=reason, **about(transmittal)):
        jobs.enqueue("imaging.expunge", actor=by, on=transmittal, transmittal=transmittal.pk)


def close(incident: PrivacyIncident, *, measures: str, by: User) -> PrivacyIncident:
    """Close it with what was done; only once it is judged, notified and contained."""
    permissions.require(by, "incident.handle", incident)
    _require_text("measures", measures, "Say what was done so that it does not happen again.")
    with audit.action("incident.closed", actor=by, reason=measures, **about(incident.transmittal)):
        locked = _locked(incident)
        if open_ends := missing(locked):
            raise Refused("incident-open", f"Not yet: {' '.join(open_ends)}")
        locked.state, locked.measures = State.CLOSED, measures.strip()
        locked.closed_by, locked.closed_at = by, timezone.now()
        locked.save()
    return locked


def missing(incident: PrivacyIncident) -> list[str]:
    """What has to be done before it can be closed, in sentences."""
    found = []
    if incident.notification == Notification.UNDECIDED:
        found.append("Nobody has decided whether somebody has to be notified.")
    elif incident.notification != Notification.NONE and incident.notified_on is None:
        found.append("The day of the notification is not recorded.")
    if not is_contained(incident):
        found.append("Images of it are still held: have them removed.")
    return found


def is_contained(incident: PrivacyIncident) -> bool:
    """Whether nothing of what came with the transmittal is held any more."""
    return not incident.transmittal.files.filter(state__in=THERE).exists()


def due_at(incident: PrivacyIncident) -> datetime:
    """Until when a supervisory authority has to know, if it has to."""
    return incident.found_at + timedelta(hours=HOURS)


def _locked(incident: PrivacyIncident) -> PrivacyIncident:
    locked = PrivacyIncident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
    if locked.state == State.CLOSED:
        raise Refused("incident-closed", "This incident is closed.")
    return locked


def _require_text(field: str, text: str, sentence: str) -> None:
    if not text.strip():
        raise Invalid(field, sentence)
