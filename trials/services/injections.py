"""The injection as it happened: recorded, corrected with a reason, and held to the protocol.

The source is the truth: nothing that was given is refused. What was outside the protocol
becomes a deviation, what is missing a question, and both follow a correction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from trials import decay, permissions
from trials.injected_activity import Judgement, Limits, judged
from trials.models import (
    Batch,
    ClockReading,
    HeaderStatement,
    Injection,
    Scanner,
    ScheduledScan,
    Tracer,
    User,
)
from trials.services import (
    assessments,
    audit,
    batches,
    delegations,
    deviations,
    evidence,
    form_evidence,
    moments,
    patients,
    queries,
    scan_day,
    scanners,
    verdicts,
)
from trials.services.deviations import Finding
from trials.services.errors import Invalid, Refused
from trials.stated import compared

# Rules of deviations: given with a red gate, and when it was not to be given.
DESPITE, AT_ITS_TIME = "injected-despite-the-gate", "injected-at-its-time"
# A syringe is assayed within the day.
LONGEST_TO_INJECTION = timedelta(hours=24)
Extravasation = Injection.Extravasation
LEAKED = (Extravasation.SUSPECTED, Extravasation.SEEN)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the source says was given. Activities in MBq; a residual of None is not measured."""

    assayed_activity_mbq: float
    assayed_at: datetime
    residual_activity_mbq: float | None
    residual_at: datetime | None
    injected_at: datetime
    weight_kg: float
    height_cm: float | None = None
    route: str = "intravenous"
    body_site: str = ""
    extravasation: str = Extravasation.NOT_STATED
    comment: str = ""
    batch: Batch | None = None
    scanner: Scanner | None = None


@dataclass(frozen=True, kw_only=True)
class Glucose:
    """Plasma glucose measured before the injection."""

    value: float
    unit: str
    measured_at: str


def record(
    scan: ScheduledScan,
    *,
    by: User,
    injected_by: User | None = None,
    despite: str = "",
    glucose: Glucose | None = None,
    is_difference_confirmed: bool = False,
    **given,
) -> Injection:
    """Record the injection as it happened; what is outside the protocol becomes a deviation.

    With the gate of the day red, `despite` says why it was given all the same. Where the
    images are there already and say otherwise, `is_difference_confirmed` says that the record
    is as its source. A `glucose` measured for it becomes evidence of the scan.
    """
    permissions.require(by, "injection.record", scan)
    facts = Given(**given)
    _check(facts, scan)
    day = _day(injected_by or by, facts)
    patient = scan.patient
    with audit.action(
        "injection.recorded",
        actor=by,
        reason=despite.strip() or "scan day",
        trial=patient.trial_id,
        patient=patient.pk,
    ):
        patients.hold_still(patient)
        locked = ScheduledScan.objects.select_for_update().get(pk=scan.pk)
        _require_injectable(locked)
        columns = _columns(facts, scan)
        confirmed = _differences(scan, columns)
        _require_confirmed(confirmed, is_difference_confirmed)
        if glucose:
            _note_glucose(scan, glucose, by=by)
        reds = scan_day.reds(scan, day)
        if reds and not despite.strip():
            why = " ".join(one.sentence for one in reds)
            raise Invalid(
                "despite",
                f"The gate is red. {why} If it was given all the same, say why: it is recorded "
                "as a deviation.",
            )
        injection = Injection.objects.create(
            scheduled_scan=locked,
            injected_by=injected_by or by,
            recorded_by=by,
            despite=despite.strip() if reds else "",
            confirmed_differences=confirmed,
            **columns,
        )
        if locked.state == ScheduledScan.State.SCHEDULED:
            locked.state = ScheduledScan.State.INJECTED
            locked.save(update_fields=["state"])
        if reds:
            _draft_despite(injection, reds)
        _judge(injection)
        form_evidence.tell_scan(scan, by=by)
    return injection


def correct(
    injection: Injection, *, reason: str, by: User, is_difference_confirmed: bool = False, **given
) -> Injection:
    """Correct what was recorded; every version stays in the trail, and is judged anew."""
    permissions.require(by, "injection.record", injection)
    audit.require_reason(reason)
    scan = injection.scheduled_scan
    facts = Given(**given)
    _check(facts, scan)
    with audit.action(
        "injection.corrected",
        actor=by,
        reason=reason,
        trial=scan.patient.trial_id,
        patient=scan.patient_id,
    ):
        patients.hold_still(scan.patient)
        locked = Injection.objects.select_for_update(of=("self",)).get(pk=injection.pk)
        if locked.version != injection.version:
            raise Refused(
                "corrected-meanwhile",
                "Somebody corrected this injection while you looked at it: look again.",
            )
        columns = _columns(facts, scan)
        if all(getattr(locked, name) == value for name, value in columns.items()):
            raise Refused("nothing-changed", "This is what is recorded already.")
        confirmed = _differences(scan, columns)
        if confirmed != locked.confirmed_differences:
            _require_confirmed(confirmed, is_difference_confirmed)
        columns |= {"confirmed_differences": confirmed, "version": locked.version + 1}
        for name, value in columns.items():
            setattr(locked, name, value)
        locked.save(update_fields=list(columns))
        _judge(locked)
        _judge_others(locked)
        form_evidence.tell_scan(scan, by=by)
    return locked


def follow_clock(reading: ClockReading) -> None:
    """Count anew what rests on a comparison of clocks. Inside the action that recorded it.

    It may be recorded after the injections that it counts for; each is a new version then, so
    that whatever was computed beside the old one is computed anew.
    """
    rows = Injection.objects.filter(
        scheduled_scan__patient__site=reading.site, injected_at__gte=reading.read_at
    )
    if reading.scanner_id:
        rows = rows.filter(scanner=reading.scanner_id)
    for pk in rows.order_by("scheduled_scan__patient_id", "pk").values_list("pk", flat=True):
        _follow(reading, Injection.objects.select_related("scheduled_scan__patient").get(pk=pk))


def _follow(reading: ClockReading, injection: Injection) -> None:
    patients.hold_still(injection.scheduled_scan.patient)
    locked = Injection.objects.select_for_update(of=("self",)).get(pk=injection.pk)
    older, newer = scanners.readings_until(reading, at=locked.injected_at)
    # Of its calibrator the record keeps what was found, or None; of a scanner exact is as unknown.
    counted = older.ahead_s if older else 0.0
    if newer or reading.ahead_s == (counted if reading.scanner_id else locked.calibrator_ahead_s):
        return
    facts = Given(**{field.name: getattr(locked, field.name) for field in fields(Given)})
    columns = _columns(facts, locked.scheduled_scan)
    for name, value in (columns | {"version": locked.version + 1}).items():
        setattr(locked, name, value)
    locked.save(update_fields=[*columns, "version"])
    _judge(locked)


def limits(tracer: Tracer) -> tuple[Limits, Limits]:
    """What the protocol allows: in all, and by body weight."""
    return (
        Limits(tracer.activity_low_mbq, tracer.activity_high_mbq, "MBq"),
        Limits(tracer.mbq_per_kg_low, tracer.mbq_per_kg_high, "MBq/kg"),
    )


def judgements(injection: Injection, tracer: Tracer | None = None) -> tuple[Judgement, Judgement]:
    """The net activity against both limits of the protocol, or of another version of it."""
    whole, by_weight = limits(tracer or injection.scheduled_scan.planned_scan.tracer)
    net, unknown = injection.net_activity_mbq, injection.residual_activity_mbq is None
    return (
        judged(net, whole, is_upper_bound=unknown),
        judged(net / injection.weight_kg, by_weight, is_upper_bound=unknown),
    )


def activity_findings(injection: Injection, tracer: Tracer) -> dict[str, str]:
    """By rule and in words, which limits of a tracer an injection does not keep."""
    return {
        rule: finding[0]
        for rule, finding in _activity_findings(injection, tracer)
        if finding is not None
    }


def _activity_findings(
    injection: Injection, tracer: Tracer | None = None
) -> Iterator[tuple[str, Finding | None]]:
    whole, by_weight = judgements(injection, tracer)
    yield "injected-activity-out-of-range", _out_of_range("Net injected activity", whole)
    yield "activity-per-weight-out-of-range", _out_of_range("Net activity by weight", by_weight)


def _require_injectable(scan: ScheduledScan) -> None:
    if Injection.objects.filter(scheduled_scan=scan).exists():
        raise Refused("already-injected", "The injection of this scan is recorded already.")
    if scan.state == ScheduledScan.State.CANCELLED:
        raise Refused(
            "scan-cancelled", "This scan was cancelled: record it on the one in its place."
        )


def _differences(scan: ScheduledScan, columns: dict) -> str:
    """In sentences, what the headers of the scan's images say otherwise; empty if nothing."""
    row = HeaderStatement.objects.filter(scheduled_scan=scan).first()
    if row is None:
        return ""
    found = compared(row.stated, Injection(**columns).given, scan.planned_scan.tolerances)
    return " ".join(one.sentence for one in found if not one.agrees)


def _require_confirmed(differences: str, is_confirmed: bool) -> None:
    if differences and not is_confirmed:
        raise Invalid(
            "is_difference_confirmed",
            f"{differences} Look at the source again: correct what is wrong here, or confirm "
            "that the record is as its source.",
        )


def _note_glucose(scan: ScheduledScan, glucose: Glucose, *, by: User) -> None:
    """Keep the glucose as evidence of the scan. Inside the action that records the injection."""
    try:
        evidence.note(
            patient=scan.patient,
            scheduled_scan=scan,
            variable="glucose",
            value=glucose.value,
            unit=glucose.unit,
            observed_at=glucose.measured_at,
            is_study_specific=True,
            source="record of the injection",
            details=None,
            recorded_by=by,
        )
    except Invalid as error:
        field = {"unit": "glucose_unit", "observed_at": "glucose_at"}.get(error.field, "glucose")
        raise Invalid(field, error.message) from error


def _check(given: Given, scan: ScheduledScan) -> None:
    if not given.assayed_activity_mbq > 0:
        raise Invalid(
            "assayed_activity_mbq", f"Must be positive, got {given.assayed_activity_mbq:g} MBq."
        )
    if (given.residual_activity_mbq is None) != (given.residual_at is None):
        raise Invalid("residual_at", "A measured residual needs its time, and a time its residual.")
    if given.residual_activity_mbq is not None and given.residual_activity_mbq < 0:
        text = f"Can't be negative, got {given.residual_activity_mbq:g} MBq."
        raise Invalid("residual_activity_mbq", text)
    if not 1 <= given.weight_kg <= 400:
        raise Invalid("weight_kg", f"Expected 1 to 400 kg, got {given.weight_kg:g} kg.")
    if given.height_cm is not None and not 30 <= given.height_cm <= 250:
        raise Invalid("height_cm", f"Expected 30 to 250 cm, got {given.height_cm:g} cm.")
    if given.extravasation not in Extravasation.values:
        raise Invalid("extravasation", f"Expected one of {', '.join(Extravasation.values)}.")
    for field in ("batch", "scanner"):
        one = getattr(given, field)
        if one and one.site_id != scan.patient.site_id:
            raise Invalid(field, f"{one} is not at {scan.patient.site}.")
    for field in ("assayed_at", "injected_at", "residual_at"):
        if at := getattr(given, field):
            moments.past(at, field=field)


def _columns(given: Given, scan: ScheduledScan) -> dict:
    """The columns of an injection: what was given, and what follows from it."""
    half_life = decay.HALF_LIFE[scan.planned_scan.tracer.radionuclide]
    reading = scanners.clock_ahead(
        scan.patient.site,
        instrument=ClockReading.Instrument.DOSE_CALIBRATOR,
        at=given.injected_at,
    )
    ahead = reading.ahead_s if reading else None
    return {field.name: getattr(given, field.name) for field in fields(given)} | {
        "net_activity_mbq": _net(given, half_life, ahead or 0.0),
        "half_life_s": half_life,
        "calibrator_ahead_s": ahead,
    }


def _net(given: Given, half_life: float, ahead_s: float) -> float:
    """Net activity in MBq; the calibrator's times are put on the reference clock first."""
    ahead = timedelta(seconds=ahead_s)
    residual_at = given.residual_at - ahead if given.residual_at else None
    since_assay = given.injected_at - (given.assayed_at - ahead)
    try:
        return decay.net_activity(
            assayed=given.assayed_activity_mbq,
            assay_to_injection=since_assay.total_seconds(),
            residual=given.residual_activity_mbq,
            injection_to_residual=(
                (residual_at - given.injected_at).total_seconds() if residual_at else None
            ),
            half_life=half_life,
        ).value
    except decay.DecayError as error:
        raise Invalid("residual_activity_mbq", str(error)) from error


# ------------------------------------------------------------------------- held to the protocol


def _judge(injection: Injection) -> None:
    """Compare with the protocol. Inside the action that recorded or corrected it."""
    for rule, finding in _findings(injection):
        deviations.judge_by_rule(injection, rule=rule, finding=finding)
    for rule, question in _questions(injection):
        if question:
            queries.raise_by_rule(injection, rule=rule, text=question)
        else:
            text = "The record was corrected and answers this."
            queries.settle_by_rule(injection, rule=rule, text=text)


def _day(by: User, given: Given | Injection) -> scan_day.Day:
    """The day of what was given, which the gate is asked about."""
    at, batch, scanner = given.injected_at, given.batch, given.scanner
    return scan_day.Day(by=by, at=at, batch=batch, scanner=scanner, is_given=True)


def _judge_others(injection: Injection) -> None:
    """When one was given decides about the patient's others: the gap between two tracers."""
    rows = Injection.objects.filter(scheduled_scan__patient=injection.scheduled_scan.patient_id)
    for one in rows.exclude(pk=injection.pk).order_by("pk"):
        deviations.judge_by_rule(one, rule=AT_ITS_TIME, finding=_at_its_time(one))


def _at_its_time(injection: Injection) -> Finding | None:
    """What stood against it by when it was given, but for what was told when it was recorded."""
    scan = injection.scheduled_scan
    day = _day(injection.injected_by or injection.recorded_by, injection)
    despite = deviations.of_rule(injection, rule=DESPITE)
    told = despite.values["found"] if despite else {}
    reds = scan_day.reds_of_its_time(scan, day)
    found = {one.code: one.sentence for one in reds if one.code not in told}
    return (" ".join(found.values()), {"found": found, "expected": "green"}) if found else None


def _findings(injection: Injection) -> Iterator[tuple[str, Finding | None]]:
    yield from _activity_findings(injection)
    yield delegations.NOT_TO_INJECT, delegations.not_to_inject(injection)
    yield "injected-without-eligibility", _without_eligibility(injection)
    yield batches.NOT_IN_ORDER, batches.not_in_order(injection)
    yield scanners.NOT_IN_ORDER, scanners.not_in_order(injection)
    yield AT_ITS_TIME, _at_its_time(injection)
    yield "extravasation", _leaked(injection)


def _out_of_range(what: str, found: Judgement) -> Finding | None:
    if found.standing != "outside":
        return None
    unit, words = found.limits.unit, found.limits.in_words
    digits = 1 if unit == "MBq" else 2
    return f"{what} {found.value:.{digits}f} {unit} is outside {words}.", found.values


def _without_eligibility(injection: Injection) -> Finding | None:
    """Without an eligible verdict in force at each gate of the scan, as of the recording.

    A correction of the injection does not judge again what was known when it was given.
    """
    if injection.version > 1:
        known = injection.despite
        return _known(injection, "injected-without-eligibility") if known else None
    scan = injection.scheduled_scan
    found = {gate: verdicts.gap(scan, gate=gate) for gate in assessments.SCAN_GATES}
    gaps = {str(gate): gap for gate, gap in found.items() if gap}
    if not gaps:
        return None
    text = " ".join(["Injected without an eligible assessment in force.", *gaps.values()])
    return text, {"found": gaps, "expected": "eligible"}


def _known(injection: Injection, rule: str) -> Finding | None:
    row = deviations.of_rule(injection, rule=rule)
    return (row.text, row.values) if row else None


def _leaked(injection: Injection) -> Finding | None:
    if injection.extravasation not in LEAKED:
        return None
    word = injection.get_extravasation_display().lower()
    values = {"found": injection.extravasation, "expected": "none"}
    return f"Extravasation {word}: less than the net activity was in the blood.", values


def _questions(injection: Injection) -> Iterator[tuple[str, str]]:
    missing = injection.residual_activity_mbq is None
    yield (
        "residual-not-measured",
        "The residual activity was not measured: the net activity leaves it out. "
        "Answer with the activity and its time, or confirm that it was not measured."
        if missing
        else "",
    )
    assayed_at, residual_at = injection.on_reference_clock
    yield (
        "assayed-after-injection",
        "The full syringe was assayed after the injection: check both times and the clocks."
        if assayed_at > injection.injected_at
        else "",
    )
    yield (
        "residual-before-injection",
        "The residual was measured before the injection: check both times and the clocks."
        if residual_at and residual_at < injection.injected_at
        else "",
    )
    apart = abs(injection.injected_at - injection.assayed_at)
    yield (
        "assay-far-from-injection",
        f"Between assay and injection lie {apart.total_seconds() / 3600:.0f} h: check both dates."
        if apart > LONGEST_TO_INJECTION
        else "",
    )


def _draft_despite(injection: Injection, reds: list[scan_day.Condition]) -> None:
    found = {one.code: one.sentence for one in reds}
    deviations.draft_by_rule(
        injection,
        rule=DESPITE,
        text=f"Injected although the gate of the day was red: {injection.despite} "
        + " ".join(found.values()),
        values={"found": found, "expected": "green"},
        is_important=True,
    )
