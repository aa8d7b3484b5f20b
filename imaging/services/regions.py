"""Reference regions that a reader places."""

from __future__ import annotations

import math

from imaging import reference_regions
from imaging.models import Quantification, ReferenceRegion, Series
from imaging.selectors import volumes
from imaging.services import objects
from imaging.services import quantification as measuring
from trials import permissions
from trials.models import User
from trials.services import audit, jobs
from trials.services.errors import Invalid, Refused

RADIUS_MM = (3.0, 30.0)


def place(
    quantification: Quantification,
    *,
    kind: str,
    centre_mm: tuple[float, float, float],
    radius_mm: float,
    by: User,
) -> ReferenceRegion:
    """Put a sphere where the reader says, and give each lesion its ratio to it."""
    permissions.require(by, "region.place", quantification)
    if kind not in ReferenceRegion.Kind.values:
        raise Invalid("kind", f"Choose one of {', '.join(ReferenceRegion.Kind.values)}.")
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
            values, grid=grid, centre_mm=centre_mm, radius_mm=radius_mm
        )
    except reference_regions.RegionError as error:
        raise Invalid("centre_mm", str(error)) from error
    scan = quantification.series.imaging_study.scheduled_scan
    with audit.action(
        "region.placed",
        actor=by,
        reason="reference region",
        trial=scan.patient.trial_id,
        patient=scan.patient_id,
    ):
        _require_current(quantification)
        region = measuring.add_region(
            quantification,
            kind=kind,
            status=ReferenceRegion.Status.PLACED,
            statistics=statistics,
            by=by,
        )
        if quantification.parameters.get("region") == kind:
            # The threshold rests on it.
            jobs.enqueue("imaging.quantify", actor=by, on=scan, series=series.pk)
        else:
            objects.order(quantification, by=by)
        return region


def _require_current(quantification: Quantification) -> None:
    """No run may take its place until this transaction ends: the region would hang on the old."""
    Series.objects.select_for_update().get(pk=quantification.series_id)
    if not Quantification.objects.filter(pk=quantification.pk, is_current=True).exists():
        raise Refused(
            "measured-again", "This series was measured again meanwhile: place it once more."
        )
