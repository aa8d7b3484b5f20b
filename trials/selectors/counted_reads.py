"""The read that counts for a scan: the one place that says so."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from trials.models import CountedRead, Finding, Patient, ScheduledScan


def of_scan(scan: ScheduledScan) -> CountedRead | None:
    """Which read counts for a scan, or why none does; None where nobody signed one."""
    return CountedRead.objects.filter(scheduled_scan=scan, ended_at=None).first()


def of_patient(patient: Patient) -> QuerySet[CountedRead]:
    """The same of each scan of a patient that was read."""
    return patient.counted_reads.filter(ended_at=None).select_related(
        "scheduled_scan__planned_scan"
    )


def of_scans(scans: Iterable[int]) -> dict[int, CountedRead]:
    """The same of some scans, by their keys; one query."""
    rows = CountedRead.objects.filter(scheduled_scan__in=list(scans), ended_at=None)
    return {one.scheduled_scan_id: one for one in rows}


def accepted(source_table: str, source_pk: str) -> Exists:
    """Whether the read that a row leads to counts; `source_pk` is the way to its key."""
    return Exists(
        CountedRead.objects.filter(
            ended_at=None, source_table=source_table, source_pk=OuterRef(source_pk)
        )
    )


def why(scan: str = "pk") -> Subquery:
    """Which read of a scan counts, or why none does, as a sentence; `scan` is the way to its key.

    Of rows of scheduled scans themselves the key is their own.
    """
    rows = CountedRead.objects.filter(scheduled_scan=OuterRef(scan), ended_at=None)
    return Subquery(rows.values("why")[:1])


def counting_findings(scan: ScheduledScan) -> QuerySet[Finding]:
    """What the read that counts found on a scan; nothing where none counts."""
    row = of_scan(scan)
    if row is None or not row.counts:
        return Finding.objects.none()
    return scan.findings.filter(
        source_table=row.source_table, source_pk=row.source_pk, superseded_at=None
    )
