"""Reference regions of a run: which are in force, which a reader stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Q, QuerySet

from imaging.models import Lesion, LesionPositivity, LesionRatio, Quantification, ReferenceRegion
from imaging.ratios import Ratio, RatioError, Uptake, target_to_background

IN_FORCE = Q(replaced_at=None)


def in_force(run: Quantification) -> QuerySet[ReferenceRegion]:
    """One region of each kind that has any."""
    return run.reference_regions.filter(IN_FORCE)


def stood_for(run: Quantification, *, at: datetime | None = None) -> QuerySet[ReferenceRegion]:
    """The regions that a reader accepted or placed, in force now or at a time."""
    regions = run.reference_regions.exclude(status=ReferenceRegion.Status.PROPOSED)
    if at is None:
        return regions.filter(IN_FORCE)
    is_begun = Q(accepted_at__lte=at) | Q(accepted_at=None, placed_at__lte=at)
    return regions.filter(is_begun, IN_FORCE | Q(replaced_at__gt=at))


def ratios_in_force() -> QuerySet[LesionRatio]:
    """Ratios to regions in force, with these."""
    return LesionRatio.objects.filter(region__replaced_at=None).select_related("region")


def positivities_in_force() -> QuerySet[LesionPositivity]:
    """What lesions are by computation, against regions in force; one of a lesion at most."""
    return LesionPositivity.objects.filter(region__replaced_at=None)


def background(run: Quantification) -> list[ReferenceRegion]:
    """The regions in force that lesions are compared with."""
    return background_among(run, in_force(run))


def background_among(
    run: Quantification, regions: Iterable[ReferenceRegion]
) -> list[ReferenceRegion]:
    plan = run.series.imaging_study.scheduled_scan.planned_scan
    kinds = {*ReferenceRegion.BACKGROUND, *plan.reference_regions}
    return [region for region in regions if region.kind in kinds]


def is_background(region: ReferenceRegion) -> bool:
    """Whether lesions are compared with it."""
    return bool(background_among(region.quantification, [region]))


def ratios_to(region: ReferenceRegion, lesion: Uptake) -> tuple[Ratio, Ratio, Ratio] | None:
    """TBR of SUVmax, SUVpeak and SUVmean; None where noise made the mean of a lesion negative."""
    try:
        return target_to_background(lesion, background_mean=region.suvmean)
    except RatioError:
        return None


def line_up(lesions: Sequence[Lesion], columns: Sequence[ReferenceRegion]) -> None:
    """Give each lesion its ratios in the order of the regions, None where it has none."""
    for lesion in lesions:
        found = {one.region_id: one for one in lesion.ratios.all()}
        lesion.compared = [found.get(region.pk) for region in columns]
