"""Cohorts: the room they have, and closing them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count
from django.utils import timezone

from trials import permissions
from trials.models import Cohort, CohortClosure, Enrolment, ProtocolVersion, Trial, User
from trials.services import audit
from trials.services.errors import Invalid, Refused


@dataclass(frozen=True)
class Room:
    """How full a cohort is, over all sites of the trial, and the arm that it is of."""

    cohort: Cohort
    enrolled: int
    is_closed: bool
    # Of its arm: what it is called, its cap, and the patients of all its cohorts.
    arm_label: str = ""
    arm_cap: int | None = None
    arm_enrolled: int = 0

    @property
    def is_full(self) -> bool:
        is_own = self.cohort.cap is not None and self.enrolled >= self.cohort.cap
        return is_own or self.is_arm_full

    @property
    def is_arm_full(self) -> bool:
        return self.arm_cap is not None and self.arm_enrolled >= self.arm_cap

    @property
    def is_open(self) -> bool:
        return not self.is_closed and not self.is_full

    @property
    def sentence(self) -> str:
        cap = "no limit is stated" if self.cohort.cap is None else f"of {self.cohort.cap}"
        state = "closed" if self.is_closed else "full" if self.is_full else "open"
        told = f"{self.cohort.label}: {state}, {self.enrolled} enrolled, {cap}"
        if self.arm_cap is None:
            return told
        return f"{told}; arm {self.arm_label}: {self.arm_enrolled} enrolled, of {self.arm_cap}"


def rooms(version: ProtocolVersion) -> list[Room]:
    """Every cohort of a version with its room; patients of earlier versions count in it."""
    counted = dict(
        Enrolment.objects.filter(patient__trial=version.trial_id, cohort__isnull=False)
        .order_by()
        .values_list("cohort__identifier")
        .annotate(n=Count("pk"))
    )
    closed = set(
        CohortClosure.objects.filter(trial=version.trial_id, reopened_at__isnull=True).values_list(
            "cohort", flat=True
        )
    )
    every = list(version.cohorts.all())
    arms = {one["identifier"]: one for one in version.definition.get("arms", ())}
    in_arm: Counter[str] = Counter()
    for one in every:
        in_arm[one.arm] += counted.get(one.identifier, 0)
    return [
        Room(
            one,
            counted.get(one.identifier, 0),
            one.identifier in closed,
            arm_label=arms.get(one.arm, {}).get("label", ""),
            arm_cap=arms.get(one.arm, {}).get("cap"),
            arm_enrolled=in_arm[one.arm],
        )
        for one in every
    ]


def close(trial: Trial, *, cohort: str, reason: str, by: User) -> CohortClosure:
    """Let a cohort take no more patients."""
    permissions.require(by, "cohort.close", trial)
    audit.require_reason(reason)
    _require_known(trial, cohort)
    with audit.action("cohort.closed", actor=by, reason=reason, trial=trial.pk):
        Trial.objects.select_for_update().get(pk=trial.pk)
        if trial.cohort_closures.filter(cohort=cohort, reopened_at__isnull=True).exists():
            raise Refused("closed-already", f"{cohort} is closed already.")
        return CohortClosure.objects.create(trial=trial, cohort=cohort)


def reopen(trial: Trial, *, cohort: str, reason: str, by: User) -> CohortClosure:
    """Let a closed cohort take patients again."""
    permissions.require(by, "cohort.close", trial)
    audit.require_reason(reason)
    with audit.action("cohort.reopened", actor=by, reason=reason, trial=trial.pk):
        closure = (
            CohortClosure.objects.select_for_update()
            .filter(trial=trial, cohort=cohort, reopened_at__isnull=True)
            .first()
        )
        if closure is None:
            raise Refused("not-closed", f"{cohort} is not closed.")
        closure.reopened_at = timezone.now()
        closure.save(update_fields=["reopened_at"])
    return closure


def _require_known(trial: Trial, cohort: str) -> None:
    known = Cohort.objects.filter(version__trial=trial).values_list("identifier", flat=True)
    if cohort not in known:
        expected = ", ".join(dict.fromkeys(known)) or "none"
        raise Invalid("cohort", f"The trial has the cohorts {expected}; got {cohort!r}.")
