"""Regions drawn on the slices of `pet_dataset`, as planning systems write them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

# Corners of a square around the centres of rows 1 and 2, columns 1 to 3 of a 4 x 5 slice of 4 mm.
SQUARE = [(2.0, 2.0), (14.0, 2.0), (14.0, 10.0), (2.0, 10.0)]
SQUARE_PIXELS = 6


def structure_set(
    slices: Sequence[Dataset], outlines: Sequence[Sequence[tuple[float, float]]] = (SQUARE,)
) -> Dataset:
    """A structure set with one region, which has the outlines on each of the slices."""
    first = slices[0]
    ds = _drawn(first)
    ds.SOPClassUID, ds.Modality = RTStructureSetStorage, "RTSTRUCT"
    ds.StructureSetDate, ds.StructureSetTime = "20260301", "120000"
    ds.StructureSetLabel, ds.OperatorsName = "Wintergreen", "Hollister^Barnaby"
    ds.ReferencedFrameOfReferenceSequence = [_frame(slices)]
    ds.StructureSetROISequence = [_region(first)]
    ds.ROIContourSequence = [_contours(slices, outlines)]
    ds.RTROIObservationsSequence = [_observed()]
    return ds


def _drawn(first: Dataset) -> Dataset:
    """What regions of either kind say of their patient and their study."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPInstanceUID, ds.SeriesInstanceUID = "1.2.5.1", "1.2.5"
    for keyword in ("StudyInstanceUID", "PatientSex", "PatientWeight", "FrameOfReferenceUID"):
        setattr(ds, keyword, first[keyword].value)
    ds.PatientName, ds.PatientID = first.get("PatientName"), first.get("PatientID")
    ds.StudyDate, ds.StudyTime = "20260301", "120000"
    ds.Manufacturer, ds.SeriesNumber = "MIM", "7"
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


# The pixels that `SQUARE` encloses.
PIXELS = np.zeros((4, 5), np.uint8)
PIXELS[1:3, 1:4] = 1


def segmentation(slices: Sequence[Dataset], frames: Sequence[np.ndarray] = ()) -> Dataset:
    """A segmentation with one segment, which has the pixels on each of the slices."""
    first, frames = slices[0], frames or [PIXELS] * len(slices)
    ds = _drawn(first)
    ds.SOPClassUID, ds.Modality = SegmentationStorage, "SEG"
    ds.SOPInstanceUID, ds.SeriesInstanceUID = "1.2.6.1", "1.2.6"
    ds.ImageType, ds.SegmentationType = ["DERIVED", "PRIMARY"], "BINARY"
    ds.ContentLabel, ds.ContentCreatorName = "WINTERGREEN", "Hollister^Barnaby"
    ds.SegmentSequence = [_segment()]
    ds.ReferencedSeriesSequence = [_series(slices)]
    ds.Rows, ds.Columns = frames[0].shape
    ds.NumberOfFrames, ds.SamplesPerPixel, ds.BitsAllocated, ds.BitsStored = len(frames), 1, 1, 1
    ds.HighBit, ds.PixelRepresentation, ds.PhotometricInterpretation = 0, 0, "MONOCHROME2"
    ds.SharedFunctionalGroupsSequence = [_shared(first)]
    ds.PerFrameFunctionalGroupsSequence = [_of_frame(one) for one in slices]
    packed = np.packbits(np.concatenate([one.ravel() for one in frames]), bitorder="little")
    ds.PixelData = packed.tobytes() + b"\0" * (packed.size % 2)
    return ds


def _segment() -> Dataset:
    item = Dataset()
    item.SegmentNumber, item.SegmentLabel = 3, "GTV_Wintergreen_1"
    item.SegmentAlgorithmType, item.SegmentDescription = "MANUAL", "seen by Dr Hollister"
    item.SegmentedPropertyCategoryCodeSequence = [code("49755003", "Morphologically Abnormal")]
    item.SegmentedPropertyTypeCodeSequence = [code("108369006", "Neoplasm")]
    return item


def code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def _series(slices: Sequence[Dataset]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = slices[0].SeriesInstanceUID
    item.ReferencedInstanceSequence = [reference(one) for one in slices]
    return item


def _shared(first: Dataset) -> Dataset:
    group, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = first.PixelSpacing, first.SliceThickness
    orientation.ImageOrientationPatient = first.ImageOrientationPatient
    group.PixelMeasuresSequence, group.PlaneOrientationSequence = [measures], [orientation]
    return group


def _of_frame(image: Dataset) -> Dataset:
    group, identified, placed, derived = Dataset(), Dataset(), Dataset(), Dataset()
    identified.ReferencedSegmentNumber = 3
    placed.ImagePositionPatient = image.ImagePositionPatient
    derived.SourceImageSequence = [reference(image)]
    derived.DerivationCodeSequence = [code("113076", "Segmentation")]
    group.SegmentIdentificationSequence, group.PlanePositionSequence = [identified], [placed]
    group.DerivationImageSequence = [derived]
    return group
