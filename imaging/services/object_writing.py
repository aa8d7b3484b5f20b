"""Segmentation and report of a run, as DICOM objects in the archive.

A job of its own: the libraries take a hundred times as long as the measurement. The outlines are
found again by the run's own parameters in the same images, and are refused where they are not
the lesions of the record: a mask beside numbers that are not its own helps nobody.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from imaging import geometry, headers, lesion_report, lesion_segments, storage
from imaging.derived_objects import ObjectError, Source, written
from imaging.lesion_report import LesionRow, RegionRow, Rows
from imaging.lesion_segments import Origin, Outline
from imaging.models import DicomObject, Lesion, Quantification, ReferenceRegion, Series
from imaging.selectors import regions, volumes
from imaging.services import quantification as measuring
from imaging.services import reconciliation
from trials import segmentation_methods
from trials.services import audit, jobs
from trials.services.errors import Refused
from trials.services.fault_points import reach
from trials.version import VERSION


@dataclass(frozen=True)
class Found:
    """What a run lies on, and what it outlined."""

    source: Source
    grid: geometry.Grid
    outlines: list[Outline]


def write(claim: jobs.Claim) -> None:
    """Write what is not written yet; nothing for a run that another one is about to follow."""
    row = _load(claim.arguments["quantification"])
    if _is_overtaken(row):
        with jobs.fenced(claim):
            return
    jobs.report(claim, "Outlining lesions")
    try:
        found = found_of(row)
    except Refused as refusal:
        if refusal.code != "measured-again":
            raise
        with jobs.fenced(claim):
            return
    jobs.report(claim, "Writing DICOM objects")
    known = set(row.dicom_objects.values_list("sop_instance_uid", flat=True))
    new = [ds for ds in made_of(found, rows_of(row, found.grid)) if ds.SOPInstanceUID not in known]
    made = [(ds, *storage.archive.write([written(ds)])) for ds in new]
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
            _discard({sha256 for _, sha256, _ in made})
            return
        for ds, sha256, size in made:
            _keep(row, ds, sha256, size)
    reach("write_objects.committed")


def _load(pk: int) -> Quantification:
    return Quantification.objects.select_related(
        "series__imaging_study__scheduled_scan__patient__trial",
        "series__imaging_study__scheduled_scan__planned_scan__tracer",
    ).get(pk=pk)


def _is_overtaken(row: Quantification) -> bool:
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
        lesions=tuple(_lesion(one, in_force) for one in row.lesions.prefetch_related("ratios")),
        regions=tuple(_region(one, grid) for one in in_force),
        method=_method(row),
    )


def _method(row: Quantification) -> str:
    words = segmentation_methods.words(row.parameters)
    if row.parameters["method"] == segmentation_methods.IMPORTED:
        return words
    return f"{words}, at least {row.parameters['minimum_volume_ml']:g} mL, 26-connected"


_STANDING = {
    ReferenceRegion.Status.PROPOSED: "proposed",
    ReferenceRegion.Status.ACCEPTED: "accepted by a reader",
    ReferenceRegion.Status.PLACED: "placed by a reader",
}


def _regions(row: Quantification) -> list[ReferenceRegion]:
    return list(regions.in_force(row).order_by("kind"))


def _lesion(one: Lesion, in_force: list[ReferenceRegion]) -> LesionRow:
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
    )


def _region(one: ReferenceRegion, grid: geometry.Grid) -> RegionRow:
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


def found_of(row: Quantification) -> Found:
    """The outlines behind the rows of a run; the volume of SUV is let go of with the return."""
    order = geometry.stack_from_headers(volumes.headers_of(row.series)).order
    values, grid = measuring.volume_of(row)
    return Found(_source(row, order), grid, _outlines(row, values, grid))


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


def _outlines(row: Quantification, values: np.ndarray, grid: geometry.Grid) -> list[Outline]:
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
    """Segmentation and report; no segmentation without lesions, nothing where nothing was found."""
    if not (rows.lesions or rows.regions):
        return []
    if not found.outlines:
        return [lesion_report.report(found.source, rows, None)]
    segmentation = lesion_segments.segmentation(
        found.source, found.outlines, shape=found.grid.shape
    )
    report = lesion_report.report(found.source, rows, segmentation)
    return [segmentation, report]


def _keep(row: Quantification, ds: Dataset, sha256: str, size: int) -> None:
    DicomObject.objects.get_or_create(
        quantification=row,
        sop_instance_uid=ds.SOPInstanceUID,
        defaults={
            "kind": ds.Modality,
            "series_instance_uid": ds.SeriesInstanceUID,
            "sha256": sha256,
            "size": size,
            "header": headers.object_header(ds).to_json(),
            "software_version": VERSION,
        },
    )


def _discard(digests: set[str]) -> None:
    """What was written of images that are gone goes with them: no row will name it."""
    named = DicomObject.objects.filter(sha256__in=digests).values_list("sha256", flat=True)
    for sha256 in digests - set(named):
        storage.archive.remove(sha256)
