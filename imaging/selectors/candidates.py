"""Scans that images sent to a site may be of."""

from __future__ import annotations

from django.db.models import QuerySet

from imaging.models import Transmittal
from trials.models import Patient, ScheduledScan


def of(transmittal: Transmittal) -> QuerySet[ScheduledScan]:
    """The scans of a site's patients who take part, newest first, but the one they have."""
    return (
        ScheduledScan.objects.filter(
            patient__site=transmittal.site_id, patient__state=Patient.State.ENROLLED
        )
        .exclude(pk=transmittal.scheduled_scan_id)
        .exclude(state=ScheduledScan.State.CANCELLED)
        .select_related("patient__site", "patient__trial", "planned_scan")
        .order_by("-planned_at", "-pk")
    )
