"""Segmentation, report and map of values of a run, as DICOM objects in the archive.

A job of its own: the libraries take a hundred times as long as the measurement. The outlines are
found again by the run's own parameters in the same images, and are refused where they are not
the lesions of the record: a mask beside numbers that are not its own helps nobody. What a report
says may change while it is written, and jobs may overtake each other: which objects stand is
settled at the end, under the lock of the series, by what the record says then.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pydicom
from django.utils import timezone
from pydicom.dataset import Dataset

from imaging import geometry, headers, lesion_report, lesion_segments, storage, value_map
from imaging.derived_objects import ObjectError, Source, written
from imaging.lesion_report import LesionRow, RegionRow, Rows
from imaging.lesion_segments import Origin, Outline
from imaging.models import (
    DicomObject,
    Lesion,
    MeasuredRegion,
    Quantification,
    Read,
    ReferenceRegion,
    Series,
)
from imaging.selectors import regions, volumes
from imaging.services import clearing, reconciliation
from imaging.services import quantification as measuring
from trials import segmentation_methods
from trials.services import audit, jobs
from trials.services.errors import Refused
from trials.services.fault_points import reach
from trials.version import VERSION


@dataclass(frozen=True)
class Found:
    """What a run lies on, and what it outlined; `factors` to SUVbw are in the order of planes."""

    source: Source
    grid: geometry.Grid
    outlines: list[Outline]
    factors: list[float]


# What finds the outlines of a run, or of a read of it, in its volume.
Outlined = Callable[[Quantification, np.ndarray, geometry.Grid], list[Outline]]


def write(claim: jobs.Claim) -> None:
    """Write what is not written yet; nothing for a run that another one is about to follow."""
    row = load(claim.arguments["quantification"])
    found = begun(claim, row, outlines_of)
    if found is None:
        return
    rows = rows_of(row, found.grid)

    def holds() -> bool:
        again = load(row.pk)
        return not is_overtaken(again) and rows_of(again, found.grid).digest == rows.digest

    store(claim, row, made_of(found, rows), holds=holds)


def begun(claim: jobs.Claim, row: Quantification, outlined: Outlined) -> Found | None:
    """What is outlined on a run; None, and the job done, where another run is about to follow."""
    if not is_overtaken(row):
        jobs.report(claim, "Outlining lesions")
        try:
            found = found_of(row, outlined)
        except Refused as refusal:
            if refusal.code != "measured-again":
                raise
        else:
            jobs.report(claim, "Writing DICOM objects")
            return found
    with jobs.fenced(claim):
        return None


def store(
    claim: jobs.Claim,
    row: Quantification,
    made: Sequence[Dataset],
    *,
    holds: Callable[[], bool],
    read: Read | None = None,
) -> None:
    """Keep what was made and end the job; `holds` says, under lock, whether it is still said.

    What holds no longer is kept as superseded: another job may have written the same file.
    """
    known = set(row.dicom_objects.values_list("sop_instance_uid", flat=True))
    new = [ds for ds in made if ds.SOPInstanceUID not in known]
    with clearing.into_archive(claim):
        files = [(ds, *storage.archive.write([written(ds)])) for ds in new]
    reach("write_objects.files-written")
    scan = row.series.imaging_study.scheduled_scan
    with (
        jobs.fenced(claim),
        audit.action(
            "objects.written",
            actor=jobs.system_user(),
            reason="measurement",
            trial=scan.patient.trial_id,
            patient=scan.patient_id,
        ),
    ):
        if Series.objects.select_for_update().get(pk=row.series_id).code in Series.GONE:
            _discard({sha256 for _, sha256, _ in files})
            return
        ends = None if holds() else timezone.now()
        for ds, sha256, size in files:
            _keep(row, read, ds, sha256, size, ends)
        if ends is None:
            _let_stand(row, read, [ds.SOPInstanceUID for ds in made])
    reach("write_objects.committed")


def _let_stand(row: Quantification, read: Read | None, uids: list[str]) -> None:
    """These objects are what is said of a series by itself, or by a read of it; others were."""
    said = DicomObject.objects.filter(quantification__series=row.series_id, read=read)
    standing = said.filter(quantification=row, sop_instance_uid__in=uids)
    standing.exclude(superseded_at=None).update(superseded_at=None)
    others = said.filter(superseded_at=None).exclude(pk__in=standing.values("pk"))
    others.update(superseded_at=timezone.now())


def load(pk: int) -> Quantification:
    """A run with all that its objects are made of."""
    return Quantification.objects.select_related(
        "series__imaging_study__scheduled_scan__patient__trial",
        "series__imaging_study__scheduled_scan__planned_scan__tracer",
    ).get(pk=pk)


def is_overtaken(row: Quantification) -> bool:
    """Whether it no longer holds: what follows it has objects of its own."""
    scan = row.series.imaging_study.scheduled_scan
    return (
        not row.is_current
        or row.series.code in Series.GONE
        or volumes.input_digest(row.series) != row.input_sha256
        or reconciliation.record_version(scan) != row.record_version
    )


def rows_of(row: Quantification, grid: geometry.Grid) -> Rows:
    """What a run says in numbers."""
    in_force = _regions(row)
    return Rows(
        lesions=tuple(
            _lesion(one, row, in_force) for one in row.lesions.prefetch_related("ratios")
        ),
        regions=tuple(region_row(one, grid) for one in in_force),
        method=method_of(row),
    )


def method_of(row: Quantification) -> str:
    """How the run outlined its lesions, in words."""
    words = segmentation_methods.words(row.parameters)
    if "minimum_volume_ml" not in row.parameters:
        return words
    return f"{words}, at least {row.parameters['minimum_volume_ml']:g} mL, 26-connected"


_STANDING = {
    ReferenceRegion.Status.PROPOSED: "proposed",
    ReferenceRegion.Status.ACCEPTED: "accepted by a reader",
    ReferenceRegion.Status.PLACED: "placed by a reader",
}


def _regions(row: Quantification) -> list[ReferenceRegion]:
    return list(regions.in_force(row).filter(lesion=None).order_by("kind"))


def _lesion(one: Lesion, row: Quantification, in_force: list[ReferenceRegion]) -> LesionRow:
    ratios = {ratio.region_id: ratio.tbr for ratio in one.ratios.all()}
    return LesionRow(
        number=one.number,
        plane=one.suvmax_voxel[0],
        suvmax=one.suvmax,
        suvmean=one.suvmean,
        suvpeak=one.suvpeak,
        suvpeak_definition=one.suvpeak_definition,
        volume_ml=one.volume_ml,
        total_uptake=one.total_uptake,
        ratios=tuple(
            (region.kind, ratios[region.pk]) for region in in_force if region.pk in ratios
        ),
        remark=remark_on(one, row),
    )


def remark_on(one: MeasuredRegion, run: Quantification) -> str:
    """What stands beside its numbers wherever they are shown, in sentences."""
    said = (
        f"{one.PARTIAL_VOLUME}." if one.has_partial_volume else "",
        f"{one.PEAK_AT_BORDER}." if one.peak_leaves_image else "",
        run.peak_note,
    )
    return " ".join(filter(None, said))


def region_row(one: ReferenceRegion, grid: geometry.Grid) -> RegionRow:
    """A reference region as reports have it."""
    x, y, z = one.centre_mm
    at = float(grid.patient_to_voxel((x, y, z))[0])
    return RegionRow(
        kind=one.kind,
        label=f"{one.get_kind_display()}, {_STANDING[one.status]}",
        plane=min(max(round(at), 0), grid.shape[0] - 1),
        centre_mm=(x, y, z),
        radius_mm=one.radius_mm,
        suvmean=one.suvmean,
        suv_sd=one.suv_sd,
    )


def found_of(row: Quantification, outlined: Outlined) -> Found:
    """The outlines behind the rows; the volume of SUV is let go of with the return."""
    read = volumes.headers_of(row.series)
    order = geometry.stack_from_headers(read).order
    scale = measuring.scale_of(row.series, read)
    values, grid = volumes.suv_volume(row.series, read, scale=scale)
    factors = [scale.of_slice(i) for i in order]
    return Found(_source(row, order), grid, outlined(row, values, grid), factors)


def _source(row: Quantification, order: tuple[int, ...]) -> Source:
    instances = list(row.series.instances.all())
    first = storage.archive.read(instances[order[0]].sha256)
    return Source(
        head=pydicom.dcmread(io.BytesIO(first), stop_before_pixels=True),
        headers=tuple(volumes.header_of(instances[i], row.series.modality) for i in order),
        run=row.run,
        key=bytes(row.series.imaging_study.scheduled_scan.patient.trial.uid_key),
        software_version=VERSION,
    )


def outlines_of(row: Quantification, values: np.ndarray, grid: geometry.Grid) -> list[Outline]:
    """What a run outlined, found again by its own parameters."""
    recorded = list(row.lesions.order_by("number"))
    if not recorded:
        return []
    again = measuring.regions_of(row, values, grid)
    before = [(one.number, one.voxel_count, list(one.suvmax_voxel)) for one in recorded]
    if [(one.number, one.voxel_count, list(one.suvmax_voxel)) for one in again] != before:
        raise ObjectError(
            "outlines-differ",
            f"Found again, the lesions of run {row.run} have other voxels than in the record: "
            "measure the series again, and this is written of the new run.",
        )
    if row.parameters["method"] == segmentation_methods.IMPORTED:
        # Whoever drew them elsewhere, by hand or not: no algorithm of ours did.
        return [Outline(one.number, one.voxels, origin=Origin.MANUAL) for one in again]
    method = segmentation_methods.words(row.parameters)
    return [Outline(one.number, one.voxels, method=method) for one in again]


def made_of(found: Found, rows: Rows) -> list[Dataset]:
    """Map, segmentation and report; no segmentation without lesions, no report of nothing."""
    scale = value_map.value_map(found.source, found.factors)
    if not (rows.lesions or rows.regions or rows.excluded):
        return [scale]
    if not found.outlines:
        return [scale, lesion_report.report(found.source, rows, None, scale)]
    segmentation = lesion_segments.segmentation(
        found.source, found.outlines, shape=found.grid.shape
    )
    return [scale, segmentation, lesion_report.report(found.source, rows, segmentation, scale)]


def _keep(
    row: Quantification,
    read: Read | None,
    ds: Dataset,
    sha256: str,
    size: int,
    superseded_at: datetime | None,
) -> None:
    DicomObject.objects.get_or_create(
        quantification=row,
        sop_instance_uid=ds.SOPInstanceUID,
        defaults={
            "read": read,
            "kind": ds.Modality,
            "series_instance_uid": ds.SeriesInstanceUID,
            "sha256": sha256,
            "size": size,
            "header": headers.object_header(ds).to_json(),
            "software_version": VERSION,
            "superseded_at": superseded_at,
        },
    )


def _discard(digests: set[str]) -> None:
    """What was written of images that are gone goes with them: no row will name it."""
    named = DicomObject.objects.filter(sha256__in=digests).values_list("sha256", flat=True)
    for sha256 in digests - set(named):
        storage.archive.remove(sha256)
