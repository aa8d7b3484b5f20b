"""Scans that images sent to a site may be of."""

from __future__ import annotations

from django.db.models import QuerySet

from imaging.models import Transmittal
from imaging.services import identity
from trials.models import Patient, ScheduledScan


def of(transmittal: Transmittal) -> QuerySet[ScheduledScan]:
    """The scans of a site's patients who take part, newest first, but the one they have."""
    return (
        ScheduledScan.objects.filter(
            patient__site=transmittal.site_id, patient__state=Patient.State.ENROLLED
        )
        .exclude(pk=transmittal.scheduled_scan_id)
        .exclude(state=ScheduledScan.State.CANCELLED)
        .select_related(
            "patient__site",
            "patient__trial",
            "planned_scan__tracer",
            "planned_scan__visit",
            "injection",
        )
        .order_by("-planned_at", "-pk")
    )


def choices(transmittal: Transmittal) -> list[tuple[int, str]]:
    """Each of them with what in the headers speaks against it, the best first; two queries."""
    scans = list(of(transmittal))
    off = identity.differences(transmittal, scans)
    scans.sort(key=lambda scan: len(off[scan.pk]))
    return [(scan.pk, f"{_name(scan)}: {_told(off[scan.pk])}") for scan in scans]


def _name(scan: ScheduledScan) -> str:
    return f"{scan.patient}, {scan.planned_scan}, {scan.planned_at:%Y-%m-%d}"


def _told(off: list[str]) -> str:
    if not off:
        return "nothing in the headers differs"
    return f"{', '.join(off).lower()} {'differs' if len(off) == 1 else 'differ'}"
