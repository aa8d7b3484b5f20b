"""Judging a gate: the criteria of the protocol version on the evidence as it stands now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from trials import eligibility, frozen, permissions, readings, spans, variables
from trials.models import (
    CriterionResult,
    Delegation,
    EligibilityAssessment,
    EligibilityCriterion,
    Evidence,
    Injection,
    Patient,
    ProtocolVersion,
    Query,
    ScheduledScan,
    Site,
    User,
)
from trials.rules import IMPLAUSIBLE
from trials.services import audit, delegations, own_dates, patients, settlements
from trials.services.errors import Invalid, Refused
from trials.version import VERSION

Gate = EligibilityCriterion.Gate
Verdict = EligibilityAssessment.Verdict
Duty = Delegation.Duty
SCAN_GATES = (Gate.PRE_INJECTION, Gate.PER_SCAN)
# Anchors that have no actual time yet when a patient enrols.
LATER_ANCHORS = {"imaging", "injection"}


def assess(
    patient: Patient, *, gate: str, by: User, scheduled_scan: ScheduledScan | None = None
) -> EligibilityAssessment:
    """Judge every criterion of a gate and keep the judgement with the evidence it used."""
    permissions.require(by, "eligibility.assess", patient)
    delegations.require(by, Duty.ASSESS, patient.site)
    patients.require_participation(patient)
    _check_gate(patient, gate, scheduled_scan)
    with audit.action(
        "eligibility.assessed",
        actor=by,
        reason=gate,
        trial=patient.trial_id,
        patient=patient.pk,
    ):
        # Evidence is recorded, scans are rescheduled and conflicts settled under the same lock:
        # nothing slips in.
        held = patients.hold_still(patient)
        patient.sex_at_birth, patient.birth = held.sex_at_birth, held.birth
        version = version_of(patient, scheduled_scan)
        criteria = criteria_of(version, gate)
        if not criteria:
            raise Refused(
                "no-criteria",
                f"{version} states no criteria for this gate: {Gate(gate).label.lower()}.",
            )
        if scheduled_scan:
            scheduled_scan.refresh_from_db(fields=["planned_at"])
        now = timezone.now()
        dates = own_dates.taken([patient], criteria, now=now).get(patient.pk, {})
        record = record_of(patient, scheduled_scan, now=now, dates=dates)
        judgements = eligibility.judge_all(criteria, record)
        inputs = frozen.frozen(criteria, record)
        assessment = EligibilityAssessment.objects.create(
            patient=patient,
            version=version,
            scheduled_scan=scheduled_scan,
            gate=gate,
            verdict=eligibility.verdict(judgements.values()),
            assessed_at=now,
            assessed_by=by,
            software_version=VERSION,
            engine=eligibility.ENGINE,
            inputs=inputs,
            inputs_sha256=frozen.digest(inputs),
        )
        _keep(assessment, judgements)
    return assessment


def version_of(patient: Patient, scan: ScheduledScan | None) -> ProtocolVersion:
    """A scan is judged by the version that planned it, a patient by the one the site follows."""
    version = scan.planned_scan.version if scan else patient.site.version_in_force
    if version is None:
        raise Refused(
            "no-version-in-force",
            f"No protocol version is in force at {patient.site}: a data manager activates one.",
        )
    return version


def criteria_of(
    version: ProtocolVersion, gate: str, *, again: bool = True
) -> list[eligibility.Criterion]:
    """The criteria judged at a gate.

    Before the injection, and with `again`, those of enrolment come once more that look back
    from imaging, injection, or a visit or scan of the protocol: at enrolment none of them need
    have had an actual time.
    """
    conflicts = {
        one["identifier"]: tuple(one.get("conflicts_with", ()))
        for one in version.definition.get("criteria", ())
    }
    decided_against = settlements.left_out(version)
    return [
        _criterion(row, gate, set(conflicts.get(row.identifier, ())) - decided_against)
        for row in version.criteria.all()
        if row.identifier not in decided_against
        and (row.gate == gate or (again and gate == Gate.PRE_INJECTION and _looks_back(row)))
    ]


def record_of(
    patient: Patient,
    scan: ScheduledScan | None,
    *,
    now: datetime,
    doubted: Collection[int] | None = None,
    dates: Mapping[str, readings.Anchor] = MappingProxyType({}),
    injected_at: datetime | None = None,
) -> readings.Record:
    """What the engine may look at, as of `now`; `doubted` spares a query for each of many.

    `dates` are those of `own_dates.taken`, for the criteria that are judged; `injected_at` is when
    the tracer of the scan was given, where that is about to be recorded.
    """
    zone = ZoneInfo(patient.site.time_zone)
    consents = list(patient.consents.all())
    if doubted is None:
        doubted = doubted_at(patient.site, patient=patient)
    return readings.Record(
        sex_at_birth=patient.sex_at_birth,
        birth=patient.birth,
        facts=[_fact(row, doubted) for row in counted(patient, scan)],
        consents=[
            readings.Consent(row.version, row.signed_at, row.withdrawn_at, row.recorded_at)
            for row in consents
        ],
        anchors={**_anchors(scan, consents, zone, now, injected_at), **dates},
        zone=zone,
        tracer=scan.planned_scan.tracer.identifier if scan else None,
    )


def _check_gate(patient: Patient, gate: str, scan: ScheduledScan | None) -> None:
    if gate not in Gate.values:
        raise Invalid("gate", f"The gate is one of {', '.join(Gate.values)}; got {gate!r}.")
    if gate in SCAN_GATES and scan is None:
        raise Invalid("scheduled_scan", "This gate is judged for a scheduled scan: name it.")
    if gate == Gate.ENROLMENT and scan is not None:
        raise Invalid("scheduled_scan", "Enrolment is judged for the patient, not for a scan.")
    if scan and scan.patient_id != patient.pk:
        raise Invalid("scheduled_scan", "This scan belongs to another patient.")


def _looks_back(row: EligibilityCriterion) -> bool:
    anchors = eligibility.anchors_in(row.expression)
    return row.gate == Gate.ENROLMENT and any(
        one in LATER_ANCHORS or own_dates.is_own(one) for one in anchors
    )


def _criterion(
    row: EligibilityCriterion, gate: str, conflicts_with: Iterable[str]
) -> eligibility.Criterion:
    return eligibility.Criterion(
        identifier=row.identifier,
        category=row.category,
        text=row.text,
        expression=row.expression,
        applies_to=row.applies_to,
        gate=gate,
        conflicts_with=tuple(sorted(conflicts_with)),
    )


def counted(patient: Patient, scan: ScheduledScan | None) -> list[Evidence]:
    """Evidence that stands; what is measured for each scan counts for its own alone."""
    return [
        row
        for row in patient.evidence.all()
        if row.superseded_by_id is None and not row.is_void
        if row.scheduled_scan_id in (None, scan and scan.pk)
        or row.variable not in variables.PER_SCAN
    ]


def counting(scan: ScheduledScan | None) -> Q:
    """The same of rows in the database, corrected or not."""
    elsewhere = Q(scheduled_scan__isnull=False)
    if scan:
        elsewhere &= ~Q(scheduled_scan=scan)
    return ~(elsewhere & Q(variable__in=variables.PER_SCAN))


def doubted_at(site: Site, *, patient: Patient | None = None) -> set[int]:
    """Evidence of a site whose value a rule found impossible, while the query is open."""
    rows = Query.objects.filter(
        site=site, rule=IMPLAUSIBLE, subject_table=Evidence._meta.db_table
    ).exclude(state=Query.State.CLOSED)
    if patient:
        rows = rows.filter(patient=patient)
    return set(rows.values_list("subject_pk", flat=True))


def _fact(row: Evidence, doubted: Collection[int]) -> readings.Fact:
    return readings.Fact(
        evidence=row.pk,
        variable=row.variable,
        value=row.value,
        unit=row.unit,
        observed_at=row.observed_at,
        recorded_at=row.recorded_at,
        source=row.source,
        is_study_specific=row.is_study_specific,
        details=row.details,
        is_doubted=row.pk in doubted,
    )


def _anchors(
    scan: ScheduledScan | None,
    consents: list,
    zone: ZoneInfo,
    now: datetime,
    injected_at: datetime | None,
) -> dict[str, readings.Anchor]:
    """Actual times where there are any, else planned ones; what is left out has neither.

    The injection is the nearest recorded time to the imaging that follows it.
    """
    anchors = {"gate": readings.Anchor(spans.moment(now))}
    signed = [spans.span(one.signed_at, zone) for one in consents if one.withdrawn_at is None]
    if signed:
        first = min(signed, key=lambda when: (when.first, when.last))
        anchors["consent"] = readings.Anchor(first)
    if scan is None:
        return anchors
    if injected_at is None:
        injection = Injection.objects.filter(scheduled_scan=scan).first()
        injected_at = injection and injection.injected_at
    if injected_at is None:
        planned = readings.Anchor(spans.moment(scan.planned_at), "planned")
        return anchors | dict.fromkeys(LATER_ANCHORS, planned)
    actual = readings.Anchor(spans.moment(injected_at))
    return anchors | dict.fromkeys([*LATER_ANCHORS, "gate"], actual)


def _keep(assessment: EligibilityAssessment, judgements: dict[str, eligibility.Judgement]) -> None:
    rows = {row.identifier: row for row in assessment.version.criteria.all()}
    for identifier, judgement in judgements.items():
        result = CriterionResult.objects.create(
            assessment=assessment,
            criterion=rows[identifier],
            outcome=judgement.outcome,
            word=judgement.word,
            reason=judgement.reason,
            is_provisional=judgement.is_provisional,
            workings=judgement.workings,
        )
        result.evidence.add(*judgement.evidence)
