"""The randomised cross-over of the demonstration: three patients at three points of their way."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from config.demo.accounts import CROSSOVER_SITE, CROSSOVER_TRIAL, user_of
from config.demo.enrolling import enrolled
from config.demo.narration import Narration
from trials.models import Allocation, Site
from trials.roles import Role
from trials.services import (
    allocations,
    injections,
    scans,
)

# Sex, year of birth, weight in kg, and how many of the two tracers have been given.
PEOPLE = (("F", "1958", 71.0, 1), ("M", "1969", 84.5, 1), ("F", "1974", 63.0, 0))
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
            allocation = _randomised(site, sex, birth)
            _go(allocation, weight_kg, given)
            sequence = allocations.sequence_of(allocation)["label"]
            narration.say(f"{allocation.patient}: {sequence}; given so far: {given} of 2")


def _randomised(site: Site, sex: str, birth: str) -> Allocation:
    # Days before, by any clock: nothing of it falls on the day of the injection.
    day = site.today() - timedelta(days=2)
    patient = enrolled(site, sex_at_birth=sex, birth=birth, consented_on=day)
    return allocations.allocate(patient, by=user_of(Role.COORDINATOR, site.code))


def _go(allocation: Allocation, weight_kg: float, given: int) -> None:
    """Schedule the periods in their order, and inject as many of them as were given."""
    patient, now = allocation.patient, timezone.now()
    coordinator = user_of(Role.COORDINATOR, patient.site.code)
    plans = {one.identifier: one for one in allocation.version.planned_scans.all()}
    for period, name in enumerate(allocations.sequence_of(allocation)["periods"]):
        # Whose first tracer is still to come has it tomorrow.
        at = now + timedelta(days=not given) + period * BETWEEN_PERIODS
        scan = scans.schedule(patient, planned_scan=plans[name], planned_at=at, by=coordinator)
        if period < given:
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
