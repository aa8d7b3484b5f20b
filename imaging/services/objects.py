"""Ordering what is written of a measurement as DICOM; see `object_writing` for the work."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from imaging.models import DicomObject, Lesion, Quantification, ReferenceRegion, Series
from trials.models import Job, User
from trials.services import jobs

KIND = "imaging.write_objects"
# Of an earlier release, at a time: each takes seconds.
AT_ONCE = 20


def order(quantification: Quantification, *, by: User) -> Job:
    """Have segmentation and report written, once what was measured is certain."""
    scan = quantification.series.imaging_study.scheduled_scan
    return jobs.enqueue(KIND, actor=by, on=scan, quantification=quantification.pk)


def order_due() -> list[Job]:
    """Order what no earlier release wrote: of current runs that found something."""
    ordered = Job.objects.filter(kind=KIND).values_list("arguments__quantification", flat=True)
    due = _without_objects().exclude(pk__in=set(ordered))
    rows = due.select_related("series__imaging_study__scheduled_scan__patient")
    actor = jobs.system_user()
    return [order(one, by=actor) for one in rows.order_by("pk")[:AT_ONCE]]


def _without_objects() -> QuerySet[Quantification]:
    run = {"quantification": OuterRef("pk")}
    return (
        Quantification.objects.filter(is_current=True, suvmax__isnull=False)
        .filter(
            Exists(Lesion.objects.filter(**run)) | Exists(ReferenceRegion.objects.filter(**run))
        )
        .exclude(Exists(DicomObject.objects.filter(**run)))
        .exclude(series__code__in=Series.GONE)
    )
