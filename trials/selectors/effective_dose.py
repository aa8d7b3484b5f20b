"""What a patient received from tracers and CT so far, with what each number rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trials import effective_dose, variables
from trials.effective_dose import Cumulative, Dose, Exposure, Irradiation, Proposed
from trials.models import Patient, ScheduledScan
from trials.protocol import in_force
from trials.stated import Tolerances, dlp_agrees


@dataclass(frozen=True)
class ScanDose:
    """The dose of one scan beside what it was computed from."""

    scan: ScheduledScan
    exposure: Exposure
    dose: Dose
    coefficient_source: tuple[str, ...]
    # How the recorded DLP stands to the one that arrived: "agrees", "differs", or empty.
    comparison: str
    # Why nothing could be told from what arrived; empty if it was, or nothing arrived.
    why_not_proposed: str


@dataclass(frozen=True)
class PatientDose:
    """The doses of a patient's scans, together, and the limit they are held against."""

    scans: list[ScanDose]
    together: Cumulative
    limit: Mapping[str, Any] | None
    limit_source: tuple[str, ...]

    @property
    def is_limit_proposed(self) -> bool:
        return bool(self.limit) and not in_force(self.limit)


def of_patient(patient: Patient) -> PatientDose:
    """The effective dose of a patient, by the newest protocol that planned a scan; two queries."""
    scans = list(
        patient.scheduled_scans.select_related(
            "planned_scan__tracer", "planned_scan__version", "injection", "header_statement"
        )
    )
    reports: dict[int, list[tuple[Any, Mapping[str, Any]]]] = {}
    rows = patient.evidence.filter(
        variable="ct_dlp", superseded_by=None, is_void=False, scheduled_scan__isnull=False
    )
    for pk, value, details in rows.values_list("scheduled_scan", "value", "details"):
        reports.setdefault(pk, []).append((value, details))
    found = [_scan_dose(one, reports.get(one.pk, ())) for one in scans]
    versions = [one.planned_scan.version for one in scans]
    definition = max(versions, key=lambda one: one.number).definition if versions else {}
    limit = definition.get("effective_dose_limit")
    return PatientDose(
        found,
        effective_dose.cumulative(
            [one.dose for one in found], limit_msv=in_force(limit).get("msv")
        ),
        limit,
        _cited(definition, limit),
    )


def exposure(
    definition: Mapping[str, Any],
    *,
    label: str,
    tracer: str,
    net_activity_mbq: float | None,
    residual_activity_mbq: float | None,
    has_ct: bool | None,
    reports: Iterable[tuple[Any, Mapping[str, Any]]],
    told: Mapping[str, Any] | None = None,
) -> Exposure:
    """A scan as the dose is computed from it; `reports` are recorded DLPs with their details.

    `told` is what images and dose reports tell of the CT, as a statement of headers keeps it.
    """
    stated = coefficient(definition, tracer)
    return Exposure(
        label=label,
        net_activity_mbq=net_activity_mbq,
        msv_per_mbq=stated.get("msv_per_mbq"),
        is_upper_bound=net_activity_mbq is not None and residual_activity_mbq is None,
        is_proposed=bool(stated) and not in_force(stated),
        has_ct=has_ct,
        irradiations=tuple(_irradiation(value, details) for value, details in reports),
        proposed=_proposed(told),
    )


def compared(given: Exposure, tolerances: Tolerances) -> str:
    """How what is recorded of the CT stands to what is proposed, within the protocol's tolerance.

    Empty where one of the two is missing, or a part of what is recorded is no number.
    """
    known = [one.dlp_mgy_cm for one in given.irradiations if one.dlp_mgy_cm is not None]
    if given.proposed is None or not known or len(known) < len(given.irradiations):
        return ""
    agrees = dlp_agrees(
        sum(known), given.proposed.dlp_mgy_cm, basis=given.proposed.basis, tolerances=tolerances
    )
    return "agrees" if agrees else "differs"


def proposed(scan: ScheduledScan) -> Proposed | None:
    """What a dose report or the images propose of the dose of a scan's CT."""
    statement = getattr(scan, "header_statement", None)
    return _proposed(statement.ct_dose) if statement else None


def stated(definition: Mapping[str, Any]) -> dict[str, Any]:
    """What a trial file says of doses: the coefficient of each tracer, and the limit."""
    sources = definition.get("sources") or {}
    tracers = [(one["name"], one.get("effective_dose")) for one in definition.get("tracers") or ()]
    return {
        "tracers": [(name, of and _marked(of, sources)) for name, of in tracers],
        "limit": (limit := definition.get("effective_dose_limit")) and _marked(limit, sources),
    }


def _marked(stated: Mapping[str, Any], sources: Mapping[str, str]) -> dict[str, Any]:
    marks = [key for key in stated["source"] if key in sources]
    return {**stated, "marks": marks, "is_proposed": not in_force(stated)}


def coefficient(definition: Mapping[str, Any], tracer: str) -> Mapping[str, Any]:
    """What a trial file states of the dose of a tracer; empty where it states nothing."""
    for one in definition.get("tracers", ()):
        if one["identifier"] == tracer:
            return one.get("effective_dose") or {}
    return {}


def _scan_dose(scan: ScheduledScan, reports: Iterable[tuple[Any, Mapping[str, Any]]]) -> ScanDose:
    injection, plan = getattr(scan, "injection", None), scan.planned_scan
    statement = getattr(scan, "header_statement", None)
    told = statement.ct_dose if statement else {}
    given = exposure(
        plan.version.definition,
        label=plan.label,
        tracer=plan.tracer.identifier,
        net_activity_mbq=injection and injection.net_activity_mbq,
        residual_activity_mbq=injection and injection.residual_activity_mbq,
        has_ct=plan.requires_ct,
        reports=reports,
        told=told,
    )
    stated = coefficient(plan.version.definition, plan.tracer.identifier)
    sources = _cited(plan.version.definition, stated)
    comparison = compared(given, plan.tolerances)
    why = told.get("message", "")
    return ScanDose(scan, given, effective_dose.dose(given), sources, comparison, why)


def _proposed(told: Mapping[str, Any] | None) -> Proposed | None:
    return Proposed(**told) if told and "dlp_mgy_cm" in told else None


def _irradiation(value: Any, details: Mapping[str, Any]) -> Irradiation:
    # A bound such as "<5" is no number to add up.
    is_number = isinstance(value, int | float) and variables.has_kind("ct_dlp", value)
    return Irradiation(float(value) if is_number else None, details.get("region"))


def _cited(definition: Mapping[str, Any], stated: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple(definition["sources"][key] for key in (stated or {}).get("source", ()))
