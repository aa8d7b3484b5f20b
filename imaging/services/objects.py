"""Ordering what is written of a measurement as DICOM; see `object_writing` for the work."""

from __future__ import annotations

from imaging.models import Quantification, Read, Series
from imaging.selectors import comparisons
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


def follow_read(read: Read, *, by: User) -> Job:
    """Have a signed read written. Inside the action that signs it."""
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
        comparisons.standing_reads()
        .exclude(pk__in=set(ordered))
        .exclude(quantification__series__code__in=Series.GONE)
        .select_related("quantification__series__imaging_study__scheduled_scan__patient")
    )
    actor = jobs.system_user()
    return [follow_read(one, by=actor) for one in rows.order_by("pk")[:AT_ONCE]]
