"""Ordering what is written of a measurement as DICOM; see `object_writing` for the work."""

from __future__ import annotations

from django.utils import timezone

from imaging.models import DicomObject, Quantification, Read, Series
from trials.models import Job, User
from trials.services import jobs

KIND = "imaging.write_objects"
KIND_OF_READ = "imaging.write_read_objects"
# Counts what is written of a run: raised, runs of an earlier release are written once more.
FORM = 2
# Of an earlier release, at a time: each takes seconds.
AT_ONCE = 20


def order(quantification: Quantification, *, by: User) -> Job:
    """Have segmentation and report written, once what was measured is certain."""
    scan = quantification.series.imaging_study.scheduled_scan
    return jobs.enqueue(KIND, actor=by, on=scan, quantification=quantification.pk, form=FORM)


def follow_read(read: Read, earlier: Read | None, *, by: User) -> Job:
    """Have a signed read written; what was written of the one that it supersedes has ended.

    Inside the action that signs it.
    """
    if earlier:
        ended = DicomObject.objects.filter(read=earlier, superseded_at=None)
        ended.update(superseded_at=timezone.now())
    scan = read.quantification.series.imaging_study.scheduled_scan
    return jobs.enqueue(KIND_OF_READ, actor=by, on=scan, read=read.pk)


def order_due() -> list[Job]:
    """Order what no earlier release wrote of current runs, and of signed reads of them."""
    return [*_runs_due(), *_reads_due()]


def _runs_due() -> list[Job]:
    ordered = Job.objects.filter(kind=KIND, arguments__form=FORM)
    rows = (
        Quantification.objects.filter(is_current=True, suvmax__isnull=False)
        .exclude(pk__in=set(ordered.values_list("arguments__quantification", flat=True)))
        .exclude(series__code__in=Series.GONE)
        .select_related("series__imaging_study__scheduled_scan__patient")
    )
    actor = jobs.system_user()
    return [order(one, by=actor) for one in rows.order_by("pk")[:AT_ONCE]]


def _reads_due() -> list[Job]:
    ordered = Job.objects.filter(kind=KIND_OF_READ).values_list("arguments__read", flat=True)
    rows = (
        Read.objects.filter(state=Read.State.SIGNED, superseded_by=None)
        .filter(quantification__is_current=True)
        .exclude(pk__in=set(ordered))
        .exclude(quantification__series__code__in=Series.GONE)
        .select_related("quantification__series__imaging_study__scheduled_scan__patient")
    )
    actor = jobs.system_user()
    return [follow_read(one, None, by=actor) for one in rows.order_by("pk")[:AT_ONCE]]
