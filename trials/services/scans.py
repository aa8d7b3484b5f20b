"""Scheduling scans and recording what was injected."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import IntegrityError
from django.utils import timezone

from trials import decay, permissions
from trials.models import Delegation, Injection, Patient, PlannedScan, ScheduledScan, User
from trials.services import (
    assessments,
    audit,
    delegations,
    deviations,
    moments,
    patients,
    queries,
    verdicts,
)
from trials.services.errors import Invalid, Refused

# Clocks of a site and of the server may differ by as much.
CLOCKS = timedelta(minutes=5)
# A syringe is assayed within the day.
LONGEST_TO_INJECTION = timedelta(hours=24)


def schedule(
    patient: Patient, *, planned_scan: PlannedScan, planned_at: datetime, by: User
) -> ScheduledScan:
    """Give a planned scan of the protocol a time for this patient."""
    permissions.require(by, "scan.schedule", patient)
    patients.require_participation(patient)
    if planned_scan.version.trial_id != patient.trial_id:
        raise Invalid("planned_scan", "This scan is planned in another trial.")
    if planned_scan.version != patient.site.version_in_force:
        raise Invalid(
            "planned_scan",
            f"{planned_scan.version} is not in force at {patient.site}: choose a scan of the "
            "version that is.",
        )
    if patient.state != Patient.State.ENROLLED:
        raise Refused(
            "not-enrolled",
            f"{patient} is not enrolled: enrol before scheduling a scan.",
        )
    planned_at = moments.aware(planned_at, field="planned_at")
    try:
        with audit.action("scan.scheduled", actor=by, reason="planned", trial=patient.trial_id):
            return ScheduledScan.objects.create(
                patient=patient, planned_scan=planned_scan, planned_at=planned_at
            )
    except IntegrityError as error:
        raise Refused(
            "already-scheduled", f"{planned_scan} is scheduled for {patient} already."
        ) from error


def reschedule(
    scan: ScheduledScan, *, planned_at: datetime, reason: str, by: User
) -> ScheduledScan:
    """Give a scan that has not begun another time; what was judged for the old one falls."""
    permissions.require(by, "scan.schedule", scan)
    audit.require_reason(reason)
    planned_at = moments.aware(planned_at, field="planned_at")
    with audit.action(
        "scan.rescheduled",
        actor=by,
        reason=reason,
        trial=scan.patient.trial_id,
        patient=scan.patient_id,
    ):
        # Whoever assesses holds the patient too: a verdict is of the old time, or of the new.
        patients.require_participation(patients.hold_still(scan.patient))
        locked = ScheduledScan.objects.select_for_update().get(pk=scan.pk)
        if locked.state != ScheduledScan.State.SCHEDULED:
            raise Refused(
                "scan-has-begun",
                f"This scan is {locked.get_state_display().lower()}: its time can't change.",
            )
        locked.planned_at, locked.rescheduled_at = planned_at, timezone.now()
        locked.save(update_fields=["planned_at", "rescheduled_at"])
    return locked


def record_injection(
    scan: ScheduledScan,
    *,
    assayed_activity_mbq: float,
    assayed_at: datetime,
    residual_activity_mbq: float | None,
    residual_at: datetime | None,
    injected_at: datetime,
    route: str,
    weight_kg: float,
    height_cm: float | None,
    by: User,
    injected_by: User | None = None,
) -> Injection:
    """Record the injection as it happened; what is outside the protocol becomes a deviation."""
    permissions.require(by, "injection.record", scan)
    patients.require_participation(scan.patient)
    _check_injection(assayed_activity_mbq, residual_activity_mbq, residual_at, weight_kg, height_cm)
    times = {"assayed_at": assayed_at, "injected_at": injected_at, "residual_at": residual_at}
    _require_past(times)
    tracer = scan.planned_scan.tracer
    half_life = decay.HALF_LIFE[tracer.radionuclide]
    net = _net_activity(
        half_life,
        assayed_activity_mbq,
        assayed_at,
        residual_activity_mbq,
        residual_at,
        injected_at,
    )
    trial = scan.patient.trial_id
    with audit.action(
        "injection.recorded",
        actor=by,
        reason="scan day",
        trial=trial,
        patient=scan.patient_id,
    ):
        locked = ScheduledScan.objects.select_for_update().get(pk=scan.pk)
        if Injection.objects.filter(scheduled_scan=locked).exists():
            raise Refused("already-injected", "The injection of this scan is recorded already.")
        injection = Injection.objects.create(
            scheduled_scan=locked,
            assayed_activity_mbq=assayed_activity_mbq,
            assayed_at=assayed_at,
            residual_activity_mbq=residual_activity_mbq,
            residual_at=residual_at,
            injected_at=injected_at,
            injected_by=injected_by or by,
            route=route,
            weight_kg=weight_kg,
            height_cm=height_cm,
            net_activity_mbq=net.value,
            half_life_s=half_life,
            recorded_by=by,
        )
        if locked.state == ScheduledScan.State.SCHEDULED:
            locked.state = ScheduledScan.State.INJECTED
            locked.save(update_fields=["state"])
        _judge(injection, residual_known=net.residual_known)
    return injection


def _check_injection(assayed, residual, residual_at, weight, height) -> None:
    if not assayed > 0:
        raise Invalid("assayed_activity_mbq", f"Must be positive, got {assayed:g} MBq.")
    if (residual is None) != (residual_at is None):
        raise Invalid(
            "residual_at",
            "A measured residual needs its time, and a time its residual.",
        )
    if residual is not None and residual < 0:
        raise Invalid("residual_activity_mbq", f"Can't be negative, got {residual:g} MBq.")
    if not 1 <= weight <= 400:
        raise Invalid("weight_kg", f"Expected 1 to 400 kg, got {weight:g} kg.")
    if height is not None and not 30 <= height <= 250:
        raise Invalid("height_cm", f"Expected 30 to 250 cm, got {height:g} cm.")


def _require_past(times: dict[str, datetime | None]) -> None:
    """Nothing is recorded that has not happened; clocks may differ by a few minutes."""
    limit = timezone.now() + CLOCKS
    for field, at in times.items():
        if at and at > limit:
            raise Invalid(field, f"This lies ahead, at {at:%Y-%m-%d %H:%M %Z}: check the date.")


def _net_activity(half_life, assayed, assayed_at, residual, residual_at, injected_at):
    try:
        return decay.net_activity(
            assayed=assayed,
            assay_to_injection=(injected_at - assayed_at).total_seconds(),
            residual=residual,
            injection_to_residual=(
                (residual_at - injected_at).total_seconds() if residual_at else None
            ),
            half_life=half_life,
        )
    except decay.DecayError as error:
        raise Invalid("residual_activity_mbq", str(error)) from error


def _span(low: float | None, high: float | None) -> str:
    """The limits in words; a source may state only one of them."""
    if low is None:
        return f"up to {high:g}"
    return f"{low:g} to {high:g}" if high is not None else f"{low:g} or more"


def _judge(injection: Injection, *, residual_known: bool) -> None:
    """Compare with the protocol. Inside the action that recorded the injection."""
    tracer = injection.scheduled_scan.planned_scan.tracer
    low, high = tracer.activity_low_mbq, tracer.activity_high_mbq
    net = injection.net_activity_mbq
    if (low is not None and net < low) or (high is not None and net > high):
        deviations.draft_by_rule(
            injection,
            rule="injected-activity-out-of-range",
            text=f"Net injected activity {net:.1f} MBq is outside {_span(low, high)} MBq.",
            values={"found": net, "low": low, "high": high, "unit": "MBq"},
        )
    if not residual_known:
        queries.raise_by_rule(
            injection,
            rule="residual-not-measured",
            text="The residual activity was not measured: the net activity leaves it out. "
            "Answer with the activity and its time, or confirm that it was not measured.",
        )
    _judge_assay(injection)
    _judge_delegation(injection)
    _judge_eligibility(injection)


def _judge_assay(injection: Injection) -> None:
    """A syringe assayed long before is a wrong date, or a syringe nobody should have used."""
    apart = abs(injection.injected_at - injection.assayed_at)
    if apart > LONGEST_TO_INJECTION:
        queries.raise_by_rule(
            injection,
            rule="assay-far-from-injection",
            text=f"Between assay and injection lie {apart.total_seconds() / 3600:.0f} h: "
            "check both dates.",
        )


def _judge_delegation(injection: Injection) -> None:
    """Who injected without the duty deviates; the injection happened all the same."""
    site, person = injection.scheduled_scan.patient.site, injection.injected_by
    day = injection.injected_at.astimezone(ZoneInfo(site.time_zone)).date()
    if not delegations.holds(person, Delegation.Duty.INJECT, site, on=day):
        deviations.draft_by_rule(
            injection,
            rule="injected-without-delegation",
            text=f"{person} was not delegated to inject at {site} on {day}.",
            values={"found": str(person), "expected": "delegated to inject"},
        )


def _judge_eligibility(injection: Injection) -> None:
    """An injection without an eligible verdict in force at each gate of the scan deviates."""
    scan = injection.scheduled_scan
    found = {gate: verdicts.gap(scan, gate=gate) for gate in assessments.SCAN_GATES}
    gaps = {str(gate): gap for gate, gap in found.items() if gap}
    if gaps:
        deviations.draft_by_rule(
            injection,
            rule="injected-without-eligibility",
            text=" ".join(["Injected without an eligible assessment in force.", *gaps.values()]),
            values={"found": gaps, "expected": "eligible"},
        )
