"""The ledger of transmittals: what every step of the intake does with its row."""

from __future__ import annotations

from django.utils import timezone

from imaging.models import Transmittal
from trials.models import ScheduledScan
from trials.services import jobs

State = Transmittal.State


def move(transmittal: Transmittal, state: State, *, code: str = "", message: str = "") -> None:
    transmittal.state, transmittal.code, transmittal.message = state, code, message
    transmittal.moved_at = timezone.now()
    transmittal.save(update_fields=["state", "code", "message", "completed_at", "moved_at"])


def load(claim: jobs.Claim) -> Transmittal:
    return Transmittal.objects.select_related(
        "site__trial",
        "scheduled_scan__patient__trial",
        "scheduled_scan__patient__site",
        "scheduled_scan__planned_scan",
    ).get(pk=claim.arguments["transmittal"])


def nothing_to_do(claim: jobs.Claim) -> None:
    with jobs.fenced(claim):
        pass


def say(claim: jobs.Claim, what: str, number: int, total: int) -> None:
    if number % 50 == 0 or number == total:
        jobs.report(claim, f"{what} {number} of {total}")


def about(transmittal: Transmittal) -> dict[str, int]:
    """What the trail says an act on it was about; no patient as long as no scan is named."""
    if transmittal.scheduled_scan is None:
        return {"trial": transmittal.site.trial_id}
    return about_scan(transmittal.scheduled_scan)


def about_scan(scan: ScheduledScan) -> dict[str, int]:
    return {"trial": scan.patient.trial_id, "patient": scan.patient_id}
