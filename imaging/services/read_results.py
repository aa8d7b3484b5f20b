"""What signed reads found, ended where the numbers that were read hold no more."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q
from django.utils import timezone

from imaging.models import DicomObject, Read, ResponseEvaluation
from imaging.services import response_orders
from trials.services import findings, jobs

OVERTAKEN = (
    "A series it rests on was measured again, taken away, or counts no more for its scan: it is "
    "to be read again."
)
READ_AGAIN = "A reader signed another read in place of one that it rests on."


def end(series: Iterable[int]) -> None:
    """The findings of reads of some series are no results any more. Inside an action.

    Measured again, taken away, or no longer the series that counts: they are to be read again.
    """
    reads = Read.objects.filter(
        quantification__series__in=series,
        state=Read.State.SIGNED,
        superseded_by=None,
        ended_at=None,
    ).select_related("quantification__series__imaging_study__scheduled_scan")
    for read in reads:
        end_of(read, because=OVERTAKEN)
    # What is left, an earlier baseline or another reader's read, may give an answer yet.
    for scan in {read.quantification.series.imaging_study.scheduled_scan for read in reads}:
        response_orders.order(scan, by=jobs.system_user())


def end_of(read: Read, *, because: str) -> None:
    """What one read found and what rests on it hold no more. Inside an action.

    Its findings, what was written of it as DICOM, the responses.
    """
    now = timezone.now()
    Read.objects.filter(pk=read.pk, ended_at=None).update(ended_at=now, ended_because=because)
    findings.supersede(read)
    DicomObject.objects.filter(read=read, superseded_at=None).update(superseded_at=now)
    ResponseEvaluation.objects.filter(
        Q(later_read=read) | Q(baseline_read=read), is_current=True
    ).update(is_current=False, ended_at=now, ended_because=because)
