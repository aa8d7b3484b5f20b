"""The gate of a scan day: whether the injection may be given now, and what stands against it.

It never stops the record. What was given all the same is recorded with the reason, and
becomes a deviation; a failed criterion of the day moves the scan, it does not make the
patient ineligible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from zoneinfo import ZoneInfo

from django.utils import timezone

from trials import eligibility
from trials.crossover import shown
from trials.kleene import Truth
from trials.models import (
    Batch,
    Delegation,
    EligibilityAssessment,
    EligibilityCriterion,
    Enrolment,
    Patient,
    Scanner,
    ScheduledScan,
    User,
)
from trials.services import (
    assessments,
    batches,
    consents,
    crossover,
    delegations,
    own_dates,
    scanners,
    verdicts,
)

Gate = EligibilityCriterion.Gate
ELIGIBLE = EligibilityAssessment.Verdict.ELIGIBLE
MET, UNMET, NOT_CHECKABLE = "met", "unmet", "not checkable"
# Conditions of a cross-over that rest on the times of its injections alone.
OF_TIMES = frozenset({"sequence", "gap"})


@dataclass(frozen=True)
class Condition:
    """One thing the gate looks at: how it stands, and in a sentence why."""

    code: str
    label: str
    standing: str
    sentence: str

    @property
    def is_red(self) -> bool:
        return self.standing == UNMET


@dataclass(frozen=True)
class Day:
    """Who gives what, on which scanner, when: as far as it is known.

    `is_given` says that it was given then; otherwise `at` is now, and the scan is still to come.
    """

    by: User
    at: datetime
    batch: Batch | None = None
    scanner: Scanner | None = None
    is_given: bool = False


def conditions(scan: ScheduledScan, day: Day) -> list[Condition]:
    """The gate line by line, as of now."""
    patient = scan.patient
    return [
        _participation(patient),
        _consent(patient, day),
        _enrolment(patient),
        *_criteria(scan, day),
        *_crossover(scan, day),
        _delegation(patient, day),
        _batch(scan, day),
        _scanner(scan, day),
    ]


def reds(scan: ScheduledScan, day: Day) -> list[Condition]:
    """What stands against the injection."""
    return [one for one in conditions(scan, day) if one.is_red]


def reds_of_its_time(scan: ScheduledScan, day: Day) -> list[Condition]:
    """What stands against it by when it was given: consent, and the way of a cross-over.

    Whatever became of the record since: this is asked again when that time is corrected.
    """
    crossover_ways = (one for one in _crossover(scan, day) if one.code in OF_TIMES)
    return [one for one in (_consent(scan.patient, day), *crossover_ways) if one.is_red]


def now(by: User) -> Day:
    return Day(by=by, at=timezone.now())


def _participation(patient: Patient) -> Condition:
    taking_part = patient.state == Patient.State.ENROLLED
    word = patient.get_state_display().lower()
    return _told("participation", "Takes part", taking_part, f"{patient} is {word}.")


def _consent(patient: Patient, day: Day) -> Condition:
    standing = consents.standing(patient, at=day.at)
    return _told("consent", "Consent valid", standing.is_valid, standing.sentence)


def _enrolment(patient: Patient) -> Condition:
    row = Enrolment.objects.filter(patient=patient).select_related("signature").first()
    label = "Eligibility signed"
    if row is None:
        return _told("eligibility", label, False, f"{patient} is not enrolled.")
    if row.is_despite_criteria:
        return _told("eligibility", label, False, "Enrolled though not eligible.")
    if row.signature is None:
        return Condition(
            "eligibility", label, NOT_CHECKABLE, "Enrolled before verdicts were signed here."
        )
    zone = ZoneInfo(patient.site.time_zone)
    signed = f"{row.signature.signer_name}, {shown(row.signature.signed_at, zone)}."
    return _told("eligibility", label, True, signed)


def _criteria(scan: ScheduledScan, day: Day) -> Iterator[Condition]:
    """Each gate of the scan judged anew, and whether an assessment says so.

    What was given is held to when it was given: not to when it was planned, nor to when that is
    typed in.
    """
    now = timezone.now()
    gates = {
        gate: assessments.criteria_of(scan.planned_scan.version, gate)
        for gate in assessments.SCAN_GATES
    }
    dates = own_dates.taken([scan.patient], chain(*gates.values()), now=now)
    record = assessments.record_of(
        scan.patient,
        scan,
        now=now,
        dates=dates.get(scan.patient_id, {}),
        injected_at=day.at if day.is_given else None,
    )
    for gate, every in gates.items():
        criteria = [one for one in every if eligibility.applies(one, record) is not Truth.NO]
        if not criteria:
            continue
        judged = eligibility.judge_all(criteria, record)
        label = f"Criteria: {Gate(gate).label.lower()}"
        if eligibility.verdict(judged.values()) != ELIGIBLE:
            yield _told(gate, label, False, _failing(judged))
            continue
        gap = verdicts.gap(scan, gate=gate)
        yield _told(gate, label, not gap, gap or f"{', '.join(judged)}: satisfied as of now.")


def _crossover(scan: ScheduledScan, day: Day) -> Iterator[Condition]:
    for one in crossover.asked(scan, at=day.at):
        if one.is_met is None:
            yield Condition(one.code, one.label, NOT_CHECKABLE, one.sentence)
        else:
            yield _told(one.code, one.label, one.is_met, one.sentence)


def _failing(judged: dict[str, eligibility.Judgement]) -> str:
    """The criteria that stand in the way, each with its reason."""
    return " ".join(
        f"{name} {one.word}: {one.reason}"
        for name, one in judged.items()
        if one.word in {"excludes", "cannot tell"}
    )


def _delegation(patient: Patient, day: Day) -> Condition:
    on = _local(day.at, patient).date()
    holds = delegations.holds(day.by, Delegation.Duty.INJECT, patient.site, on=on)
    word = "is" if holds else "was not"
    return _told(
        "delegation",
        "Delegated to inject",
        holds,
        f"{day.by} {word} delegated to inject at {patient.site} on {on}.",
    )


def _batch(scan: ScheduledScan, day: Day) -> Condition:
    label, tracer = "Batch released and not expired", scan.planned_scan.tracer
    if day.batch is None:
        text = "No batch is named for this injection."
        return Condition("batch", label, NOT_CHECKABLE, text)
    found = batches.problems(day.batch, at=day.at)
    if day.batch.tracer != tracer.identifier:
        found.append(f"It is of {day.batch.tracer}, this scan is planned with {tracer}.")
    until = f"{day.batch} is good until {batches.on_site(day.batch, day.batch.expires_at)}."
    return _told("batch", label, not found, " ".join(found) or until)


def _scanner(scan: ScheduledScan, day: Day) -> Condition:
    label, tracer = "Scanner qualified and cross-calibrated", scan.planned_scan.tracer
    if day.scanner is None:
        text = "No scanner is named for this scan."
        return Condition("scanner", label, NOT_CHECKABLE, text)
    on = _local(day.at, scan.patient).date()
    found = scanners.problems(day.scanner, tracer=tracer.identifier, on=on)
    return _told("scanner", label, not found, " ".join(found) or f"{day.scanner}: valid on {on}.")


def _told(code: str, label: str, is_met: bool, sentence: str) -> Condition:
    return Condition(code, label, MET if is_met else UNMET, sentence)


def _local(at: datetime, patient: Patient) -> datetime:
    return at.astimezone(ZoneInfo(patient.site.time_zone))
