"""Findings as far as a user may see them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from django.db.models import QuerySet

from trials import discordance
from trials.discordance import Difference, Reading
from trials.models import Finding, Patient, ScheduledScan, ScopedModel, User


def may_see(user: User, row: ScopedModel) -> bool:
    """Whether what readers found is shown: never to one who may read here too."""
    scope = row.scope()
    return user.may_for("finding.view", scope) and not user.may_for("reading.view", scope)


def of_patient(patient: Patient, user: User) -> QuerySet[Finding]:
    """What standing reads found on the scans of a patient, and on each lesion of them."""
    if not may_see(user, patient):
        return Finding.objects.none()
    return patient.findings.filter(superseded_at=None).select_related("evaluator")


def of_scans(patient: Patient) -> QuerySet[Finding]:
    """What standing reads found on the scans of a patient as a whole, in the order of the scans."""
    return (
        patient.findings.filter(lesion_number=None, superseded_at=None)
        .select_related("scheduled_scan__planned_scan", "evaluator")
        .order_by("scheduled_scan__planned_at", "source_pk", "pk")
    )


@dataclass(frozen=True)
class Discordance:
    """Two standing reads of one scan by two readers, and what they differ in."""

    scan: ScheduledScan
    first: Finding
    second: Finding
    differences: list[Difference]


def discordances(patient: Patient, of_scans: Sequence[Finding]) -> list[Discordance]:
    """Where readers differ; no query where no scan was read twice, else one.

    `of_scans` is what `of_scans` answers of the patient.
    """
    reads: dict[int, dict[int, Finding]] = defaultdict(dict)
    for one in of_scans:
        if one.role == Finding.Role.READER:
            reads[one.scheduled_scan_id].setdefault(one.source_pk, one)
    twice = {scan: found for scan, found in reads.items() if len(found) > 1}
    if not twice:
        return []
    rows: dict[int, list[Finding]] = defaultdict(list)
    for one in patient.findings.filter(superseded_at=None, scheduled_scan__in=twice):
        rows[one.source_pk].append(one)
    return [
        Discordance(found[int(one)].scheduled_scan, found[int(one)], found[int(other)], differences)
        for found in twice.values()
        for (one, other), differences in discordance.among(
            {str(read): reading(rows[read]) for read in found}
        ).items()
    ]


def reading(
    rows: Sequence[Finding], responses: Mapping[str, str] = MappingProxyType({})
) -> Reading:
    """What one read says of its scan and of each of its lesions, as its findings have it.

    `responses` are the categories that scales came to on it, by their rule.
    """
    of_scan = {one.test: one for one in rows if one.lesion_number is None}
    count, positivity, side = (of_scan.get(test) for test in ("LESNUM", "VISPOS", "ADRSIDE"))
    return Reading(
        count=int(count.number or 0) if count else 0,
        positivity=positivity.text if positivity else discordance.NOT_STATED,
        lesions=[
            (one.location, one.text)
            for one in rows
            if one.test == "VISPOS" and one.lesion_number is not None
        ],
        side=side.text if side else "",
        responses=responses,
    )
