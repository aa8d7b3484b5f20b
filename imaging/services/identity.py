"""The record's side of `imaging.identity`: what is known of a patient and a scan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from imaging import identity
from imaging.identity import Check, Finding, Visit
from imaging.models import ReceivedFile, Transmittal
from trials import spans
from trials.models import Query, QueryMessage, ScheduledScan, User
from trials.selectors import schedule
from trials.services import subjects
from trials.services.errors import Refused

OF_WHOM = "images-of-whom"
AT_SOURCE = "Taken out before the images were sent, as whoever sent them declared."
WHAT_TO_DO = (
    "Check whose images these are. If the record is wrong, correct it and inspect them once more; "
    "if they are of another person or another day, send those of this scan. If both are right and "
    "the scanner's entry is wrong, answer the query with the source that says so."
)
# A difference that a data manager may let through once the site has answered for it.
CODES = frozenset(
    f"{name}-differs" for name in ("sex", "age", "weight", "date", "nuclide", "tracer")
)
NOT_REMOVED = (
    "They were declared as de-identified before they were sent, so that nothing of the patient was "
    "checked. Send them again without that declaration, and they are held against the record; or "
    "have a data manager look into it and say why they may pass as they are."
)


def checked(transmittal: Transmittal, files: Sequence[ReceivedFile]) -> list[Check]:
    """What the images say, held against their scan's record; kept with the transmittal."""
    facts = [file.facts for file in files]
    found = identity.checks(facts, visit_of(transmittal.scheduled_scan))
    if transmittal.is_deidentified_at_source:
        open_ones = identity.not_checkable(AT_SOURCE)
        found = open_ones + [
            one for one in found if one.code in {"nuclide-differs", "tracer-differs"}
        ]
        found.append(identity.removal(facts))
    transmittal.identity = [
        {"label": one.label, "finding": str(one.finding), "sentence": one.sentence} for one in found
    ]
    transmittal.save(update_fields=["identity"])
    return found


def doubt(checks: Sequence[Check]) -> tuple[str, str] | None:
    """Code and message of what differs, or None."""
    off = [one for one in checks if one.finding == Finding.DIFFERS]
    if not off:
        return None
    advice = WHAT_TO_DO if off[0].code in CODES else NOT_REMOVED
    return off[0].code, " ".join([*(one.sentence for one in off), advice])


def differences(transmittal: Transmittal, scans: Sequence[ScheduledScan]) -> dict[int, list[str]]:
    """By scan, what speaks against it being the one of the images; no query for any of them.

    `scans` come with their injection, tracer, patient and site; windows are not looked at.
    """
    facts = list(transmittal.files.exclude(facts={}).values_list("facts", flat=True))
    return {
        scan.pk: [
            one.label
            for one in identity.checks(facts, visit_of(scan, with_window=False))
            if one.finding == Finding.DIFFERS
        ]
        for scan in scans
    }


def visit_of(scan: ScheduledScan, *, with_window: bool = True) -> Visit:
    """What is recorded of a scan and its patient."""
    patient, tracer = scan.patient, scan.planned_scan.tracer
    injection = getattr(scan, "injection", None)
    zone = ZoneInfo(patient.site.time_zone)
    return Visit(
        sex_at_birth=patient.sex_at_birth,
        birth=spans.span(patient.birth, zone) if patient.birth else None,
        weight_kg=injection.weight_kg if injection else None,
        days=_days(scan, zone) if injection or with_window else None,
        nuclide=tracer.radionuclide,
        tracer=tracer.name,
        zone=zone,
    )


def require_confirmed(transmittal: Transmittal, *, by: User) -> None:
    """Raise unless somebody of the site, and not who decides, answered for the difference."""
    answer = _answer_to(transmittal)
    if answer is None:
        raise Refused(
            "not-confirmed",
            f"{transmittal.message} The site has not answered the query about it: without its "
            "answer nobody lets these images through.",
        )
    if answer.author_id == by.pk:
        raise Refused("not-confirmed", "Who answered for the difference does not decide about it.")


def _answer_to(transmittal: Transmittal) -> QueryMessage | None:
    """The site's answer to the question about these images, also where it was closed since."""
    asked = Query.objects.filter(
        rule=OF_WHOM, text=transmittal.message, **subjects.reference(transmittal.scheduled_scan)
    )
    query = asked.order_by("pk").last()
    if query is None:
        return None
    found = query.messages.order_by("pk")
    opened = found.filter(state=Query.State.OPEN).last()
    return found.filter(state=Query.State.ANSWERED, pk__gt=opened.pk).last()


def _days(scan: ScheduledScan, zone: ZoneInfo) -> tuple[date, date] | None:
    """Of the injection, else of the window of the visit; a planned time alone limits nothing."""
    injection = getattr(scan, "injection", None)
    if injection:
        at = injection.injected_at.astimezone(zone)
        return identity.days_of(at, half_life=injection.half_life_s)
    visit = scan.planned_scan.visit
    if visit is None:
        return None
    for shown in schedule.visits_of(scan.patient):
        dated = shown.dated
        if dated.visit.identifier != visit.identifier or not (dated.opens_at and dated.closes_at):
            continue
        ends = [one.astimezone(zone).date() for one in (dated.opens_at, dated.closes_at)]
        planned = scan.planned_at.astimezone(zone).date()
        return min(ends[0], planned), max(ends[1], planned)
    return None
