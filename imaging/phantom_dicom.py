"""The phantom as a scanner would send it: PET and CT images in ordinary DICOM files.

Headers are identified on purpose, with an invented name in all the places where real ones
stand, private and public, so that there is something to remove. Pixel values are in Bq/mL,
decay-corrected to the start of the series, with a rescale slope for every slice. The activity
concentration that belongs to an SUV is worked out here, from

    C [Bq/mL] = SUV * A(injection) * 2^(-t / T) / (W [kg] * 1000)

and not with the functions that will read it back.

References
----------
DICOM PS3.3 A.21 and C.8.9 (PET Image), A.3 and C.8.2 (CT Image).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

from imaging.geometry import Grid
from imaging.phantom import Tracer
from trials.decay import HALF_LIFE

Volume = NDArray[np.float32]
File = tuple[str, bytes]

BED_SECONDS = 120.0
# From the end of one bed to the start of the next.
BED_STEP_SECONDS = 124.0
SLICES_PER_BED = 22
LARGEST_STORED = 32767
CT_OFFSET = 1024
# Of a CT for attenuation and place alone, not for a finding.
LOW_DOSE_CTDI_MGY = 3.2
DATE, TIME, DATE_TIME = "%Y%m%d", "%H%M%S.%f", "%Y%m%d%H%M%S.%f"
PRIVATE_CREATOR = "TRIALTRACE PHANTOM"

# SNOMED RT codes as scanners write them, and the fraction of decays that emit a positron
# (ICRP Publication 107).
RADIONUCLIDES = {
    "F-18": ("C-111A1", "^18^Fluorine", 0.9673),
    "Ga-68": ("C-131A3", "^68^Gallium", 0.8914),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An invented patient as the scanner knows her: identified."""

    name: str
    patient_id: str
    birth: date
    sex: str
    weight_kg: float
    height_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One scan: what was injected when, and when the first bed began, by the local clock.

    `activity` is the net activity in Bq at the injection. `uid_source` makes the UIDs: the
    same text gives the same UIDs, so a scan of its own needs a text of its own.
    """

    tracer: Tracer
    activity: float
    injected_at: datetime
    started_at: datetime
    uid_source: str

    def uid(self, what: str) -> UID:
        return generate_uid(entropy_srcs=[self.uid_source, what])

    @property
    def half_life(self) -> float:
        """In s."""
        return HALF_LIFE[self.tracer.radionuclide]


def pet_files(
    suv: Volume, *, grid: Grid, subject: Subject, examination: Examination
) -> Iterator[File]:
    """Name and content of each PET file, from the feet to the head as the beds went.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N), float32
        SUVbw in g/mL.
    grid : Grid
        Of the volume; planes ascend to the head.
    """
    ds = _common(subject, examination)
    _pet_series(ds, grid, subject, examination)
    elapsed = (examination.started_at - examination.injected_at).total_seconds()
    remaining = examination.activity * 2 ** (-elapsed / examination.half_life)
    becquerel_per_suv = remaining / (subject.weight_kg * 1000)
    for plane, values in enumerate(suv):
        _place(ds, grid, plane, examination.uid(f"PT {plane}"))
        _pet_frame(ds, plane, len(suv), examination)
        _pet_pixels(ds, values.astype(np.float64) * becquerel_per_suv)
        yield f"PT/IM{plane:04d}.dcm", _written(ds)


def ct_files(
    hounsfield: Volume, *, grid: Grid, subject: Subject, examination: Examination
) -> Iterator[File]:
    """Name and content of each CT file: Hounsfield units (K, M, N) on a grid of their own."""
    ds = _common(subject, examination)
    _ct_series(ds, grid, examination)
    for plane, values in enumerate(hounsfield):
        _place(ds, grid, plane, examination.uid(f"CT {plane}"))
        stored = np.clip(np.rint(values) + CT_OFFSET, 0, 4095)
        ds.PixelData = stored.astype("<u2").tobytes()
        yield f"CT/IM{plane:04d}.dcm", _written(ds)


def _common(subject: Subject, examination: Examination) -> Dataset:
    """Patient, study, frame of reference and equipment."""
    ds = Dataset()
    start = examination.started_at
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID = subject.name, subject.patient_id
    ds.PatientBirthDate, ds.PatientSex = subject.birth.strftime(DATE), subject.sex
    ds.PatientAge = f"{_age(subject.birth, start.date()):03d}Y"
    ds.PatientWeight, ds.PatientSize = f"{subject.weight_kg:g}", f"{subject.height_m:g}"
    ds.OtherPatientIDs = f"{subject.patient_id}-OLD"
    ds.PatientAddress, ds.PatientTelephoneNumbers = "12 Invented Lane, Nowhere", "+00 555 0100"
    ds.InstitutionName, ds.InstitutionAddress = "Demo University Hospital", "1 Example Square"
    ds.ReferringPhysicianName, ds.OperatorsName = "Referrer^Rita", "Technologist^Theo"
    ds.StationName, ds.DeviceSerialNumber = "PETCT1", "000042"
    ds.Manufacturer, ds.ManufacturerModelName = "TrialTrace", "Whole-body phantom"
    ds.SoftwareVersions = "1"
    ds.StudyInstanceUID = examination.uid("study")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = examination.uid("frame"), ""
    ds.StudyID, ds.AccessionNumber = "1", f"A{subject.patient_id}"
    ds.StudyDate, ds.StudyTime = start.strftime(DATE), start.strftime(TIME)
    ds.StudyDescription = f"PET/CT {subject.name.split('^')[0]}, whole body"
    ds.PatientComments = f"Brought by her sister; call {subject.name.split('^')[0]} at home."
    ds.PatientPosition, ds.BurnedInAnnotation = "HFS", "NO"
    block = ds.private_block(0x0051, PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "LO", f"{subject.name} {subject.birth:%d.%m.%Y}")
    return ds


def _pet_series(ds: Dataset, grid: Grid, subject: Subject, examination: Examination) -> None:
    start = examination.started_at
    ds.SOPClassUID, ds.Modality = PositronEmissionTomographyImageStorage, "PT"
    ds.SeriesInstanceUID, ds.SeriesNumber = examination.uid("PT"), "2"
    ds.SeriesDate, ds.SeriesTime = start.strftime(DATE), start.strftime(TIME)
    ds.SeriesDescription = f"WB {examination.tracer.name} AC {subject.name.split('^')[0]}"
    ds.ImageType, ds.SeriesType = ["ORIGINAL", "PRIMARY"], ["WHOLE BODY", "IMAGE"]
    ds.Units, ds.CountsSource, ds.DecayCorrection = "BQML", "EMISSION", "START"
    ds.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    ds.AttenuationCorrectionMethod = ds.ScatterCorrectionMethod = "none needed: a phantom"
    ds.ReconstructionMethod, ds.CollimatorType = "drawn, blurred by a Gaussian", "NONE"
    ds.NumberOfSlices = grid.shape[0]
    # Says outright what the pixel values refer to.
    ds.DecayCorrectionDateTime = start.strftime(DATE_TIME)
    ds.RadiopharmaceuticalInformationSequence = [_radiopharmaceutical(examination)]
    _matrix(ds, grid, bits=16, signed=True)
    ds.RescaleIntercept = "0"


def _radiopharmaceutical(examination: Examination) -> Dataset:
    code_value, meaning, positrons = RADIONUCLIDES[examination.tracer.radionuclide]
    item = Dataset()
    item.Radiopharmaceutical = examination.tracer.name
    item.RadiopharmaceuticalRoute = "Intravenous"
    item.RadiopharmaceuticalStartTime = examination.injected_at.strftime(TIME)
    item.RadiopharmaceuticalStartDateTime = examination.injected_at.strftime(DATE_TIME)
    item.RadionuclideTotalDose = f"{examination.activity:.10g}"
    item.RadionuclideHalfLife = f"{examination.half_life:g}"
    item.RadionuclidePositronFraction = f"{positrons:g}"
    item.RadionuclideCodeSequence = [_coded(code_value, "SRT", meaning)]
    return item


def _coded(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _pet_frame(ds: Dataset, plane: int, planes: int, examination: Examination) -> None:
    """When this slice was acquired, and by how much it was corrected."""
    since = plane // SLICES_PER_BED * BED_STEP_SECONDS
    acquired = examination.started_at + timedelta(seconds=since)
    decay = math.log(2) / examination.half_life
    x = decay * BED_SECONDS
    # The frame's average over its duration, seen from the start of the series.
    average = x / -math.expm1(-x)
    ds.AcquisitionDate, ds.AcquisitionTime = acquired.strftime(DATE), acquired.strftime(TIME)
    ds.ContentDate, ds.ContentTime = ds.AcquisitionDate, ds.AcquisitionTime
    ds.ActualFrameDuration = f"{BED_SECONDS * 1000:.0f}"
    ds.FrameReferenceTime = f"{(since + math.log(average) / decay) * 1000:.3f}"
    ds.DecayFactor = f"{math.exp(decay * since) * average:.8g}"
    ds.ImageIndex = planes - plane


def _pet_pixels(ds: Dataset, becquerel: NDArray[np.float64]) -> None:
    """Stored values that fill 16 bits, with the slope that gives back Bq/mL."""
    slope = f"{max(float(np.abs(becquerel).max()) / LARGEST_STORED, 1e-6):.10g}"
    stored = np.rint(becquerel / float(slope))
    ds.RescaleSlope = slope
    ds.PixelData = np.clip(stored, -LARGEST_STORED, LARGEST_STORED).astype("<i2").tobytes()


def _ct_series(ds: Dataset, grid: Grid, examination: Examination) -> None:
    # The CT comes first, and takes less than a minute.
    start = examination.started_at - timedelta(minutes=2)
    ds.SOPClassUID, ds.Modality = CTImageStorage, "CT"
    ds.SeriesInstanceUID, ds.SeriesNumber = examination.uid("CT"), "1"
    ds.SeriesDate, ds.SeriesTime = start.strftime(DATE), start.strftime(TIME)
    ds.AcquisitionDate, ds.AcquisitionTime = ds.SeriesDate, ds.SeriesTime
    ds.ContentDate, ds.ContentTime = ds.SeriesDate, ds.SeriesTime
    ds.SeriesDescription = "CT low dose"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.KVP, ds.AcquisitionNumber = "120", "1"
    ds.CTDIvol, ds.IrradiationEventUID = LOW_DOSE_CTDI_MGY, examination.uid("irradiation event")
    ds.CTDIPhantomTypeCodeSequence = [_coded("113691", "DCM", "IEC Body Dosimetry Phantom")]
    _matrix(ds, grid, bits=12, signed=False)
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", str(-CT_OFFSET), "HU"


def _matrix(ds: Dataset, grid: Grid, *, bits: int, signed: bool) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = grid.shape[1:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits, bits - 1
    ds.PixelRepresentation = int(signed)
    ds.PixelSpacing = [f"{step:g}" for step in grid.spacing[1:]]
    ds.SliceThickness = f"{grid.spacing[0]:g}"
    ds.ImageOrientationPatient = [f"{cosine:g}" for cosine in (*grid.row, *grid.column)]


def _place(ds: Dataset, grid: Grid, plane: int, uid: UID) -> None:
    ds.SOPInstanceUID, ds.InstanceNumber = uid, plane + 1
    position: Any = grid.voxel_to_patient((plane, 0, 0))
    ds.ImagePositionPatient = [f"{part:.6g}" for part in position]
    ds.SliceLocation = f"{position[2]:.6g}"


def _written(ds: Dataset) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = io.BytesIO()
    ds.save_as(content, enforce_file_format=True)
    return content.getvalue()


def _age(birth: date, day: date) -> int:
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))
