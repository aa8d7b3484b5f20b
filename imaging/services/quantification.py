"""Quantification: SUV, lesions, reference regions and pictures of one PET series.

Nothing is overwritten: a new run supersedes the one before. Each stores its version, its
parameters and the digest of what it was computed from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from django.db.models import Max

from imaging import (
    conformance,
    geometry,
    lesions,
    peaks,
    pictures,
    reference_regions,
    segmentation,
    storage,
    suv,
    thresholds,
    volume,
)
from imaging.headers import PetHeader
from imaging.models import (
    Lesion,
    LesionPositivity,
    LesionRatio,
    Picture,
    Quantification,
    ReferenceRegion,
    Series,
    Transmittal,
)
from imaging.peaks import PeakDefinition
from imaging.selectors import positivity, series_of, volumes
from imaging.selectors import regions as selecting
from imaging.services import (
    bed_times,
    drawn_lesions,
    mirror_images,
    objects,
    proposals,
    read_results,
    reconciliation,
    reviews,
)
from trials.conformance_rules import RULES
from trials.models import ScheduledScan
from trials.segmentation_methods import IMPORTED, MANUAL
from trials.services import audit, jobs, queries
from trials.services.errors import Refused
from trials.services.fault_points import reach
from trials.version import VERSION

MAXIMUM_COMPONENTS = 500
PICTURE_UPPER_SUV = 10.0
# Whose weight, activity and time they are, among the adaptations of a scale.
BY_RECORD = "computed-from-record"
PAST = "The series was measured again, and this no longer stands in the way."

Status = Quantification.Status


@dataclass(frozen=True)
class Measured:
    """Everything one run found, before the record knows it."""

    scale: suv.SuvScale
    suvmax: float
    uptake_minutes: float | None
    lesions: tuple[lesions.LesionMeasurement, ...]
    # Where normal tissue may be, by kind; none of a kind that a reader stands for.
    proposed: proposals.Proposals
    mirrored: mirror_images.MirrorImages
    flags: tuple[str, ...]
    # The projection as PNG; None where the volume lies askew.
    picture: bytes | None
    # None where it is taken from a region that nobody placed yet, and there are no lesions then;
    # or where they are drawn.
    threshold: thresholds.Threshold | None
    drawn: drawn_lesions.Drawn
    # Of the scanner on the day; shown and judged, never applied.
    cross_calibration: dict | None
    # What readers accepted or placed on the run before, and what it comes to on this one.
    placed: list[tuple[ReferenceRegion, reference_regions.RegionStatistics]]
    # The protocol's rule for positive lesions; empty where no source states one.
    positivity: dict
    # Its cut-offs for the side of the adrenals; likewise.
    lateralisation: list[dict]


class Blocked(ValueError):  # noqa: N818  a refusal is an answer, not a fault
    """A finding that the protocol calls blocking, and nobody let pass."""

    code = conformance.BLOCKED


# What a series itself can lack: its run says so. Anything else is a fault of ours.
REFUSALS = (
    Blocked,
    suv.SuvRefused,
    geometry.GeometryError,
    volume.VolumeError,
    segmentation.SegmentationError,
)


def run(claim: jobs.Claim) -> None:
    """Measure the series; a series that gives no SUV gets a run that says why."""
    series = _load(claim.arguments["series"])
    if series.code in Series.GONE:
        with jobs.fenced(claim):
            return
    digest = volumes.input_digest(series)
    headers = volumes.headers_of(series)
    scan = series.imaging_study.scheduled_scan
    version = reconciliation.record_version(scan)
    placed, drawn = _placed_rows(series), drawn_lesions.considered(series)
    jobs.report(claim, "Computing SUV")
    try:
        _require_conformance(series)
        measured: Measured | Exception = _measure(claim, series, headers, placed, drawn)
    except REFUSALS as refusal:
        measured = refusal
    reach("quantify.measured")
    with (
        jobs.fenced(claim),
        audit.action(
            "series.quantified",
            actor=jobs.system_user(),
            reason="measurement",
            trial=scan.patient.trial_id,
            patient=scan.patient_id,
        ),
    ):
        # Before the series, as who judges the scan anew: findings change no more until this ends.
        ScheduledScan.objects.select_for_update(no_key=True).get(pk=scan.pk)
        if Series.objects.select_for_update().get(pk=series.pk).code in Series.GONE:
            return
        if volumes.input_digest(series) != digest:
            # Images came meanwhile; the job that they bring measures all of them.
            return
        was_blocked = isinstance(measured, Blocked)
        if _is_overtaken(series, version, placed, drawn, was_blocked=was_blocked):
            jobs.enqueue(claim.kind, actor=claim.actor, on=scan, series=series.pk)
            return
        quantification = _new_run(series, measured, digest, version)
        queries.settle_others(series, rule=quantification.code, text=PAST)
        if isinstance(measured, Measured):
            _record(quantification, measured)
            objects.order(quantification, by=claim.actor)
        else:
            _refuse(series, quantification)
        _finish(series, scan)
        reach("quantify.before-commit")
    reach("quantify.committed")


def _is_overtaken(
    series: Series,
    version: int,
    placed: list[ReferenceRegion],
    drawn: list[Series],
    *,
    was_blocked: bool,
) -> bool:
    """Whether record, findings or regions changed meanwhile: another run is to be ordered."""
    scan = series.imaging_study.scheduled_scan
    if reconciliation.record_version(scan) != version:
        # The clock looks for runs that a correction outran, and a first one is none.
        reconciliation.reconcile(scan)
        return True
    if bool(reconciliation.blocking(series)) != was_blocked:
        return True
    # A region that a reader placed meanwhile would be lost, and one that came or went.
    if _placed_rows(series) != placed:
        return True
    now = drawn_lesions.considered(series)
    return drawn_lesions.as_recorded(now) != drawn_lesions.as_recorded(drawn)


def _require_conformance(series: Series) -> None:
    found = [one.text for one in reconciliation.blocking(series)]
    if found:
        raise Blocked(f"{' '.join(found)} A data manager may let it pass, with a reason.")


def _load(pk: int) -> Series:
    return Series.objects.select_related(
        "imaging_study__scheduled_scan__patient__site",
        "imaging_study__scheduled_scan__planned_scan__tracer",
        "imaging_study__scheduled_scan__planned_scan__version",
        "transmittal",
    ).get(pk=pk)


def _measure(
    claim: jobs.Claim,
    series: Series,
    headers: Sequence[PetHeader],
    rows: Sequence[ReferenceRegion],
    drawings: Sequence[Series],
) -> Measured:
    scale = scale_of(series, headers)
    values, grid = volumes.suv_volume(series, headers, scale=scale)
    jobs.report(claim, "Measuring lesions")
    parameters = _parameters(series)
    peak = peak_of(parameters)
    placed = _placed(rows, values, grid, peak)
    plan = series.imaging_study.scheduled_scan.planned_scan
    proposed = proposals.proposals(
        values,
        grid,
        peak,
        kinds=proposals.wanted(plan),
        without={row.kind for row, _ in placed},
        pet=series,
    )
    if parameters["method"] == IMPORTED:
        how = measured_by(parameters)
        drawn = drawn_lesions.measured(series, values, grid, drawings, **how)
        found, threshold, doubts = drawn.lesions, None, drawn.flags
    else:
        drawn = drawn_lesions.Drawn()
        threshold, doubts = _threshold(parameters, proposed.found, placed)
        found = _lesions(values, grid, threshold.suv, parameters) if threshold else ()
    jobs.report(claim, "Reference regions and pictures")
    mirrored = mirror_images.looked_for(proposed, values, grid, found, peak=peak)
    picture = _picture(values, grid, found)
    scan = series.imaging_study.scheduled_scan
    calibration = reconciliation.cross_calibration(scan)
    flags = (
        *scale.flags,
        *(reconciliation.doubts_about_record(scan) if BY_RECORD in scale.adaptations else ()),
        *(("cross-calibration-not-valid",) if calibration and not calibration["is_valid"] else ()),
        *grid.flags,
        *doubts,
        *(() if picture else ("no-picture",)),
    )
    return Measured(
        scale=scale,
        suvmax=float(values.max()),
        uptake_minutes=_uptake(series, headers),
        lesions=found,
        proposed=proposed,
        mirrored=mirrored,
        flags=flags,
        picture=picture,
        threshold=threshold,
        drawn=drawn,
        cross_calibration=calibration,
        placed=placed,
        positivity=scan.planned_scan.version.positivity,
        lateralisation=scan.planned_scan.version.lateralisation,
    )


def scale_of(series: Series, headers: Sequence[PetHeader]) -> suv.SuvScale:
    """The scale of a series by the source that the protocol names."""
    scan = series.imaging_study.scheduled_scan
    try:
        return suv.suvbw_scale(
            headers,
            recorded=reconciliation.recorded_for_suv(
                scan, is_dated=not series.transmittal.is_deidentified_at_source
            ),
            source=scan.planned_scan.suv_source,
        )
    except suv.SuvRefused as refusal:
        if scale := reviews.decided(series, refusal):
            return scale
        raise


def volume_of(quantification: Quantification) -> tuple[np.ndarray, geometry.Grid]:
    """The very SUV volume that a current run was measured on."""
    series = _load(quantification.series_id)
    headers = volumes.headers_of(series)
    try:
        scale = scale_of(series, headers)
    except suv.SuvRefused as refusal:
        raise Refused(
            "measured-again", "The record changed since: wait until it is measured again."
        ) from refusal
    return volumes.suv_volume(series, headers, scale=scale)


def regions_of(
    quantification: Quantification, values: np.ndarray, grid: geometry.Grid
) -> tuple[lesions.LesionMeasurement, ...]:
    """The regions of a run with their voxels, found again in its volume; none without threshold."""
    parameters = quantification.parameters
    if parameters["method"] == IMPORTED:
        how = measured_by(parameters)
        return drawn_lesions.measured_again(quantification, values, grid, **how)
    return _lesions(values, grid, parameters["suv"], parameters) if "suv" in parameters else ()


def _placed_rows(series: Series) -> list[ReferenceRegion]:
    """What readers stand for on the last run that gave an SUV; runs that gave none came since."""
    last = series.quantifications.exclude(suvmax=None).order_by("-run").first()
    if last is None:
        return []
    # A mirror image is of a lesion of that run, and proposed anew.
    regions = selecting.stood_for(last).filter(lesion=None)
    return list(regions.select_related("placed_by", "accepted_by"))


def _placed(
    rows: Sequence[ReferenceRegion],
    values: np.ndarray,
    grid: geometry.Grid,
    peak: PeakDefinition,
) -> list[tuple[ReferenceRegion, reference_regions.RegionStatistics]]:
    """The regions that readers accepted or placed before, measured on this run."""
    found = []
    for row in rows:
        try:
            statistics = reference_regions.sphere(
                values,
                grid=grid,
                centre_mm=tuple(row.centre_mm),
                radius_mm=row.radius_mm,
                peak=peak,
            )
        except reference_regions.RegionError:
            # More slices may have come: the sphere is then for the reader to place again.
            continue
        found.append((row, statistics))
    return found


def _threshold(
    parameters: dict,
    proposed: dict[str, reference_regions.RegionStatistics],
    placed: list[tuple[ReferenceRegion, reference_regions.RegionStatistics]],
) -> tuple[thresholds.Threshold | None, tuple[str, ...]]:
    """Where lesions begin, and what to doubt of it."""
    if parameters["method"] == MANUAL:
        return None, ()
    is_proposed = parameters.get("region") in proposed
    try:
        threshold = thresholds.of_protocol(
            parameters, proposed | {row.kind: statistics for row, statistics in placed}
        )
    except segmentation.SegmentationError as error:
        if error.code != thresholds.NO_REGION:
            raise
        return None, (error.code,)
    return threshold, ("threshold-from-proposed-region",) * is_proposed


def _lesions(
    values: np.ndarray, grid: geometry.Grid, threshold: float, parameters: dict
) -> tuple[lesions.LesionMeasurement, ...]:
    components = segmentation.fixed_threshold(
        values,
        threshold=threshold,
        spacing=grid.spacing,
        heights=grid.heights if grid.planes else None,
        minimum_volume_ml=parameters["minimum_volume_ml"],
        max_components=MAXIMUM_COMPONENTS,
    )
    return lesions.measure(values, components, grid=grid, **measured_by(parameters))


class MeasuredBy(TypedDict):
    """What the protocol says of how lesions are measured."""

    peak: PeakDefinition
    resolution_mm: float


def measured_by(parameters: dict) -> MeasuredBy:
    """The definition of SUVpeak, and the resolution under twice of which values are too low."""
    resolution = float(parameters.get("resolution_mm", lesions.RESOLUTION_MM))
    return {"peak": peak_of(parameters), "resolution_mm": resolution}


def peak_of(parameters: dict) -> PeakDefinition:
    """What the protocol calls SUVpeak."""
    return peaks.of_parameters(parameters)


def _parameters(series: Series) -> dict:
    return series.imaging_study.scheduled_scan.planned_scan.segmentation


def _uptake(series: Series, headers: Sequence[PetHeader]) -> float | None:
    scan = series.imaging_study.scheduled_scan
    seen = reconciliation.observed(scan, headers)
    return conformance.uptake_minutes(seen, reconciliation.recorded_injection(scan))


def _picture(values: np.ndarray, grid: geometry.Grid, found) -> bytes | None:
    """The projection; a volume that lies askew is measured without one."""
    try:
        return pictures.mip_png(values, grid=grid, lesions=found, upper_suv=PICTURE_UPPER_SUV)
    except pictures.PictureError:
        return None


def _new_run(
    series: Series, measured: Measured | Exception, digest: str, version: int
) -> Quantification:
    series.quantifications.filter(is_current=True).update(is_current=False)
    read_results.end([series.pk])
    last = series.quantifications.aggregate(last=Max("run"))["last"] or 0
    common = {
        "series": series,
        "run": last + 1,
        "input_sha256": digest,
        "software_version": VERSION,
        "record_version": version,
    }
    if isinstance(measured, Measured):
        return Quantification.objects.create(
            status=Status.FLAGGED if measured.flags else Status.COMPUTED,
            flags=list(measured.flags),
            parameters=_parameters(series) | _as_applied(measured),
            suvbw_factor=measured.scale.factor,
            suvmax=measured.suvmax,
            uptake_minutes=measured.uptake_minutes,
            derivation=measured.scale.derivation()
            | {"cross_calibration": measured.cross_calibration},
            **common,
        )
    is_suv = isinstance(measured, suv.SuvRefused)
    return Quantification.objects.create(
        status=Status.REVIEW if is_suv and measured.status == "REVIEW" else Status.REFUSED,
        code=measured.code,
        message=str(measured),
        parameters=_parameters(series),
        derivation=measured.derivation() if is_suv else {},
        **common,
    )


def _as_applied(measured: Measured) -> dict:
    """What the method of the protocol came to on this series."""
    applied: dict = {"positivity": measured.positivity} if measured.positivity else {}
    applied |= measured.proposed.as_recorded()
    if measured.mirrored.refused:
        applied["without_mirror_image"] = measured.mirrored.refused
    if measured.lateralisation:
        applied["lateralisation"] = measured.lateralisation
    if measured.threshold:
        applied |= {"suv": measured.threshold.suv, "why": measured.threshold.why}
    if measured.drawn.drawings:
        applied |= {"drawings": drawn_lesions.as_recorded(measured.drawn.drawings)}
    return applied


def _record(quantification: Quantification, measured: Measured) -> None:
    Lesion.objects.bulk_create(
        Lesion(
            quantification=quantification,
            number=one.number,
            **measured_columns(one),
            **measured.drawn.columns_of(one),
        )
        for one in measured.lesions
    )
    for kind, statistics in measured.proposed.found.items():
        add_region(
            quantification,
            statistics,
            kind=kind,
            status=ReferenceRegion.Status.PROPOSED,
            placed_by=jobs.system_user(),
        )
    _record_mirrored(quantification, measured.mirrored)
    for row, statistics in measured.placed:
        add_region(
            quantification,
            statistics,
            kind=row.kind,
            status=row.status,
            placed_by=row.placed_by,
            placed_at=row.placed_at,
            accepted_by=row.accepted_by,
            accepted_at=row.accepted_at,
        )
    if measured.picture:
        # Not before it is certain that this run stands: no row would name the picture, and
        # taking it away again might take it from a run that draws the same.
        sha256, size = storage.archive.write([measured.picture])
        Picture.objects.create(
            quantification=quantification, kind=Picture.Kind.MIP, sha256=sha256, size=size
        )
    series = quantification.series
    series.state, series.code, series.message = Series.State.QUANTIFIED, "", ""
    series.save(update_fields=["state", "code", "message"])


def _record_mirrored(quantification: Quantification, mirrored: mirror_images.MirrorImages) -> None:
    if mirrored.mirrored is None:
        return
    lesions_by_number = {one.number: one for one in quantification.lesions.all()}
    for number, statistics in mirrored.mirrored.found.items():
        add_region(
            quantification,
            statistics,
            kind=mirror_images.KIND,
            status=ReferenceRegion.Status.PROPOSED,
            placed_by=jobs.system_user(),
            lesion=lesions_by_number[number],
            plane=mirror_images.recorded(mirrored.mirrored.plane),
        )


def measured_columns(one: lesions.LesionMeasurement) -> dict:
    """A measurement as the columns of a measured region."""
    return {
        "suvmax": one.suvmax,
        "suvmean": one.suvmean,
        "suvpeak": one.suvpeak,
        "suvpeak_definition": one.suvpeak_definition,
        "volume_ml": one.volume_ml,
        "total_uptake": one.total_uptake,
        "voxel_count": one.voxel_count,
        "suvmax_voxel": list(one.suvmax_voxel),
        "centroid_mm": list(one.centroid_mm),
        "has_partial_volume": one.partial_volume,
        "extent_mm": list(one.extent_mm),
        "peak_leaves_image": one.peak_leaves_image,
    }


def add_region(
    quantification: Quantification,
    statistics: reference_regions.RegionStatistics,
    **stated: Any,
) -> ReferenceRegion:
    """Store a reference region and the ratios of every lesion to it. Inside an action.

    `stated` is its kind, its status, and who placed or accepted it.
    """
    region = ReferenceRegion.objects.create(
        quantification=quantification,
        centre_mm=list(statistics.centre_mm),
        radius_mm=statistics.radius_mm,
        voxel_count=statistics.n,
        suvmean=statistics.mean,
        suv_sd=statistics.sd,
        suvmax=statistics.suvmax,
        suvpeak=statistics.suvpeak,
        suvpeak_definition=statistics.suvpeak_definition,
        volume_ml=statistics.volume_ml,
        uptake_minutes=bed_times.uptake_minutes(quantification, statistics.centre_mm),
        **stated,
    )
    if selecting.is_background(region):
        compared = [region.lesion] if region.lesion else quantification.lesions.all()
        found = (_ratio(lesion, region) for lesion in compared)
        LesionRatio.objects.bulk_create(one for one in found if one)
    judge_positivity(region)
    return region


def judge_positivity(region: ReferenceRegion) -> None:
    """Say of each lesion whether it is positive by a region that a reader stands for.

    Inside an action.
    """
    run = region.quantification
    rule = run.parameters.get("positivity")
    if not rule or region.is_proposed or rule["region"] != region.kind:
        return
    found = (_positivity(lesion, region, rule, run) for lesion in run.lesions.all())
    LesionPositivity.objects.bulk_create(one for one in found if one)


def _positivity(
    lesion: Lesion, region: ReferenceRegion, rule: dict, run: Quantification
) -> LesionPositivity | None:
    found = positivity.judged(lesion, rule, region, run)
    if found.is_positive is None:
        return None
    return LesionPositivity(
        lesion=lesion,
        region=region,
        rule=rule,
        is_positive=found.is_positive,
        value=found.value,
        threshold=found.threshold,
        why=found.why,
    )


def _ratio(lesion: Lesion, region: ReferenceRegion) -> LesionRatio | None:
    found = selecting.ratios_to(region, lesion)
    if found is None:
        return None
    of_max, of_peak, of_mean = (one.value for one in found)
    return LesionRatio(lesion=lesion, region=region, tbr=of_max, tbr_peak=of_peak, tbr_mean=of_mean)


def _refuse(series: Series, quantification: Quantification) -> None:
    series.state = Series.State.REFUSED
    series.code, series.message = quantification.code, quantification.message
    series.save(update_fields=["state", "code", "message"])
    if quantification.code in RULES:
        # Asked about the scan, and only where none of its series does without.
        return
    queries.raise_by_rule(
        series,
        rule=quantification.code,
        text=f"No SUV could be given for the PET images: {quantification.message}",
    )


def _finish(series: Series, scan: ScheduledScan) -> None:
    """Move scan and transmittals on when this was their last PET series to be measured."""
    brought = Transmittal.objects.filter(files__instance__series=series).values("pk")
    for transmittal in Transmittal.objects.select_for_update().filter(pk__in=brought):
        _settle(transmittal, series, scan)


def _settle(transmittal: Transmittal, series: Series, scan: ScheduledScan) -> None:
    pet = series_of(transmittal).filter(modality="PT")
    if pet.filter(state__in=[Series.State.RELEASED, Series.State.ASSEMBLED]).exists():
        return
    if pet.filter(state=Series.State.QUANTIFIED).exists():
        transmittal.state = Transmittal.State.QUANTIFIED
        transmittal.code, transmittal.message = "", ""
        scan.state = ScheduledScan.State.QUANTIFIED
        scan.save(update_fields=["state"])
    else:
        transmittal.code, transmittal.message = series.code, series.message
    transmittal.save(update_fields=["state", "code", "message"])
