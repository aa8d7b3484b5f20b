"""One signed read ended: what it found and what rests on it hold no more."""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from imaging.models import DicomObject, Read, ResponseEvaluation
from trials.services import findings

OVERTAKEN = (
    "A series it rests on was measured again, taken away, or counts no more for its scan: it is "
    "to be read again."
)
READ_AGAIN = "A reader signed another read in place of one that it rests on."
VOID = "What it was to settle became another: the adjudication is void."


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
