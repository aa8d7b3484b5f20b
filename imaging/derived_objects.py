"""What DICOM objects made here have in common: whose they are, what they refer to, when.

They stand in the study of the PET series they were made from and know nothing but its released,
de-identified images. The mistake to fear is an object that says when it was written: the same
measurement must give the same bytes, and a clock that was not moved with the patient's dates
tells how far they were moved. So every date is that of the acquisition, and every UID the trial's
keyed digest of what the object is of.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM

from imaging.deidentification import keyed_uid
from imaging.headers import SliceHeader

MANUFACTURER = "TrialTrace"
# Patient, study and trial as released; anything else of an image's header is its own.
_PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
)
_TRIAL = (
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialTimePointID",
    "LongitudinalTemporalOffsetFromEvent",
    "LongitudinalTemporalEventType",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)
# What a study must state, if only that it is not known.
TYPE_2 = (
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)


class ObjectError(ValueError):
    """Nothing that could be written as a DICOM object; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Reader:
    """A signed read and who read it, by the numbers under which both are exported: no names."""

    number: int
    read: int


@dataclass(frozen=True, slots=True)
class Source:
    """A released series that objects are made from.

    `head` is the data set of one of its images, `headers` are those of all, in the order of the
    planes. `run` counts the measurements of the series, `key` is the trial's secret. `reader` is
    None for what a run found by itself.
    """

    head: Dataset
    headers: tuple[SliceHeader, ...]
    run: int
    key: bytes
    software_version: str
    reader: Reader | None = None

    @property
    def title(self) -> str:
        """What objects are of, for a person.

        A read of the same run has a number of its own.
        """
        return f"run {self.run}" + (f", read {self.reader.read}" if self.reader else "")

    def own_uid(self, *of: str) -> str:
        """As `uid`, and another one for each read of the run."""
        return self.uid(*of, *(("read", str(self.reader.read)) if self.reader else ()))

    def uid(self, *of: str) -> str:
        """The UID of what these words name in this run.

        The same run and words give the same UID, and nobody without the key another's.
        """
        series = self.headers[0].series_instance_uid
        return keyed_uid("/".join((series, str(self.run), *of)), key=self.key)

    @property
    def tracer(self) -> str:
        """What the images say was injected; empty where they do not."""
        items = getattr(self.headers[0], "radiopharmaceuticals", ())
        return items[0].name if items else ""

    def images(self, planes: Sequence[int]) -> Iterator[Dataset]:
        """What an object must know of the images in these planes, without their pixels."""
        shared = self._shared()
        for plane in planes:
            yield _image(shared, self.headers[plane])

    def _shared(self) -> Dataset:
        shared = Dataset()
        for keyword in _PATIENT_AND_STUDY:
            if keyword in self.head:
                # By value: an element is shared, and would change in the image too.
                setattr(shared, keyword, self.head[keyword].value)
        for keyword in TYPE_2:
            if keyword not in shared:
                setattr(shared, keyword, "")
        # Released images have one component there, of which the library warns.
        shared.PatientName = f"{self.head.PatientName}^"
        return shared


def _image(shared: Dataset, header: SliceHeader) -> Dataset:
    ds = Dataset()
    ds.update(shared)
    ds.SOPClassUID, ds.SOPInstanceUID = header.sop_class_uid, header.sop_instance_uid
    ds.SeriesInstanceUID, ds.Modality = header.series_instance_uid, header.modality
    ds.FrameOfReferenceUID = header.frame_of_reference_uid
    ds.PositionReferenceIndicator = ""
    ds.ImageType = list(header.image_type)
    ds.Rows, ds.Columns = header.rows, header.columns
    ds.ImagePositionPatient = _numbers(header.position)
    ds.ImageOrientationPatient = _numbers(header.orientation)
    ds.PixelSpacing = _numbers(header.pixel_spacing)
    ds.SliceThickness = header.slice_thickness
    return ds


def _numbers(values: Sequence[float] | None) -> list[float]:
    if values is None:
        raise ObjectError("place-missing", "An image does not say where it lies in the patient.")
    return list(values)


def settle(ds: Dataset, source: Source, *, description: str, number: int) -> None:
    """Replace what a library took from the clock, and say whose trial it is and who made it.

    Raises
    ------
    ObjectError
        "acquisition-without-date".
    """
    first = source.headers[0]
    day = first.acquisition_date or first.series_date or first.study_date
    clock = first.acquisition_time or first.series_time or first.study_time
    if day is None or clock is None:
        raise ObjectError(
            "acquisition-without-date",
            "The images do not say when they were acquired, and an object made from them has to.",
        )
    for name in ("InstanceCreation", "Content", "Series"):
        setattr(ds, f"{name}Date", DA(day))
        setattr(ds, f"{name}Time", TM(clock))
    for keyword in (*_PATIENT_AND_STUDY, *_TRIAL):
        if keyword in source.head:
            ds[keyword] = source.head[keyword]
    for one in ds.get("ContributingEquipmentSequence", ()):
        one.ContributionDateTime = DT(datetime.combine(day, clock))
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SeriesDescription, ds.SeriesNumber = description, number
    ds.Manufacturer = ds.ManufacturerModelName = MANUFACTURER
    # A program has no serial number; which one it is, its version says.
    ds.DeviceSerialNumber = ds.SoftwareVersions = source.software_version


def written(ds: Dataset) -> bytes:
    """The object as a file."""
    content = io.BytesIO()
    ds.save_as(content, enforce_file_format=True)
    return content.getvalue()
