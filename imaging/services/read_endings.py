"""One signed read ended: what it found and what rests on it hold no more."""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from imaging.models import DicomObject, Read, ResponseEvaluation
from trials.models import ScheduledScan
from trials.services import findings

OVERTAKEN = (
    "A series it rests on was measured again, taken away, or counts no more for its scan: it is "
    "to be read again."
)
READ_AGAIN = "A reader signed another read in place of one that it rests on."
_SCAN = "quantification__series__imaging_study__scheduled_scan"


def end_of(read: Read, *, because: str) -> set[ScheduledScan]:
    """What one read found and what rests on it hold no more. Inside an action.

    Its findings, what was written of it as DICOM, the responses, of RECIST also those that it lies
    between the scans of. Given are the scans whose responses ended: what readers differ in may be
    these, so that which read counts is to be settled anew.
    """
    now = timezone.now()
    Read.objects.filter(pk=read.pk, ended_at=None).update(ended_at=now, ended_because=because)
    findings.supersede(read)
    DicomObject.objects.filter(read=read, superseded_at=None).update(superseded_at=now)
    resting = ResponseEvaluation.objects.filter(
        Q(later_read=read)
        | Q(baseline_read=read)
        | Q(inputs__contains={"earlier": [{"read": read.pk}]}, criterion="recist"),
        is_current=True,
    )
    # An adjudicator's read is held against no other.
    apart = resting.filter(later_read__is_adjudication=False)
    later = set(apart.values_list(f"later_read__{_SCAN}", flat=True))
    resting.update(is_current=False, ended_at=now, ended_because=because)
    if not later:
        return set()
    scans = ScheduledScan.objects.filter(pk__in=later)
    return set(scans.select_related("patient__site", "planned_scan__version"))
