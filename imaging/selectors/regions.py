"""Reference regions of a run: which are in force, which a reader stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from imaging.models import (
    GrownLesion,
    GrownMirrorImage,
    Lesion,
    LesionPositivity,
    LesionRatio,
    MeasuredRegion,
    Quantification,
    Read,
    ReferenceRegion,
)
from imaging.ratios import Ratio, RatioError, target_to_background

IN_FORCE = Q(replaced_at=None)


def in_force(run: Quantification) -> QuerySet[ReferenceRegion]:
    """One sphere of each kind that has any, and the mirror images of lesions."""
    return run.reference_regions.filter(IN_FORCE).select_related("lesion")


def stood_for(run: Quantification, *, at: datetime | None = None) -> QuerySet[ReferenceRegion]:
    """The regions that a reader accepted or placed, in force now or at a time."""
    regions = run.reference_regions.select_related("lesion")
    regions = regions.exclude(status=ReferenceRegion.Status.PROPOSED)
    if at is None:
        return regions.filter(IN_FORCE)
    is_begun = Q(accepted_at__lte=at) | Q(accepted_at=None, placed_at__lte=at)
    return regions.filter(is_begun, IN_FORCE | Q(replaced_at__gt=at))


def stood_for_by(read: Read, kind: str) -> ReferenceRegion | None:
    """The region of a kind that a signed read rests on: the one in force when it was signed.

    Where there was none, the last that its own reader stood for since: what another reader places
    on the run after the signature is no part of it.
    """
    run = read.quantification
    found = stood_for(run, at=read.signed_at).filter(kind=kind).first()
    if found is not None:
        return found
    own = Q(accepted_by=read.reader_id) | Q(accepted_by=None, placed_by=read.reader_id)
    since = run.reference_regions.exclude(status=ReferenceRegion.Status.PROPOSED)
    return since.filter(own, kind=kind).order_by("pk").last()


def ratios_in_force() -> QuerySet[LesionRatio]:
    """Ratios to regions in force, with these."""
    return LesionRatio.objects.filter(region__replaced_at=None).select_related("region")


def positivities_in_force() -> QuerySet[LesionPositivity]:
    """What lesions are by computation, against regions in force; one of a lesion at most."""
    return LesionPositivity.objects.filter(region__replaced_at=None)


def background(run: Quantification) -> list[ReferenceRegion]:
    """The spheres in force that all lesions are compared with."""
    return background_among(run, in_force(run))


def background_among(
    run: Quantification, regions: Iterable[ReferenceRegion]
) -> list[ReferenceRegion]:
    plan = run.series.imaging_study.scheduled_scan.planned_scan
    kinds = {*ReferenceRegion.BACKGROUND, *plan.reference_regions}
    return [region for region in regions if region.kind in kinds and region.lesion_id is None]


@dataclass(frozen=True)
class MirrorImages:
    """What each lesion has of its own to be compared with, as a column of a table of lesions."""

    regions: Sequence[ReferenceRegion | GrownMirrorImage]
    get_kind_display: str = "Contralateral brain"

    @property
    def is_proposed(self) -> bool:
        """Whether any of them is."""
        return any(one.is_proposed for one in self.regions)

    def of(self, lesion: MeasuredRegion) -> ReferenceRegion | GrownMirrorImage | None:
        """That of a lesion of the run, or of one that a reader grew."""
        if isinstance(lesion, GrownLesion):
            return own_mirror_image(lesion)
        return next(
            (one for one in self.regions if getattr(one, "lesion_id", None) == lesion.pk), None
        )


Region = ReferenceRegion | GrownMirrorImage
Column = ReferenceRegion | MirrorImages


def own_mirror_image(grown: GrownLesion) -> GrownMirrorImage | None:
    """That of a region that a reader grew, if one was found."""
    image = getattr(grown, "mirror_image", None)
    return image if image is not None and image.is_found else None


def with_own(compared: Sequence[Column], mirror_images: Sequence[GrownMirrorImage]) -> list[Column]:
    """The columns of a read: the mirror images of what was grown stand with those of the run."""
    if not mirror_images:
        return list(compared)
    spheres = [one for one in compared if not isinstance(one, MirrorImages)]
    of_run = [region for one in compared if isinstance(one, MirrorImages) for region in one.regions]
    return [*spheres, MirrorImages([*of_run, *mirror_images])]


def columns(run: Quantification, regions: Iterable[ReferenceRegion]) -> list[Column]:
    """What lesions are compared with: spheres, and last their own mirror images if any."""
    found = list(regions)
    own = [one for one in found if one.lesion_id is not None]
    return [*background_among(run, found), *([MirrorImages(own)] if own else [])]


def is_background(region: ReferenceRegion) -> bool:
    """Whether lesions are compared with it; with a mirror image one of them is."""
    return region.lesion_id is not None or bool(background_among(region.quantification, [region]))


def ratios_to(
    column: Column | GrownMirrorImage, lesion: MeasuredRegion
) -> tuple[Ratio, Ratio, Ratio] | None:
    """TBR of SUVmax, SUVpeak and SUVmean.

    None where noise made the mean of a lesion negative, or it has no mirror image.
    """
    region = column.of(lesion) if isinstance(column, MirrorImages) else column
    if region is None:
        return None
    try:
        return target_to_background(lesion, background_mean=region.suvmean)
    except RatioError:
        return None


def line_up(lesions: Sequence[Lesion], columns: Sequence[Column]) -> None:
    """Give each lesion its ratios in the order of the columns, None where it has none."""
    for lesion in lesions:
        found = {one.region_id: one for one in lesion.ratios.all()}
        in_order = [one.of(lesion) if isinstance(one, MirrorImages) else one for one in columns]
        lesion.compared = [found.get(one.pk) if one else None for one in in_order]
