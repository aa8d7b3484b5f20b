"""Regions drawn on images: placed on the series they were drawn on, or the reason why not.

They may come before its images, or before the last of them: so whenever images of a
scan are assembled, its regions are looked at again. Where the protocol takes lesions from regions
drawn elsewhere, the PET series of the scan are measured again whenever one comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imaging import geometry
from imaging.contours import Region, RegionError
from imaging.models import Instance, Series
from imaging.segments import Segment
from imaging.selectors import drawings
from imaging.selectors.drawings import Canvas
from trials.models import ScheduledScan, User
from trials.segmentation_methods import IMPORTED
from trials.services import jobs, queries

State = Series.State
PLACED = "The regions lie on images of this scan now."


def place(scan: ScheduledScan, *, changed: Sequence[Series], by: User) -> list[Series]:
    """Place what regions of a scan wait for images, or were drawn on what changed.

    Inside the action that assembled the images, or took them away; what of the changed series is
    to be measured that action orders itself. The series of regions that were looked at.
    """
    rows = (
        Series.objects.select_for_update(of=("self",))
        .filter(imaging_study__scheduled_scan=scan, modality__in=Series.REGIONS)
        .exclude(code__in=Series.GONE)
        .order_by("pk")
    )
    due = [
        one
        for one in rows
        if one.state != State.ASSEMBLED or one in changed or one.drawn_on in changed
    ]
    is_moved = any(one.drawn_on_id for one in [*due, *changed])
    for one in due:
        _place(one, scan)
    if is_moved or any(one.drawn_on_id for one in due):
        _measure_again(scan, changed, by)
    return due


def _measure_again(scan: ScheduledScan, changed: Sequence[Series], by: User) -> None:
    """Order runs on the PET series that are assembled; the others are measured once they are."""
    if scan.planned_scan.segmentation.get("method") != IMPORTED:
        return
    pet = Series.objects.filter(imaging_study__scheduled_scan=scan, modality="PT")
    pet = pet.exclude(assembly={}).exclude(state=State.RELEASED).exclude(code__in=Series.GONE)
    for one in pet.exclude(pk__in=[series.pk for series in changed]).order_by("pk"):
        jobs.enqueue("imaging.quantify", actor=by, on=scan, series=one.pk)


def _place(series: Series, scan: ScheduledScan) -> None:
    try:
        canvas, regions = _placed(series, scan)
    except RegionError as error:
        series.state, series.code, series.message = State.REFUSED, error.code, error.message
        series.drawn_on, series.assembly = None, {}
        queries.raise_by_rule(
            series, rule=error.code, text=f"{series.modality} not usable: {error.message}"
        )
    else:
        series.state, series.code, series.message = State.ASSEMBLED, "", ""
        series.drawn_on, series.assembly = canvas.series, {"regions": regions}
    queries.settle_others(series, rule=series.code, text=PLACED)
    series.save(update_fields=["state", "code", "message", "drawn_on", "assembly"])


def _placed(series: Series, scan: ScheduledScan) -> tuple[Canvas, list[dict]]:
    """On what the regions lie, and what is known of each."""
    found = [(one, drawn.series, drawn.regions) for one, drawn in drawings.drawings_of(series)]
    referenced = {uid for _, uids, _ in found for uid in uids}
    canvas = _canvas(scan, referenced, [region for _, _, several in found for region in several])
    return canvas, [
        _facts(instance, region, canvas) for instance, _, several in found for region in several
    ]


def _canvas(
    scan: ScheduledScan, referenced: set[str], regions: Iterable[Region | Segment]
) -> Canvas:
    """The series that the regions were drawn on: where several are named, that of the contours."""
    if not referenced:
        raise RegionError(
            "regions-of-no-series",
            "The regions do not say on which images they were drawn. Export them again with "
            "references to the series.",
        )
    rows = Series.objects.filter(
        imaging_study__scheduled_scan=scan, series_instance_uid__in=referenced
    ).exclude(modality__in=Series.NO_IMAGES)
    rows = rows.exclude(code__in=Series.GONE).order_by("-modality", "pk")
    if not rows:
        raise RegionError(
            "referenced-series-missing",
            "The series that the regions were drawn on is not among the images of this scan. Send "
            "it too: the regions are then placed on it. If it was sent for another scan, have the "
            "regions refused and send them for that one.",
        )
    canvases = [one for row in rows if (one := _assembled(row))]
    if not canvases:
        raise RegionError(
            "referenced-series-unusable",
            "The series that the regions were drawn on could not be assembled; its own reason "
            "says what to do. The regions are placed on it once it is.",
        )
    for canvas in canvases:
        if all(canvas.holds(region) for region in regions):
            return canvas
    raise RegionError(
        "referenced-image-missing",
        "An image that a region was drawn on is not among those of its series. Send the missing "
        "slices: the regions are then placed on them.",
    )


def _assembled(row: Series) -> Canvas | None:
    try:
        return drawings.canvas(row)
    except geometry.GeometryError:
        return None


def _facts(instance: Instance, region: Region | Segment, canvas: Canvas) -> dict:
    if region.frame_of_reference_uid not in canvas.frames_of_reference:
        raise RegionError(
            "other-frame-of-reference",
            "The regions are in another frame of reference than the images that they refer to. "
            "Draw them on the original series, without registering or copying it before.",
        )
    mask = region.mask(canvas.grid, canvas.planes)
    return {
        "instance": instance.pk,
        "number": region.number,
        "label": region.label,
        "voxels": int(mask.sum()),
    }
