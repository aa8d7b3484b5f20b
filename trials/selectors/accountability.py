"""The running balance of tracers at a site, by batch and by tracer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from trials import accountability, decay
from trials.accountability import Balance, Movement
from trials.models import Batch, Site, Tracer, TracerMovement


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


def _balance(rows: Iterable[TracerMovement], at: datetime, half_life: float | None) -> Balance:
    return accountability.balance(
        [Movement(one.kind, one.doses, one.activity_mbq, one.happened_at) for one in rows],
        at=at,
        half_life=half_life,
    )
