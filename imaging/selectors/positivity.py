"""Whether regions are positive by the protocol's rule, against one that a reader stands for.

It stands apart from what a reader sees. Without a region that a reader accepted or placed it is
not checkable, which is neither positive nor negative.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from imaging import ratios
from imaging.models import MeasuredRegion, Quantification, ReferenceRegion
from imaging.selectors import regions
from trials import positivity_rules

POSITIVE, NEGATIVE, NOT_CHECKABLE = "positive", "negative", "not_checkable"


@dataclass(frozen=True)
class Judging:
    """The rule of a run, and the region in force for it, if a reader stands for that."""

    run: Quantification
    rule: dict[str, Any]
    region: ReferenceRegion | None

    @property
    def words(self) -> str:
        return positivity_rules.words(self.rule)

    def found(self, lesion: MeasuredRegion) -> ratios.Positivity | None:
        """What the rule says of a region, outlined or grown; None without a reference region."""
        return judged(lesion, self.rule, self.region, self.run) if self.region else None

    def word(self, lesion: MeasuredRegion) -> str:
        found = self.found(lesion)
        if found is None or found.is_positive is None:
            return NOT_CHECKABLE
        return POSITIVE if found.is_positive else NEGATIVE


def judging(
    run: Quantification, in_force: Iterable[ReferenceRegion] | None = None
) -> Judging | None:
    """How lesions of a run are judged; None where the protocol states no rule."""
    rule = run.parameters.get("positivity")
    if not rule:
        return None
    rows = regions.in_force(run) if in_force is None else in_force
    stood_for = (one for one in rows if one.kind == rule["region"] and not one.is_proposed)
    return Judging(run, rule, next(stood_for, None))


def judged(
    lesion: MeasuredRegion, rule: dict[str, Any], region: ReferenceRegion, run: Quantification
) -> ratios.Positivity:
    return ratios.positivity(
        ratios.PositivityRule(
            statistic=rule["on"], factor=rule["times_mean"], deviations=rule["times_sd"]
        ),
        getattr(lesion, rule["on"]),
        mean=region.suvmean,
        sd=region.suv_sd,
        uptake_minutes=run.uptake_minutes,
    )


def of_scan(words: Collection[str]) -> str:
    """Of a scan, from its lesions: one that is positive makes it so; negative if all are."""
    if POSITIVE in words:
        return POSITIVE
    return NOT_CHECKABLE if NOT_CHECKABLE in words else NEGATIVE
