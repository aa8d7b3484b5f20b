"""The running balance of tracers at a site, by batch and by tracer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.utils import timezone

from trials import accountability, canonical, decay
from trials.accountability import Balance, Movement
from trials.models import (
    AccountabilityReview,
    Batch,
    Injection,
    Site,
    Tracer,
    TracerMovement,
)


@dataclass(frozen=True)
class Line:
    """The balance of a batch, or of a tracer over all its batches."""

    tracer: str
    batch: Batch | None
    balance: Balance
    # Injections recorded from the batch; what was dispensed should be as many.
    injections: int

    @property
    def differs(self) -> bool:
        return self.injections != self.balance.by_kind["dispensed"]


def lines(site: Site, *, at: datetime) -> list[Line]:
    """Each tracer over all, followed by its batches; three queries."""
    half_lives = {
        name: decay.HALF_LIFE.get(nuclide)
        for name, nuclide in Tracer.objects.filter(version__trial=site.trial_id).values_list(
            "identifier", "radionuclide"
        )
    }
    moves = list(site.tracer_movements.filter(undone_because=""))
    batches = list(site.batches.annotate(given=Count("injections")).order_by("tracer", "-pk"))
    found = []
    for tracer in sorted({one.tracer for one in moves} | {one.tracer for one in batches}):
        half_life = half_lives.get(tracer)
        own = [one for one in batches if one.tracer == tracer]
        of_tracer = [one for one in moves if one.tracer == tracer]
        given = sum(one.given for one in own)
        found.append(Line(tracer, None, _balance(of_tracer, at, half_life), given))
        for batch in own:
            of_batch = [one for one in of_tracer if one.batch_id == batch.pk]
            found.append(Line(tracer, batch, _balance(of_batch, at, half_life), batch.given))
    return found


def movements(site: Site) -> QuerySet[TracerMovement]:
    """What was done with the tracers of a site, the newest first."""
    rows = site.tracer_movements.select_related("batch", "recorded_by")
    return rows.order_by("-happened_at", "-pk")


def given(site: Site) -> QuerySet[Injection]:
    """Each injection at a site with its patient and batch, the newest first; one query."""
    rows = Injection.objects.filter(scheduled_scan__patient__site=site)
    return rows.select_related(
        "batch", "scheduled_scan__patient", "scheduled_scan__planned_scan"
    ).order_by("-injected_at", "-pk")


@dataclass(frozen=True)
class Frozen:
    """What of a tracer at a site is reviewed: its balance, and every movement that it rests on."""

    balance: list[dict[str, Any]]
    movements: list[list[Any]]

    @property
    def sha256(self) -> str:
        return canonical.sha256({"balance": self.balance, "movements": self.movements})


@dataclass(frozen=True)
class Reviewed:
    """A tracer at a site with its newest review, if any, and what of it is overtaken."""

    tracer: str
    now: Frozen
    review: AccountabilityReview | None
    since: str

    @property
    def stands(self) -> bool:
        return self.review is not None and not self.since


def frozen(site: Site, tracer: str, *, among: Sequence[Line] | None = None) -> Frozen:
    """What is reviewed of a tracer now; `among` are the lines of the site, if they are at hand.

    Without the activity, which is another one a minute later.
    """
    every = among if among is not None else lines(site, at=timezone.now())
    rows = site.tracer_movements.filter(tracer=tracer).order_by("pk")
    return Frozen(
        [_frozen_line(one) for one in every if one.tracer == tracer],
        [_frozen_movement(one) for one in rows.select_related("batch")],
    )


def reviewed(site: Site, every: Sequence[Line]) -> list[Reviewed]:
    """Each tracer of a site's lines with its newest review."""
    newest: dict[str, AccountabilityReview] = {}
    for one in site.accountability_reviews.select_related("reviewed_by"):
        newest.setdefault(one.tracer, one)
    found = []
    for tracer in dict.fromkeys(one.tracer for one in every):
        review, now = newest.get(tracer), frozen(site, tracer, among=every)
        since = overtaken_by(review, now) if review else ""
        found.append(Reviewed(tracer, now, review, since))
    return found


def overtaken_by(review: AccountabilityReview, now: Frozen) -> str:
    """What of a review is overtaken, in words; empty while it stands."""
    said = []
    if count := accountability.changed(review.movements, now.movements):
        said.append(f"{count} movement{'s' if count > 1 else ''} since")
    if _injections(review.balance) != _injections(now.balance):
        said.append(
            f"{_injections(review.balance)} injections then, {_injections(now.balance)} now"
        )
    return "; ".join(said)


def _injections(balance: Sequence[dict[str, Any]]) -> int:
    return sum(one["injections"] for one in balance if one["batch"] is None)


def _frozen_line(line: Line) -> dict[str, Any]:
    return {
        "batch": line.batch.number if line.batch else None,
        **line.balance.by_kind,
        "on_hand": line.balance.on_hand,
        "injections": line.injections,
    }


def _frozen_movement(one: TracerMovement) -> list[Any]:
    return [
        one.pk,
        one.kind,
        one.doses,
        one.batch.number if one.batch else None,
        one.activity_mbq,
        one.happened_at.isoformat(),
        one.reference,
        one.undone_because,
    ]


def _balance(rows: Iterable[TracerMovement], at: datetime, half_life: float | None) -> Balance:
    return accountability.balance(
        [Movement(one.kind, one.doses, one.activity_mbq, one.happened_at) for one in rows],
        at=at,
        half_life=half_life,
    )
