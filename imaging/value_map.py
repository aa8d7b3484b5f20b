"""From stored pixel values to SUVbw as a DICOM Real World Value Mapping (PS3.3 A.46).

    SUVbw in g/mL = stored value * slope + intercept

for any program that has the images and no way of its own to the SUV: where the record of the site
or a person's decision changed weight, activity or time, the headers of the images do not give it.
The mistake to fear is one slope for all slices: those that share slope and intercept share an
item, the others have their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import Code
from pydicom.uid import UID, ExplicitVRLittleEndian, RealWorldValueMappingStorage

from imaging.derived_objects import TYPE_2, ObjectError, Source, settle
from imaging.headers import SliceHeader

KIND = "RWV"
SERIES_NUMBER = 9700
SUVBW = Code("126401", "DCM", "SUVbw")
# UCUM as PS3.16 CID 85 has it today.
SUV_UNIT = Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")
# What an unsigned short holds.
MOST_BITS = 16

# Slope and intercept to SUVbw, first and last value stored.
_Line = tuple[float, float, int, int]


def value_map(source: Source, factors: Sequence[float]) -> Dataset:
    """The way from the stored values of a series to SUVbw.

    Parameters
    ----------
    source : Source
        The series; a map is of the run, whoever reads it.
    factors : sequence of float
        One for each plane, in the order of the planes: what rescaled values are multiplied with
        for SUVbw in g/mL.

    Raises
    ------
    ObjectError
        "rescale-missing", "values-too-wide", and as `settle`.
    """
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = RealWorldValueMappingStorage
    ds.file_meta.MediaStorageSOPInstanceUID = UID(source.uid(KIND))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID
    (first,) = source.images([0])
    ds.StudyInstanceUID, ds.PatientName = first.StudyInstanceUID, first.PatientName
    ds.PatientID = first.PatientID
    for keyword in TYPE_2:
        setattr(ds, keyword, first[keyword].value)
    ds.Laterality = ""
    ds.Modality, ds.SeriesInstanceUID = KIND, source.uid(KIND, "series")
    ds.InstanceNumber, ds.ContentLabel = 1, "SUVBW"
    ds.ContentDescription, ds.ContentCreatorName = "From stored values to SUVbw in g/mL", None
    by_line: dict[_Line, list[SliceHeader]] = {}
    for header, factor in zip(source.headers, factors, strict=True):
        by_line.setdefault(_line(header, factor), []).append(header)
    ds.ReferencedImageRealWorldValueMappingSequence = [
        _mapped(line, headers) for line, headers in by_line.items()
    ]
    ds.ReferencedSeriesSequence = [_series(source.headers)]
    settle(
        ds,
        source,
        description=f"SUVbw of stored values, run {source.run}",
        number=SERIES_NUMBER + source.run,
    )
    return ds


def _line(header: SliceHeader, factor: float) -> _Line:
    if header.rescale_slope is None or header.rescale_intercept is None:
        raise ObjectError("rescale-missing", "An image has no rescale slope or intercept.")
    if header.bits_stored > MOST_BITS:
        raise ObjectError("values-too-wide", "Images of more than 16 bits have no such map.")
    half = 2 ** (header.bits_stored - 1)
    first, last = (-half, half - 1) if header.pixel_representation else (0, 2 * half - 1)
    return header.rescale_slope * factor, header.rescale_intercept * factor, first, last


def _mapped(line: _Line, headers: Sequence[SliceHeader]) -> Dataset:
    slope, intercept, first, last = line
    item = Dataset()
    item.ReferencedImageSequence = [_reference(one) for one in headers]
    one = hd.pm.RealWorldValueMapping(
        lut_label="SUVBW",
        lut_explanation="Standardized uptake value by body weight",
        unit=SUV_UNIT,
        value_range=(first, last),
        slope=slope,
        intercept=intercept,
        quantity_definition=SUVBW,
    )
    for keyword in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
        # Nothing else in the object says whether values have a sign.
        one[keyword].VR = "SS" if first < 0 else "US"
    item.RealWorldValueMappingSequence = [one]
    return item


def _series(headers: Sequence[SliceHeader]) -> Dataset:
    ds = Dataset()
    ds.SeriesInstanceUID = headers[0].series_instance_uid
    ds.ReferencedInstanceSequence = [_reference(one) for one in headers]
    return ds


def _reference(header: SliceHeader) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID = header.sop_class_uid
    ds.ReferencedSOPInstanceUID = header.sop_instance_uid
    return ds
