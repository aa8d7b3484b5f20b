"""The randomised cross-over of the demonstration: four patients at three points of their way."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from config.demo.accounts import CROSSOVER_SITE, CROSSOVER_TRIAL, user_of
from config.demo.enrolling import enrolled
from config.demo.narration import Narration
from trials.models import Allocation, Patient, Site, User
from trials.roles import Role
from trials.services import (
    allocations,
    evidence,
    injections,
    scans,
)

# Sex, year of birth, weight in kg, and how many of the two tracers have been given.
PEOPLE = (
    ("F", "1958", 71.0, 1),
    ("M", "1969", 84.5, 1),
    ("F", "1974", 63.0, 0),
    ("M", "1963", 78.0, 2),
)
# MBq in the syringe, by planned scan.
ASSAYED = {"ptf": 156.0, "fdg": 305.0}
ASSAY_BEFORE = timedelta(minutes=6)
BETWEEN_PERIODS = timedelta(days=7)


def build(narration: Narration) -> None:
    """Enrol and randomise each, schedule both periods, and give some the first tracer."""
    site = Site.objects.select_related("trial").get(
        trial__identifier=CROSSOVER_TRIAL, code=CROSSOVER_SITE
    )
    with narration.step("Cross-over: randomised to the order of the tracers"):
        if site.patients.exists():
            narration.say("was randomised before")
            return
        for sex, birth, weight_kg, given in PEOPLE:
            allocation = _randomised(site, sex, birth, given)
            _go(allocation, weight_kg, given)
            sequence = allocations.sequence_of(allocation)["label"]
            narration.say(f"{allocation.patient}: {sequence}; given so far: {given} of 2")


def _randomised(site: Site, sex: str, birth: str, given: int) -> Allocation:
    # Days before, by any clock: nothing of it falls on the day of the first injection.
    day = site.today() - timedelta(days=2) - _since_first(given)
    patient = enrolled(site, sex_at_birth=sex, birth=birth, consented_on=day)
    return allocations.allocate(patient, by=user_of(Role.COORDINATOR, site.code))


def _go(allocation: Allocation, weight_kg: float, given: int) -> None:
    """Schedule the periods in their order, and inject as many of them as were given."""
    patient, now = allocation.patient, timezone.now()
    coordinator = user_of(Role.COORDINATOR, patient.site.code)
    plans = {one.identifier: one for one in allocation.version.planned_scans.all()}
    for period, name in enumerate(allocations.sequence_of(allocation)["periods"]):
        # Whose first tracer is still to come has it tomorrow; the last one given is given now.
        at = now + timedelta(days=not given) + period * BETWEEN_PERIODS - _since_first(given)
        scan = scans.schedule(patient, planned_scan=plans[name], planned_at=at, by=coordinator)
        if period < given:
            if period:
                _asked_again(patient, at, coordinator)
            injections.record(
                scan,
                assayed_activity_mbq=ASSAYED[name],
                assayed_at=at - ASSAY_BEFORE,
                residual_activity_mbq=None,
                residual_at=None,
                injected_at=at,
                weight_kg=weight_kg,
                by=coordinator,
            )


def _asked_again(patient: Patient, at: datetime, by: User) -> None:
    """No therapy between the tracers: without an answer since the first the second is not given."""
    for variable in ("therapy.anticancer", "therapy.steroids"):
        evidence.record(
            patient,
            variable=variable,
            value=[],
            unit="",
            observed_at=(at - 2 * ASSAY_BEFORE).isoformat(timespec="minutes"),
            is_study_specific=True,
            source="asked before the second tracer",
            by=by,
        )


def _since_first(given: int) -> timedelta:
    """How long ago the first tracer was given, if it was."""
    return max(given - 1, 0) * BETWEEN_PERIODS
