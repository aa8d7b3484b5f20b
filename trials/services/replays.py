"""Judging again what was judged: the stored inputs, never today's evidence.

A replay proves that a verdict follows from what was looked at then. It changes nothing. What
it finds is one of three: the same; a difference, each named; or not replayable, for it was
kept before inputs were frozen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trials import eligibility, frozen, permissions
from trials.models import CriterionResult, EligibilityAssessment, Trial, User


@dataclass(frozen=True)
class Replay:
    """What judging the frozen inputs again came to."""

    assessment: EligibilityAssessment
    engine_then: str
    engine_now: str
    differences: tuple[str, ...]
    is_replayable: bool = True

    @property
    def is_same(self) -> bool:
        return self.is_replayable and not self.differences


def replay(assessment: EligibilityAssessment, *, by: User) -> Replay:
    """Judge the frozen inputs of one assessment again."""
    permissions.require(by, "eligibility.replay", assessment)
    return of(assessment)


def of_trial(trial: Trial, *, by: User) -> Iterator[Replay]:
    """Judge every assessment of a trial again; the system may, and who may replay in it."""
    if not by.is_system:
        permissions.require(by, "eligibility.replay", trial)
    rows = EligibilityAssessment.objects.filter(patient__trial=trial).order_by("pk")
    for one in rows.select_related("patient").prefetch_related("results__criterion").iterator(200):
        yield of(one)


def of(assessment: EligibilityAssessment) -> Replay:
    """The comparison itself; for callers that have checked who asks."""
    if not assessment.inputs:
        return Replay(assessment, assessment.engine, eligibility.ENGINE, (), is_replayable=False)
    return Replay(
        assessment, assessment.engine, eligibility.ENGINE, tuple(_differences(assessment))
    )


def _differences(assessment: EligibilityAssessment) -> Iterator[str]:
    if frozen.digest(assessment.inputs) != assessment.inputs_sha256:
        yield (
            "The frozen inputs are not those that were judged: their SHA-256 is "
            f"{frozen.digest(assessment.inputs)[:16]}…, kept is {assessment.inputs_sha256[:16]}…."
        )
    try:
        criteria, record = frozen.thawed(assessment.inputs)
    except (KeyError, TypeError, ValueError) as error:
        yield f"The frozen inputs can't be read: {type(error).__name__} {error}."
        return
    judged = eligibility.judge_all(criteria, record)
    now = eligibility.verdict(judged.values())
    if now != assessment.verdict:
        yield f"Verdict: kept is {assessment.verdict}, judged again it is {now}."
    kept = {one.criterion.identifier: one for one in assessment.results.all()}
    for name in sorted(kept.keys() ^ judged.keys()):
        where = "is kept and was not judged" if name in kept else "was judged and is not kept"
        yield f"{name} {where}."
    for name in sorted(kept.keys() & judged.keys()):
        yield from _result_differences(name, kept[name], judged[name])


def _result_differences(
    name: str, kept: CriterionResult, judged: eligibility.Judgement
) -> Iterator[str]:
    for field in ("word", "outcome", "reason", "is_provisional"):
        before, after = getattr(kept, field), getattr(judged, field)
        if before != after:
            yield f"{name}, {field}: kept is {before!r}, judged again it is {after!r}."
