"""Dose reports of a CT as scanners write them: DICOM PS3.16 TID 10011 to 10013."""

from __future__ import annotations

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, XRayRadiationDoseSRStorage

# The example of HL7's Radiation Dose Summary: in all 203.12 mGy.cm, of one event 157.07 mGy.cm.
TOTAL, OF_EVENT = "203.12", "157.07"


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return ds


def item(kind: str, name: tuple[str, str], **values) -> Dataset:
    ds = Dataset()
    ds.RelationshipType, ds.ValueType = "CONTAINS", kind
    ds.ConceptNameCodeSequence = [coded(name[0], "DCM", name[1])]
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def number(name: tuple[str, str], value: str, unit: str = "mGy.cm") -> Dataset:
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = [coded(unit, "UCUM", unit)]
    return item("NUM", name, MeasuredValueSequence=[measured])


def acquisition(region: tuple[str, str, str], kind: tuple[str, str, str]) -> Dataset:
    dose = item("CONTAINER", ("113829", "CT Dose"), ContinuityOfContent="SEPARATE")
    dose.ContentSequence = [number(("113838", "DLP"), OF_EVENT)]
    return item(
        "CONTAINER",
        ("113819", "CT Acquisition"),
        ContinuityOfContent="SEPARATE",
        ContentSequence=[
            item("TEXT", ("125203", "Acquisition Protocol"), TextValue="Wintergreen low dose"),
            item("CODE", ("123014", "Target Region"), ConceptCodeSequence=[coded(*region)]),
            item("CODE", ("113820", "CT Acquisition Type"), ConceptCodeSequence=[coded(*kind)]),
            item("UIDREF", ("113769", "Irradiation Event UID"), UID="1.2.77.1"),
            dose,
        ],
    )


TRUNK = ("416775004", "SCT", "Chest, Abdomen and Pelvis")
HEAD = ("69536005", "SCT", "Head")
SPIRAL = ("116152004", "SCT", "Spiral Acquisition")
OVERVIEW = ("113805", "DCM", "Constant Angle Acquisition")


def dose_report(first: Dataset, total: str = TOTAL, *, unit: str = "mGy.cm") -> Dataset:
    """A dose report of the study of an image, with a name wherever people type one."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.Modality = XRayRadiationDoseSRStorage, "SR"
    ds.SOPInstanceUID, ds.SeriesInstanceUID = "1.2.6.1", "1.2.6"
    for keyword in ("StudyInstanceUID", "PatientSex", "PatientWeight"):
        setattr(ds, keyword, first[keyword].value)
    ds.PatientName, ds.PatientID = first.get("PatientName"), first.get("PatientID")
    ds.StudyDate, ds.StudyTime, ds.SeriesDate = "20260301", "120000", "20260301"
    ds.ContentDate, ds.ContentTime = "20260301", "120500"
    ds.Manufacturer, ds.SeriesNumber, ds.InstanceNumber = "SIEMENS", "501", "1"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ConceptNameCodeSequence = [coded("113701", "DCM", "X-Ray Radiation Dose Report")]
    observer = item("PNAME", ("121008", "Person Observer Name"), PersonName="Hollister^Barnaby")
    accumulated = item(
        "CONTAINER", ("113811", "CT Accumulated Dose Data"), ContinuityOfContent="SEPARATE"
    )
    accumulated.ContentSequence = [
        number(("113812", "Total Number of Irradiation Events"), "2", "{events}"),
        number(("113813", "CT Dose Length Product Total"), total, unit),
    ]
    ds.ContentSequence = [
        observer,
        accumulated,
        acquisition(HEAD, OVERVIEW),
        acquisition(TRUNK, SPIRAL),
    ]
    return ds
