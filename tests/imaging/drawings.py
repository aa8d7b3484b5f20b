"""Regions drawn on the slices of `pet_dataset`, as planning systems write them."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
)

# Corners of a square around the centres of rows 1 and 2, columns 1 to 3 of a 4 x 5 slice of 4 mm.
SQUARE = [(2.0, 2.0), (14.0, 2.0), (14.0, 10.0), (2.0, 10.0)]
SQUARE_PIXELS = 6


def structure_set(
    slices: Sequence[Dataset], outlines: Sequence[Sequence[tuple[float, float]]] = (SQUARE,)
) -> Dataset:
    """A structure set with one region, which has the outlines on each of the slices."""
    first = slices[0]
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.Modality = RTStructureSetStorage, "RTSTRUCT"
    ds.SOPInstanceUID, ds.SeriesInstanceUID = "1.2.5.1", "1.2.5"
    for keyword in ("StudyInstanceUID", "PatientSex", "PatientWeight", "FrameOfReferenceUID"):
        setattr(ds, keyword, first[keyword].value)
    ds.PatientName, ds.PatientID = first.get("PatientName"), first.get("PatientID")
    ds.StudyDate = ds.StructureSetDate = "20260301"
    ds.StudyTime = ds.StructureSetTime = "120000"
    ds.Manufacturer, ds.SeriesNumber = "MIM", "7"
    ds.StructureSetLabel, ds.OperatorsName = "Wintergreen", "Hollister^Barnaby"
    ds.ReferencedFrameOfReferenceSequence = [_frame(slices)]
    ds.StructureSetROISequence = [_region(first)]
    ds.ROIContourSequence = [_contours(slices, outlines)]
    ds.RTROIObservationsSequence = [_observed()]
    return ds


def _frame(slices: Sequence[Dataset]) -> Dataset:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = slices[0].SeriesInstanceUID
    series.ContourImageSequence = [reference(one) for one in slices]
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    study.ReferencedSOPInstanceUID = slices[0].StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = slices[0].FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = PositronEmissionTomographyImageStorage
    item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    return item


def _region(first: Dataset) -> Dataset:
    item = Dataset()
    item.ROINumber, item.ROIName = 3, "GTV_Wintergreen_1"
    item.ReferencedFrameOfReferenceUID = first.FrameOfReferenceUID
    item.ROIGenerationAlgorithm, item.ROIDescription = "MANUAL", "seen by Dr Hollister"
    return item


def _contours(
    slices: Sequence[Dataset], outlines: Sequence[Sequence[tuple[float, float]]]
) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber, item.ROIDisplayColor = 3, [255, 0, 0]
    item.ContourSequence = [contour(one, outline) for one in slices for outline in outlines]
    return item


def contour(image: Dataset, outline: Sequence[tuple[float, float]]) -> Dataset:
    item = Dataset()
    item.ContourImageSequence = [reference(image)]
    item.ContourGeometricType, item.NumberOfContourPoints = "CLOSED_PLANAR", len(outline)
    z = image.ImagePositionPatient[2]
    item.ContourData = [part for x, y in outline for part in (x, y, z)]
    return item


def _observed() -> Dataset:
    item = Dataset()
    item.ObservationNumber, item.ReferencedROINumber = 1, 3
    item.RTROIInterpretedType, item.ROIInterpreter = "GTV", "Hollister^Barnaby"
    return item
