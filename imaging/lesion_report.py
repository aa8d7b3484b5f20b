"""Measurements of lesions as a DICOM structured report: Comprehensive 3D SR after TID 1500.

A group (TID 1411) for each lesion refers to its segment; one for each reference region holds the
sphere itself, in mm (LPS). The mistake to fear is a number without what it is: each has its unit
in UCUM, how it was derived, and SUVpeak the definition by which it was found, since a dozen are
in use.

    SUVbw 126401 DCM      g/ml{SUVbw}   maximum, mean, peak; SD of reference regions
    Metabolic Volume      ml            by counting voxels (126030 DCM)
    Total Lesion Glycolysis 126033 DCM for FDG; for other tracers, which show no glycolysis,
                          a code of our own
    Lesion-to-background  {ratio}       SUVmax of the lesion over SUVmean of the region

Codes of PS3.16: CID 7466, 7464, 7474; UCUM as in its edition of today, where older writers have
{SUVbw}g/ml.

Of a read, the lesions are those that its reader accepted, with the place that the reader gave; a
region that the reader excluded is a group without a place of its own in the images (TID 1501): it
is no finding, and its organ and the reason stand beside its SUVmax. The reader is a person
observer by number.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from json import dumps

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import Code, codes
from pydicom.uid import SegmentationStorage

from imaging.derived_objects import MANUFACTURER, Source, settle
from imaging.lesion_segments import tracking
from imaging.peaks import PeakDefinition
from imaging.reading_codes import (
    EXCLUDED,
    JUDGEMENTS,
    OURS,
    VISUAL_POSITIVITY,
    organ_site,
    region_site,
)
from imaging.value_map import SUV_UNIT as _SUV_UNIT
from imaging.value_map import SUVBW as _SUVBW

_Group = (
    hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations
    | hd.sr.MeasurementsAndQualitativeEvaluations
)

KIND = "SR"
SERIES_NUMBER = 9500

_ML = Code("ml", "UCUM", "milliliter")
_GRAM = Code("g", "UCUM", "gram")
_RATIO = Code("{ratio}", "UCUM", "ratio")
_MAXIMUM = Code("56851009", "SCT", "Maximum")
_MEAN = Code("373098007", "SCT", "Mean")
_SD = Code("386136009", "SCT", "Standard Deviation")
_PEAK = Code("126031", "DCM", "Peak Value Within ROI")
_VOLUME = Code("126032", "DCM", "Metabolic Volume")
_VOXELS_COUNTED = Code("126030", "DCM", "Sum of segmented voxel method for volume")
_GLYCOLYSIS = Code("126033", "DCM", "Total Lesion Glycolysis")
_UPTAKE = Code("TLU", OURS, "Total lesion uptake")
_TO_BACKGROUND = Code("126039", "DCM", "Lesion to background SUV Ratio")
_BY_MEAN = {
    kind: Code(
        f"TBR-{kind.upper().replace('_', '-')}",
        OURS,
        f"SUVmax over SUVmean of {kind.replace('_', ' ')}",
    )
    for kind in ("blood_pool", "liver", "muscle", "spleen", "bone_marrow", "contralateral_brain")
}
_REFERENCE_REGION = Code("C94970", "NCIt", "Reference Region")
# Where a region lies, and on which side.
_SITES = {
    "liver": (codes.SCT.Liver, None),
    "blood_pool": (codes.SCT.Mediastinum, None),
    "spleen": (codes.SCT.Spleen, None),
    "bone_marrow": (codes.SCT.BoneMarrow, None),
    "muscle": (codes.SCT.SkeletalMuscle, None),
    "contralateral_brain": (codes.SCT.Brain, None),
    "kidney_left": (codes.SCT.Kidney, codes.SCT.Left),
    "kidney_right": (codes.SCT.Kidney, codes.SCT.Right),
    "adrenal_left": (codes.SCT.AdrenalGland, codes.SCT.Left),
    "adrenal_right": (codes.SCT.AdrenalGland, codes.SCT.Right),
}
_PEAKS = {
    PeakDefinition.IBSI_GLOBAL: Code("0F91", "IBSI", "Global intensity peak"),
    PeakDefinition.IBSI_LOCAL: Code("VJGA", "IBSI", "Local intensity peak"),
    PeakDefinition.WEIGHTED: Code("PEAK-WEIGHTED", OURS, "Peak of 1 mL, voxels by part inside"),
}


@dataclass(frozen=True, slots=True)
class LesionRow:
    """Numbers of a lesion: SUV in g/mL, volume in mL, total uptake in g.

    `plane` is that of its hottest voxel; `ratios` are those of SUVmax to the SUVmean of a kind of
    reference region, `remark` what is to be said of the numbers, in sentences. Of a read: `region`
    and `positivity` are what its reader said, `method` is how the reader outlined it anew, empty
    where the outline is that of the run.
    """

    number: int
    plane: int
    suvmax: float
    suvmean: float
    suvpeak: float
    suvpeak_definition: str
    volume_ml: float
    total_uptake: float
    ratios: tuple[tuple[str, float], ...] = ()
    remark: str = ""
    region: str = ""
    positivity: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class ExcludedRow:
    """A region that a reader says is no lesion: SUVmax in g/mL, the organ, the reason in words."""

    number: int
    suvmax: float
    organ: str
    reason: str
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class RegionRow:
    """A sphere of background: centre (x, y, z) and radius in mm (LPS), SUV in g/mL.

    `plane` is the one nearest to its centre.
    """

    kind: str
    label: str
    plane: int
    centre_mm: tuple[float, float, float]
    radius_mm: float
    suvmean: float
    suv_sd: float


@dataclass(frozen=True, slots=True)
class Rows:
    """All that a report of a run says; `method` is how lesions were outlined."""

    lesions: tuple[LesionRow, ...]
    regions: tuple[RegionRow, ...]
    method: str
    excluded: tuple[ExcludedRow, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the numbers: a region placed later makes another report of the same run."""
        return sha256(dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def report(source: Source, rows: Rows, segmentation: Dataset | None, value_map: Dataset) -> Dataset:
    """The numbers of a run, or of a read of it, as a structured report.

    Parameters
    ----------
    source : Source
        The series that was measured.
    rows : Rows
    segmentation : Dataset, optional
        That of the lesions, a segment for each in the same order; needed where there are any.
    value_map : Dataset
        The Real World Value Mapping that SUV comes from; it is named with each measurement.

    Raises
    ------
    ObjectError
        As `settle`.
    """
    # The library takes 20 ms and more for each image that it lists: those that show the hottest
    # voxels and the middle of the spheres. The series as a whole is named with each group.
    planes = {one.plane for one in rows.lesions} | {one.plane for one in rows.regions}
    images = list(source.images(sorted(planes)))
    scale = hd.sr.RealWorldValueMap(value_map.SOPInstanceUID)
    groups: list[_Group] = [
        _lesion(source, one, segment, rows.method, segmentation, scale)
        for segment, one in enumerate(rows.lesions, start=1)
    ]
    groups += [
        _region(source, one, number, scale) for number, one in enumerate(rows.regions, start=1)
    ]
    groups += [_excluded(source, one, scale) for one in rows.excluded]
    content = hd.sr.MeasurementReport(
        observation_context=_observer(source),
        procedure_reported=Code("82918005", "SCT", "Positron emission tomography"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=images,
    )
    ds = hd.sr.Comprehensive3DSR(
        evidence=[*images, value_map, *([segmentation] if segmentation is not None else [])],
        content=content[0],
        series_instance_uid=source.own_uid(KIND, "series", rows.digest),
        series_number=SERIES_NUMBER + source.run,
        sop_instance_uid=source.own_uid(KIND, rows.digest),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=True,
    )
    settle(
        ds,
        source,
        description=f"Lesion measurements, {source.title}",
        number=SERIES_NUMBER + source.run,
    )
    ds.CodingSchemeIdentificationSequence = [_our_scheme()]
    return ds


def _our_scheme() -> Dataset:
    ds = Dataset()
    ds.CodingSchemeDesignator, ds.CodingSchemeName = OURS, "Codes of TrialTrace"
    ds.CodingSchemeResponsibleOrganization = MANUFACTURER
    return ds


def _observer(source: Source) -> hd.sr.ObservationContext:
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=source.uid("device"),
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=MANUFACTURER,
        serial_number=source.software_version,
    )
    return hd.sr.ObservationContext(
        observer_person_context=_person(source.reader.number) if source.reader else None,
        observer_device_context=hd.sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        ),
    )


def _person(number: int) -> hd.sr.ObserverContext:
    """The reader as exports have it: a number in place of a name."""
    return hd.sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(
            name=f"READER^{number}"
        ),
    )


def _lesion(
    source: Source,
    one: LesionRow,
    segment: int,
    method: str,
    segmentation: Dataset | None,
    scale: hd.sr.RealWorldValueMap,
) -> hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    uid, identifier = tracking(source, one.number, is_own=bool(one.method))
    if segmentation is None:
        raise ValueError("lesions are reported with the segmentation that holds them")
    group = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=uid, identifier=identifier),
        # Built here: taken from the segmentation, the library looks through all of its frames.
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class_uid=SegmentationStorage,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=segment,
            source_series=hd.sr.SourceSeriesForSegmentation(source.headers[0].series_instance_uid),
        ),
        finding_category=codes.SCT.MorphologicallyAbnormalStructure,
        finding_type=codes.SCT.Lesion,
        finding_sites=_sites(one.region),
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=MANUFACTURER, version=source.software_version, parameters=[one.method or method]
        ),
        referenced_real_world_value_map=scale,
        measurements=_of_lesion(source, one),
        qualitative_evaluations=_judged(one.positivity),
    )
    if one.remark:
        group[0].ContentSequence.append(_comment(one.remark))
    return group


def _comment(text: str) -> hd.sr.TextContentItem:
    return hd.sr.TextContentItem(
        name=codes.DCM.Comment,
        value=text,
        relationship_type=hd.sr.RelationshipTypeValues.CONTAINS,
    )


def _sites(region: str) -> list[hd.sr.FindingSite] | None:
    if not region:
        return None
    place, side = region_site(region)
    return [hd.sr.FindingSite(place, laterality=side)]


def _judged(positivity: str) -> list[hd.sr.QualitativeEvaluation] | None:
    if positivity not in JUDGEMENTS:
        return None
    return [hd.sr.QualitativeEvaluation(VISUAL_POSITIVITY, JUDGEMENTS[positivity])]


def _excluded(
    source: Source, one: ExcludedRow, scale: hd.sr.RealWorldValueMap
) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    uid, identifier = tracking(source, one.number, is_own=one.is_own)
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=uid, identifier=identifier),
        finding_type=EXCLUDED,
        finding_sites=[hd.sr.FindingSite(organ_site(one.organ))],
        referenced_real_world_value_map=scale,
        measurements=[hd.sr.Measurement(_SUVBW, one.suvmax, _SUV_UNIT, derivation=_MAXIMUM)],
    )
    group[0].ContentSequence.append(_comment(one.reason))
    return group


def _of_lesion(source: Source, one: LesionRow) -> list[hd.sr.Measurement]:
    peak = _PEAKS[PeakDefinition(one.suvpeak_definition)]
    total = _GLYCOLYSIS if "FDG" in source.tracer.upper() else _UPTAKE
    return [
        hd.sr.Measurement(_SUVBW, one.suvmax, _SUV_UNIT, derivation=_MAXIMUM),
        hd.sr.Measurement(_SUVBW, one.suvmean, _SUV_UNIT, derivation=_MEAN),
        hd.sr.Measurement(_SUVBW, one.suvpeak, _SUV_UNIT, derivation=_PEAK, method=peak),
        hd.sr.Measurement(_VOLUME, one.volume_ml, _ML, method=_VOXELS_COUNTED),
        hd.sr.Measurement(total, one.total_uptake, _GRAM),
        *(
            hd.sr.Measurement(_TO_BACKGROUND, ratio, _RATIO, method=_BY_MEAN[kind])
            for kind, ratio in one.ratios
        ),
    ]


def _region(
    source: Source, one: RegionRow, number: int, scale: hd.sr.RealWorldValueMap
) -> hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    uid = source.uid("region", str(number), one.kind)
    site, side = _SITES[one.kind]
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=uid, identifier=one.label[:64]),
        referenced_volume_surface=hd.sr.VolumeSurface(
            graphic_type=hd.sr.GraphicTypeValues3D.ELLIPSOID,
            graphic_data=_sphere(one.centre_mm, one.radius_mm),
            frame_of_reference_uid=source.headers[0].frame_of_reference_uid,
            source_series=hd.sr.SourceSeriesForSegmentation(source.headers[0].series_instance_uid),
        ),
        finding_type=_REFERENCE_REGION,
        finding_sites=[hd.sr.FindingSite(site, laterality=side)],
        referenced_real_world_value_map=scale,
        measurements=[
            hd.sr.Measurement(_SUVBW, one.suvmean, _SUV_UNIT, derivation=_MEAN),
            hd.sr.Measurement(_SUVBW, one.suv_sd, _SUV_UNIT, derivation=_SD),
        ],
    )


def _sphere(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """The ends of three axes, (6, 3), as PS3.3 C.18.9.1.2 wants those of an ellipsoid."""
    along = np.repeat(np.eye(3), 2, axis=0) * radius
    along[1::2] *= -1
    return np.asarray(centre) + along
