"""What was computed beside a record that was corrected since is computed again.

The trial does not know of images, so imaging looks: each run names the version of the
injection it was computed beside. The old run stays readable. And the scans of an earlier release,
which did not say which of their PET series counts, are judged again.
"""

from __future__ import annotations

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from imaging.models import Quantification, Series
from imaging.services import reconciliation
from trials.models import HeaderStatement, Injection, Job, ScheduledScan
from trials.services import audit, header_statements, jobs

KIND = reconciliation.MEASURE
# Of an earlier release, at a time: each takes a part of a second.
EARLIER_AT_ONCE = 20


def outdated():
    """Current runs whose injection was recorded or corrected after they were computed."""
    scan = "series__imaging_study__scheduled_scan"
    version = Injection.objects.filter(scheduled_scan=OuterRef(scan)).values("version")
    return (
        Quantification.objects.filter(is_current=True, record_version__isnull=False)
        .annotate(now=Coalesce(Subquery(version), 0))
        .exclude(record_version=F("now"))
        # Nothing more is measured of images that are gone.
        .exclude(series__code__in=Series.GONE)
        .filter(~Q(series__state="released"))
        .order_by("pk")
    )


def order_due() -> list[Job]:
    """Hold the scans of outdated runs against their record, and order new runs, once each."""
    ordered = _ordered()
    due = [
        one
        for one in outdated().select_related("series__imaging_study__scheduled_scan__patient")
        if not ordered & {(one.series_id, None), (one.series_id, one.now)}
    ]
    scans = ScheduledScan.objects.filter(
        imaging_studies__series__in=[one.series_id for one in due]
    ).distinct()
    for scan in scans.select_related("patient__site", "planned_scan__tracer"):
        _reconcile(scan, reason="the record of the injection changed")
    for scan in _dose_recorded_since().select_related("patient__site", "planned_scan__tracer"):
        _reconcile(scan, reason="the record of the CT's dose changed")
    for scan in _never_asked().select_related("patient__site", "planned_scan__tracer"):
        _reconcile(scan, reason="which PET series counts was not asked before")
    # Of what the record lets pass or blocks now, the judging ordered it already.
    under_way = {series for series, record in _ordered() if record is None}
    actor = jobs.system_user()
    return [
        jobs.enqueue(KIND, actor=actor, on=one, series=one.series_id, record=one.now)
        for one in due
        if one.series_id not in under_way
    ]


def _never_asked() -> QuerySet[ScheduledScan]:
    """Scans with PET series of which nothing says whether they count: of an earlier release."""
    silent = (
        Series.objects.filter(modality="PT", counting="")
        .exclude(assembly={})
        .exclude(code__in=Series.GONE)
    )
    scans = ScheduledScan.objects.filter(imaging_studies__series__in=silent)
    return scans.distinct().order_by("pk")[:EARLIER_AT_ONCE]


def _dose_recorded_since() -> QuerySet[ScheduledScan]:
    """Scans whose CT tells a dose that was not held against the newest record of it."""
    newest = Coalesce(Subquery(header_statements.newest_dose_evidence()), 0)
    due = (
        HeaderStatement.objects.exclude(ct_dose={})
        .annotate(newest=newest)
        .exclude(compared_evidence=F("newest"))
    )
    return ScheduledScan.objects.filter(pk__in=due.values("scheduled_scan")).order_by("pk")


def _ordered() -> set[tuple[int, int | None]]:
    """The series under way, and those given up for a version of the record: by that version."""
    jobs_left = Job.objects.filter(kind=KIND).exclude(state=Job.State.DONE)
    rows = jobs_left.values_list("arguments__series", "arguments__record", "state")
    return {
        (series, record if state == Job.State.PARKED else None)
        for series, record, state in rows
        if state != Job.State.PARKED or record is not None
    }


def _reconcile(scan: ScheduledScan, *, reason: str) -> None:
    with audit.action(
        "scan.reconciled",
        actor=jobs.system_user(),
        reason=reason,
        trial=scan.patient.trial_id,
        patient=scan.patient_id,
    ):
        reconciliation.reconcile(scan)
