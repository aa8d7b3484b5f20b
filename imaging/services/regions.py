"""Reference regions that a reader accepts or places."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager

from django.utils import timezone

from imaging import reference_regions
from imaging.models import Quantification, ReferenceRegion, Series
from imaging.selectors import regions as selecting
from imaging.selectors import volumes
from imaging.services import objects, proposals, response_orders
from imaging.services import quantification as measuring
from trials import permissions
from trials.models import User
from trials.services import audit, jobs
from trials.services.errors import Invalid, Refused

RADIUS_MM = (3.0, 30.0)
# Of what no proposal is made for: adrenals and the middle of a vertebra have room for no more.
SMALL_RADIUS_MM = 8.0


def usual_radius_mm(kind: str) -> float:
    """Of the sphere where a reader states none: that of a proposal, 15 mm in the liver."""
    found = proposals.PROPOSALS.get(kind)
    return found[1] if found else SMALL_RADIUS_MM


def place(
    quantification: Quantification,
    *,
    kind: str,
    centre_mm: tuple[float, float, float],
    radius_mm: float | None = None,
    by: User,
) -> ReferenceRegion:
    """Put a sphere where the reader says, in place of one of its kind, and compare lesions.

    Without a radius it has that of its kind.
    """
    permissions.require(by, "region.place", quantification)
    if kind not in ReferenceRegion.Kind.values:
        raise Invalid("kind", f"Choose one of {', '.join(ReferenceRegion.Kind.values)}.")
    if radius_mm is None:
        radius_mm = usual_radius_mm(kind)
    if not RADIUS_MM[0] <= radius_mm <= RADIUS_MM[1]:
        raise Invalid("radius_mm", f"Expected 3 to 30 mm, got {radius_mm:g} mm.")
    if not all(map(math.isfinite, centre_mm)):
        raise Invalid("centre_mm", "Give three finite coordinates in mm.")
    if quantification.suvmax is None or not quantification.is_current:
        raise Refused("no-current-suv", "This series has no current SUV to measure a region on.")
    series = quantification.series
    if volumes.input_digest(series) != quantification.input_sha256:
        raise Refused(
            "measured-again", "Images of this series came since: wait until it is measured again."
        )
    values, grid = measuring.volume_of(quantification)
    try:
        statistics = reference_regions.sphere(
            values,
            grid=grid,
            centre_mm=centre_mm,
            radius_mm=radius_mm,
            peak=measuring.peak_of(quantification.parameters),
        )
    except reference_regions.RegionError as error:
        raise Invalid("centre_mm", str(error)) from error
    with _action("region.placed", quantification, by=by):
        _require_current(quantification)
        selecting.in_force(quantification).filter(kind=kind).update(replaced_at=timezone.now())
        region = measuring.add_region(
            quantification,
            statistics,
            kind=kind,
            status=ReferenceRegion.Status.PLACED,
            placed_by=by,
        )
        _follow(region, by=by)
    return region


def accept(region: ReferenceRegion, *, by: User) -> ReferenceRegion:
    """Stand for a proposed region as its reader: what rests on it is no longer in doubt."""
    quantification = region.quantification
    permissions.require(by, "region.place", quantification)
    with _action("region.accepted", quantification, by=by):
        _require_current(quantification)
        region = ReferenceRegion.objects.get(pk=region.pk)
        if not region.is_proposed or region.replaced_at:
            raise Refused(
                "region-not-proposed", "This region is not proposed any more: see what is in force."
            )
        region.status = ReferenceRegion.Status.ACCEPTED
        region.accepted_by, region.accepted_at = by, timezone.now()
        region.save(update_fields=["status", "accepted_by", "accepted_at"])
        measuring.judge_positivity(region)
        _follow(region, by=by)
    return region


def _follow(region: ReferenceRegion, *, by: User) -> None:
    """Order a run where the threshold of lesions rests on the region, else the objects anew.

    Inside an action.
    """
    quantification = region.quantification
    if quantification.parameters.get("region") == region.kind:
        scan = quantification.series.imaging_study.scheduled_scan
        jobs.enqueue("imaging.quantify", actor=by, on=scan, series=quantification.series_id)
    else:
        objects.order(quantification, by=by)
        if region.kind in (ReferenceRegion.Kind.LIVER, ReferenceRegion.Kind.BLOOD_POOL):
            response_orders.order(quantification.series.imaging_study.scheduled_scan, by=by)


def _action(name: str, quantification: Quantification, *, by: User) -> AbstractContextManager:
    patient = quantification.series.imaging_study.scheduled_scan.patient
    return audit.action(
        name, actor=by, reason="reference region", trial=patient.trial_id, patient=patient.pk
    )


def _require_current(quantification: Quantification) -> None:
    """Nor another reader: no run may take its place, and no region, until the transaction ends."""
    Series.objects.select_for_update().get(pk=quantification.series_id)
    if not Quantification.objects.filter(pk=quantification.pk, is_current=True).exists():
        raise Refused(
            "measured-again", "This series was measured again meanwhile: place it once more."
        )
