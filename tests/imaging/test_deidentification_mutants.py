"""Every row of the keep-list matters: without it, or with a laxer one, a proof fails.

The table is the place where a slip does harm: one row too few and an SUV is lost or wrong, one
rule too lax and a name gets out. So each row is taken away, and each is let through as it was.
"""

from __future__ import annotations

import copy
import io

import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from imaging import deidentification, deidentification_table
from imaging.contours import texts_of
from imaging.deidentification import blocks_of, deidentify, level_of
from imaging.deidentification_table import PRIVATE_ROWS, ROWS, WRITTEN, Action
from imaging.file_evidence import Evidence, evidence_of
from imaging.headers import header_of
from imaging.identifiers import identifiers_of, residue
from imaging.parser_child import encoded
from imaging.proofs import Outcome, of_keep_list, of_pixels, of_suv
from tests.imaging import drawings
from tests.imaging.conftest import pet_dataset
from tests.imaging.test_deidentification import POLICY

NAME = "Wintergreen^Henriette"
KEPT = [row for row in ROWS if row.action not in WRITTEN | {Action.PIXELS}]
# Numbers in two bytes have no room for a name.
BINARY = {"US", "UL", "AT", "US or SS", "SQ", "OB or OW"}


def ge() -> Dataset:
    """A GE slice: START, and the private start of the scan."""
    ds = siemens()
    ds.Manufacturer = "GE MEDICAL SYSTEMS"
    del ds[0x0071, 0x0010], ds[0x0071, 0x1022]
    block = ds.private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20260301110000.00")
    return ds


def philips() -> Dataset:
    """Counts, which become SUV by the vendor's own two factors."""
    ds = siemens()
    ds.Manufacturer, ds.Units = "Philips Medical Systems", "CNTS"
    block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.000421")
    block.add_new(0x09, "DS", "1.542438")
    return ds


def siemens() -> Dataset:
    """A Siemens slice with a name, and with the private instant of decay correction."""
    ds = pet_dataset()
    ds.PixelData = bytes(range(40))
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = NAME, "MRN-0815-77", "19610423"
    ds.ReferringPhysicianName, ds.StudyID = "Hollister^Barnaby", "STUDY-4411"
    ds.AccessionNumber, ds.NumberOfSlices = "ACC-99817", 1
    ds.SUVType = "BW"
    block = ds.private_block(0x0071, "SIEMENS MED PT", create=True)
    block.add_new(0x22, "DT", "20260301110000.00")
    return ds


def in_utc() -> Dataset:
    """A date-time of another zone, which the file's own offset makes comparable."""
    ds = siemens()
    ds.TimezoneOffsetFromUTC = "+0200"
    item = ds.RadiopharmaceuticalInformationSequence[0]
    item.RadiopharmaceuticalStartDateTime = "20260301080000+0000"
    return ds


def regions() -> Dataset:
    """A structure set drawn on the Siemens slice."""
    ds = drawings.structure_set([siemens()])
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = NAME, "MRN-0815-77", "19610423"
    return ds


def segments() -> Dataset:
    """A segmentation of the Siemens slice."""
    ds = drawings.segmentation([siemens()])
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = NAME, "MRN-0815-77", "19610423"
    return ds


IMAGES = {f.__name__: f for f in (siemens, ge, philips, in_utc, regions, segments)}

# What an SUV, a volume or a place can't do without: by requirement, not by what is found.
SUV = {
    "Units",
    "DecayCorrection",
    "CorrectedImage",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionTime",
    "FrameReferenceTime",
    "ActualFrameDuration",
    "DecayFactor",
    "NumberOfSlices",
    "PatientWeight",
    "PatientSize",
    "TimezoneOffsetFromUTC",
    "RadiopharmaceuticalInformationSequence",
    "RadiopharmaceuticalInformationSequence.RadionuclideTotalDose",
    "RadiopharmaceuticalInformationSequence.RadionuclideHalfLife",
    "RadiopharmaceuticalInformationSequence.RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalInformationSequence.RadiopharmaceuticalStartDateTime",
    "Philips PET Private Group, (7053,xx00)",
    "Philips PET Private Group, (7053,xx09)",
    "GEMS_PETD_01, (0009,xx0d)",
    "SIEMENS MED PT, (0071,xx22)",
}
GEOMETRY = {
    "InstanceNumber",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelSpacing",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
}
# What says which voxels of which series a region is.
_FRAME = "ReferencedFrameOfReferenceSequence"
_SERIES = f"{_FRAME}.RTReferencedStudySequence.RTReferencedSeriesSequence"
_ALL, _EACH = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_CONTOUR = "ROIContourSequence.ContourSequence"
REGIONS = {
    _FRAME,
    f"{_FRAME}.RTReferencedStudySequence",
    _SERIES,
    f"{_SERIES}.SeriesInstanceUID",
    "StructureSetROISequence",
    "StructureSetROISequence.ROINumber",
    "StructureSetROISequence.ReferencedFrameOfReferenceUID",
    "ROIContourSequence",
    "ROIContourSequence.ReferencedROINumber",
    _CONTOUR,
    f"{_CONTOUR}.ContourGeometricType",
    f"{_CONTOUR}.NumberOfContourPoints",
    f"{_CONTOUR}.ContourData",
    f"{_CONTOUR}.ContourImageSequence",
    f"{_CONTOUR}.ContourImageSequence.ReferencedSOPInstanceUID",
    "ReferencedSeriesSequence",
    "ReferencedSeriesSequence.SeriesInstanceUID",
    "SegmentSequence",
    "SegmentSequence.SegmentNumber",
    "SegmentationType",
    "FrameOfReferenceUID",
    _ALL,
    f"{_ALL}.PixelMeasuresSequence",
    f"{_ALL}.PixelMeasuresSequence.PixelSpacing",
    f"{_ALL}.PlaneOrientationSequence",
    f"{_ALL}.PlaneOrientationSequence.ImageOrientationPatient",
    _EACH,
    f"{_EACH}.SegmentIdentificationSequence",
    f"{_EACH}.SegmentIdentificationSequence.ReferencedSegmentNumber",
    f"{_EACH}.PlanePositionSequence",
    f"{_EACH}.PlanePositionSequence.ImagePositionPatient",
    f"{_EACH}.DerivationImageSequence",
    f"{_EACH}.DerivationImageSequence.SourceImageSequence",
    f"{_EACH}.DerivationImageSequence.SourceImageSequence.ReferencedSOPInstanceUID",
}
ROW = {row.path: row for row in (*ROWS, *PRIVATE_ROWS)}


def evidence(original: Dataset, written: Dataset) -> Evidence:
    data = encoded(written)
    again = pydicom.dcmread(io.BytesIO(data))
    header = header_of(again).to_json()
    return evidence_of(original, data, header=header, date_shift_days=POLICY.date_shift_days)


def is_caught(original: Dataset, written: Dataset) -> bool:
    """Whether a proof fails, or what was written can't even be read."""
    try:
        files = [evidence(original, written)]
        made = [of_pixels(files), of_suv(files), of_keep_list(files)]
    except (ValueError, TypeError, AttributeError, KeyError):
        # The release stops there as well.
        return True
    return any(proof.outcome == Outcome.FAILED for proof in made)


@pytest.mark.requirement("R101")
def test_with_the_whole_table_every_proof_holds():
    for make in IMAGES.values():
        ds = make()
        assert not is_caught(ds, deidentify(ds, POLICY).dataset), make.__name__


@pytest.mark.requirement("R101")
@pytest.mark.parametrize("path", sorted(SUV | GEOMETRY | REGIONS))
def test_a_row_that_a_measurement_needs_is_missed_when_it_is_gone(path, monkeypatch):
    fewer = [row for row in ROWS if row.path != path and not row.within.startswith(path)]
    private = [row for row in PRIVATE_ROWS if row.path != path]
    assert len(fewer) + len(private) < len(ROWS) + len(PRIVATE_ROWS)
    # The engine alone forgets it: it is the proofs on values that find it.
    monkeypatch.setattr(deidentification, "IMAGE", level_of(fewer))
    monkeypatch.setattr(deidentification, "PRIVATE", blocks_of(private))
    found = [name for name, make in IMAGES.items() if is_caught(ds := make(), released(ds))]
    assert found


def released(ds: Dataset) -> Dataset:
    return deidentify(ds, POLICY).dataset


@pytest.mark.requirement("R101")
@pytest.mark.parametrize("path", sorted(ROW))
def test_a_row_taken_out_of_the_table_is_caught(path, monkeypatch):
    monkeypatch.setattr(
        deidentification_table, "ALL_ROWS", tuple(row for row in ROW.values() if row.path != path)
    )
    assert of_keep_list([evidence(ds := siemens(), released(ds))]).outcome == Outcome.FAILED


def at(ds: Dataset, row) -> Dataset:
    """The item that holds the attribute of a row, made where there is none."""
    for keyword in filter(None, row.within.split(".")):
        if not ds.get(keyword):
            setattr(ds, keyword, [Dataset()])
        ds = ds[keyword].value[0]
    return ds


def leaks() -> list:
    return [row for row in ROWS if dictionary_VR(row.tag) not in BINARY]


@pytest.mark.requirement("R101")
@pytest.mark.parametrize("row", leaks(), ids=lambda row: row.path)
def test_a_name_that_a_row_lets_through_as_it_was_is_found(row):
    ds = siemens()
    written = released(ds)
    leaky = copy.deepcopy(written)
    # A name is no number and no UID: as the text that its bytes are in the file all the same.
    at(leaky, row)[row.tag] = DataElement(row.tag, "LO", NAME)
    ours = frozenset({POLICY.subject, POLICY.trial, POLICY.site})
    assert not residue(encoded(written), b"", identifiers_of(ds), ours=ours)
    assert residue(encoded(leaky), b"", identifiers_of(ds), ours=ours)


@pytest.mark.requirement("R91")
@pytest.mark.parametrize(
    "row",
    [row for row in KEPT if row.action in {Action.DATE, Action.INSTANT}],
    ids=lambda row: row.path,
)
def test_a_date_that_a_row_lets_through_as_it_was_is_found(row):
    ds = siemens()
    text = "20260301" if row.action is Action.DATE else "20260301100000"
    setattr(at(ds, row), row.keyword, text)
    written = released(ds)
    assert not is_caught(ds, written)
    setattr(at(written, row), row.keyword, text)
    assert is_caught(ds, written)


@pytest.mark.requirement("R90")
@pytest.mark.parametrize(
    "row", [row for row in KEPT if row.action is Action.UID], ids=lambda row: row.path
)
def test_a_uid_that_a_row_lets_through_as_it_was_is_found(row):
    ds = siemens()
    setattr(at(ds, row), row.keyword, "1.2.77.1")
    written = released(ds)
    assert not is_caught(ds, written)
    setattr(at(written, row), row.keyword, "1.2.77.1")
    assert is_caught(ds, written)


@pytest.mark.requirement("R93")
def test_an_age_that_a_row_lets_through_as_it_was_is_found():
    ds = siemens()
    ds.PatientAge = "091Y"
    written = released(ds)
    assert not is_caught(ds, written)
    written.PatientAge = "091Y"
    assert is_caught(ds, written)


@pytest.mark.requirement("R101")
def test_a_label_that_a_row_lets_through_as_it_was_is_found():
    ds = regions()
    written = released(ds)
    assert written.StructureSetROISequence[0].ROIName == "GTV"
    assert not is_caught(ds, written)
    written.StructureSetROISequence[0].ROIName = "GTV Hildegard"
    assert is_caught(ds, written)


@pytest.mark.requirement("R101")
def test_a_contour_that_moved_by_a_hundredth_of_a_millimetre_is_found():
    ds = regions()
    written = released(ds)
    contour = written.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [2.01, *texts_of(contour, "ContourData")[1:]]
    assert is_caught(ds, written)


@pytest.mark.requirement("R101")
def test_a_voxel_that_changed_in_a_segmentation_is_found():
    ds = segments()
    written = released(ds)
    assert written.SegmentSequence[0].SegmentLabel == "GTV"
    written.PixelData = bytes([written.PixelData[0] ^ 1]) + written.PixelData[1:]
    assert is_caught(ds, written)
