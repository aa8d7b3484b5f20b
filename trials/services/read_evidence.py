"""What the read that counts found, as evidence that criteria are judged on.

Told of a scan only as far as criteria ask for it, since a site's people are not shown what readers
found. The one mistake to fear is a number that outlives its read: where no read counts any more,
"not known", with the reason, takes its place.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import JSONField, Value

from trials import expressions, variables
from trials.models import (
    CountedRead,
    EligibilityCriterion,
    Evidence,
    Finding,
    Injection,
    ScheduledScan,
    Site,
)
from trials.services import jobs
from trials.vocabulary import Variable

# What a reader did not state, or no rule could be applied to.
UNKNOWN = {"not_stated", "not_checkable", "not_evaluable"}
NOT_READ = "No signed read of this scan holds: it is to be read."


def tell(scan: ScheduledScan, counted: CountedRead | None) -> list[Evidence]:
    """Evidence of what counts now, in place of what counted. Inside the action that changed it."""
    wanted = _wanted(scan)
    if not wanted:
        return []
    found = _findings(counted) if counted and counted.counts else {}
    before = {
        one.variable: one
        for one in Evidence.objects.filter(
            scheduled_scan=scan, superseded_by=None, variable__in=variables.FROM_READS
        )
    }
    why = counted.why if counted else NOT_READ
    return [
        one
        for known in wanted
        if (one := _told(scan, known, found.get(known.finding), before.get(known.name), why))
    ]


def tell_all(site: Site) -> None:
    """The same of every scan of a site, whose criteria became others. Inside an action."""
    for one in CountedRead.objects.filter(patient__site=site, ended_at=None).select_related(
        "scheduled_scan__patient__site", "scheduled_scan__planned_scan"
    ):
        tell(one.scheduled_scan, one)


def _wanted(scan: ScheduledScan) -> list[Variable]:
    """The variables that criteria read of this planned scan, in the order of their names."""
    plan, site = scan.planned_scan, scan.patient.site
    versions = {plan.version_id, *site.activations.values_list("version", flat=True)}
    criteria = EligibilityCriterion.objects.filter(version__in=versions)
    names = {
        node["var"]
        for one in criteria
        for expression in (one.expression, one.applies_to)
        for node in expressions.nodes(expression)
        if node.get("var") in variables.FROM_READS and node.get("scan") == plan.identifier
    }
    return [variables.VARIABLES[name] for name in sorted(names)]


def _findings(counted: CountedRead) -> dict[str, Finding]:
    rows = Finding.objects.filter(
        source_table=counted.source_table,
        source_pk=counted.source_pk,
        lesion_number=None,
        superseded_at=None,
    )
    return {one.test: one for one in rows}


def _told(
    scan: ScheduledScan,
    known: Variable,
    finding: Finding | None,
    before: Evidence | None,
    why: str,
) -> Evidence | None:
    """A new row, unless what stands says the same."""
    source = _source(known, finding) if finding else why[:200]
    is_told = before is not None and before.finding_id == (finding.pk if finding else None)
    if is_told and before.source == source:
        return None
    value = _value(finding)
    row = Evidence.objects.create(
        patient=scan.patient,
        scheduled_scan=scan,
        variable=known.name,
        value=Value(None, JSONField()) if value is None else value,
        unit=finding.unit if finding else (known.units or ("",))[0],
        observed_at=_observed(scan, finding),
        is_study_specific=True,
        source=source,
        details=_details(scan, finding),
        finding=finding,
        recorded_by=jobs.system_user(),
    )
    if before:
        Evidence.objects.filter(pk=before.pk).update(superseded_by=row)
    return row


def _value(finding: Finding | None) -> float | str | None:
    if finding is None or finding.text in UNKNOWN:
        return None
    return finding.text if finding.number is None else finding.number


def _source(known: Variable, finding: Finding) -> str:
    if finding.text in UNKNOWN:
        return f"Signed read, run {finding.run}: {finding.text.replace('_', ' ')}."
    return f"{known.finding} of the signed read that counts, run {finding.run}"


def _observed(scan: ScheduledScan, finding: Finding | None) -> str:
    """When the tracer was given, to the minute; else when the read was signed."""
    zone = ZoneInfo(scan.patient.site.time_zone)
    given = Injection.objects.filter(scheduled_scan=scan).first()
    at: datetime = given.injected_at if given else finding.found_at if finding else scan.planned_at
    return at.astimezone(zone).isoformat(timespec="minutes")


def _details(scan: ScheduledScan, finding: Finding | None) -> dict[str, str | int]:
    of_scan: dict[str, str | int] = {"planned_scan": scan.planned_scan.identifier}
    if finding is None:
        return of_scan
    method = {"method": finding.method} if finding.method else {}
    signed = finding.found_at.isoformat(timespec="seconds")
    return of_scan | {"test": finding.test, "run": finding.run, "signed_at": signed} | method
