"""An answer key: synthetic files with identifiers planted, and what has to become of each.

As the MIDI-B challenge counts: each planted value has one required action, and the score is
correct actions over required actions. The key is written from the standard (PS3.15 Table E.1-1
and its options), not from the keep-list: what has no answer of its own and is in the standard's
table has to be gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import CTImageStorage

from imaging.ps315 import _ACTIONS
from tests.imaging import dose_reports, drawings
from tests.imaging.conftest import pet_dataset

SUBJECT, DAYS = "PL-01-007", -1000
TEXTS = {"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
# A day that no scan of the key is on.
ELSEWHEN = "19770707"


class Answer(StrEnum):
    """What has to become of a planted value."""

    GONE = "remove"
    TRIAL = "replace by the trial's own"
    UID = "replace the UID"
    DATE = "shift the date"
    KEEP = "keep"
    WORD = "replace by a word"
    PIXELS = "keep the pixels"
    HELD = "hold the file for a person"


@dataclass(frozen=True)
class Item:
    """One planted value, where it stands, and what has to become of it."""

    answer: Answer
    path: str
    text: str = ""
    # What is to stand there instead, where that is more than a rule.
    becomes: str = ""


@dataclass
class Planted:
    """A file of the key with its items."""

    name: str
    dataset: Dataset
    items: list[Item] = field(default_factory=list)

    def plant(self, answer: Answer, path: str, text: str, *, becomes: str = "") -> None:
        """Put a text at a path, as a file brings it, and remember what has to become of it."""
        ds, place = made(self.dataset, path)
        if isinstance(place, str):
            element = DataElement(place, dictionary_VR(place), None)
            kind = element.VR if " or " not in element.VR else "LO"
            values = [float(text)] if kind in {"FL", "FD"} else text
            ds[element.tag] = DataElement(element.tag, kind, values, validation_mode=IGNORE)
        else:
            group, creator, number = place
            ds.private_block(group, creator, create=True).add_new(number, "LO", text)
        self.items.append(Item(answer, path, text, becomes))


_STEP = re.compile(r"(\w+)\[0\]\.")
_PRIVATE = re.compile(r"\(([0-9a-f]{4}),(.+),([0-9a-f]{2})\)")


def made(ds: Dataset, path: str) -> tuple[Dataset, str | tuple[int, str, int]]:
    """The item that a path leads to, its sequences made where they are missing, and the place."""
    while step := _STEP.match(path):
        if step[1] not in ds:
            setattr(ds, step[1], [Dataset()])
        ds, path = ds[step[1]].value[0], path[step.end() :]
    private = _PRIVATE.fullmatch(path)
    return ds, (int(private[1], 16), private[2], int(private[3], 16)) if private else path


def found(ds: Dataset, path: str) -> str | None:
    """The text that stands at a path; None where nothing does."""
    while step := _STEP.match(path):
        if not ds.get(step[1]):
            return None
        ds, path = ds[step[1]].value[0], path[step.end() :]
    if private := _PRIVATE.fullmatch(path):
        try:
            block = ds.private_block(int(private[1], 16), private[2])
            return str(block[int(private[3], 16)].value)
        except KeyError:
            return None
    if path not in ds:
        return None
    value = ds[path].value
    parts = value if isinstance(value, (list, MultiValue)) else [value]
    return "\\".join(str(part) for part in parts) if value is not None else ""


TRACER = "RadiopharmaceuticalInformationSequence[0]."
REQUEST = "RequestAttributesSequence[0]."
FRAME = "ReferencedFrameOfReferenceSequence[0]."
REGION, OBSERVED = "StructureSetROISequence[0].", "RTROIObservationsSequence[0]."
CONTOUR = "ROIContourSequence[0].ContourSequence[0]."
SEGMENT, EACH = "SegmentSequence[0].", "PerFrameFunctionalGroupsSequence[0]."
REFERENCED = "ReferencedStudySequence[0].ReferencedSeriesSequence[0]."
# Answers of their own: path, original, and where it has to be another text, which.
TRIALS: Mapping[str, str] = {
    "PatientName": SUBJECT,
    "PatientID": SUBJECT,
    "ClinicalTrialProtocolID": "DEMO",
    "ClinicalTrialSiteID": "PL-01",
    "ClinicalTrialSubjectID": SUBJECT,
}
SHIFTED: Mapping[str, str] = {
    "StudyDate": "20260301",
    "SeriesDate": "20260301",
    "AcquisitionDate": "20260302",
    "ContentDate": "2026.02.28",
    "AcquisitionDateTime": "20260301110600.5+0130",
    "DecayCorrectionDateTime": "20260301110000-0500",
    f"{TRACER}RadiopharmaceuticalStartDateTime": "20260228235959.999",
    f"{TRACER}RadiopharmaceuticalStopDateTime": "202603010001",
    "(0009,GEMS_PETD_01,0d)": "20260301110000.00",
    "(0071,SIEMENS MED PT,22)": "20260301110001.00",
}
UIDS = (
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "FrameOfReferenceUID",
    "IrradiationEventUID",
)
KEPT: Mapping[str, str] = {
    "PatientWeight": "71.5",
    "PatientSize": "1.68",
    "PatientSex": "F",
    "PatientAge": "089Y",
    "SeriesTime": "110000.000000",
    "AcquisitionTime": "110600.123456",
    "StudyTime": "105900",
    "TimezoneOffsetFromUTC": "+0100",
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Biograph128_mCT",
    "SoftwareVersions": "VG60A",
    "Units": "BQML",
    "DecayCorrection": "START",
    "RescaleSlope": "2.5",
    f"{TRACER}RadionuclideTotalDose": "370000000",
    f"{TRACER}RadionuclideHalfLife": "6586.2",
    f"{TRACER}RadiopharmaceuticalStartTime": "100000",
    f"{TRACER}RadionuclideCodeSequence[0].CodeValue": "77004003",
    "(7053,Philips PET Private Group,00)": "0.000421",
    "(7053,Philips PET Private Group,09)": "1.542438",
}
WORDS: Mapping[str, tuple[str, str]] = {
    "SeriesDescription": ("WB ZZCANARYNAME 68Ga noAC", "WB NAC"),
    "StudyDescription": ("PET/CT ZZCANARY, whole body, Dr Brain-Head", "PET CT WB HEAD"),
    f"{TRACER}Radiopharmaceutical": ("FDG for ZZCANARY^Anna", "FDG"),
    f"{TRACER}RadionuclideCodeSequence[0].CodeMeaning": ("^18^Fluorine", "F-18"),
}
GONE: Mapping[str, str] = {
    "PatientBirthDate": "19610423",
    "(7053,Philips PET Private Group,03)": "ZZCANARY_ctac.img",
    "(7053,Philips PET Private Group,05)": "ZZCANARY_wl.img",
    "(0009,GEMS_PETD_01,02)": "ZZCANARY-77",
    "(0009,GEMS_PETD_01,5f)": "ZZCANARY^Anna",
    "(0009,GEMS_PETD_01ZZ,0d)": "19770707110000",
    "(0029,SIEMENS CSA HEADER,10)": "ZZCANARY",
    "(0051,ZZCANARY PRIVATE,01)": "ZZCANARY",
    f"{TRACER}(0019,ZZCANARY,01)": "ZZCANARY",
    f"{TRACER}OperatorsName": "ZZCANARY^Olga",
    f"{TRACER}RadionuclideCodeSequence[0].MappingResourceName": "ZZCANARY",
    f"{REFERENCED}PatientComments": "ZZCANARY was late",
    f"{REFERENCED}SeriesInstanceUID": "1.2.77.88.99.1",
    "OtherPatientIDsSequence[0].PatientID": "ZZCANARY-78",
    "OtherPatientIDsSequence[0].IssuerOfPatientID": "ZZCANARY",
    "OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientName": "ZZCANARY^Maiden",
    "DerivationDescription": "as ZZCANARY asked",
    "PatientSpeciesDescription": "ZZCANARY",
}


def files() -> Iterator[Planted]:
    """The files of the key."""
    for name in ("PET", "CT"):
        yield _named(name)
    yield _old()
    yield _regions()
    yield _segments()
    yield _dose_report()
    yield _of_the_standard("", "every attribute of the table")
    yield _of_the_standard(REQUEST, "every attribute of the table, in a sequence")
    yield _of_the_standard(TRACER, "every attribute of the table, in a sequence that is kept")
    yield from _to_be_held()


def _slice() -> Dataset:
    ds = pet_dataset()
    ds.PixelData = np.arange(20, dtype="<i2").tobytes()
    ds.PatientName, ds.PatientID = "ZZCANARY^Anna", "ZZCANARY-0815"
    return ds


def _named(modality: str) -> Planted:
    made = Planted(modality, _slice())
    if modality == "CT":
        made.dataset.SOPClassUID, made.dataset.Modality = CTImageStorage, "CT"
    for keyword, text in TRIALS.items():
        made.plant(Answer.TRIAL, keyword, "ZZCANARY^Anna", becomes=text)
    for number, keyword in enumerate(UIDS):
        made.plant(Answer.UID, keyword, f"1.2.840.99999.{number}.20260301.7")
    for path, text in SHIFTED.items():
        made.plant(Answer.DATE, path, text, becomes=moved(text))
    for path, text in KEPT.items():
        made.plant(Answer.KEEP, path, text, becomes=text)
    for path, (text, word) in WORDS.items():
        made.plant(Answer.WORD, path, text, becomes=word)
    for path, text in GONE.items():
        made.plant(Answer.GONE, path, text)
    made.items.append(Item(Answer.PIXELS, "PixelData"))
    return made


def moved(text: str) -> str:
    """A date or date-time on its day `DAYS` later, by the calendar of Python."""
    plain = text.replace(".", "") if re.fullmatch(r"\d{4}\.\d\d\.\d\d", text) else text
    day = datetime.strptime(plain[:8], "%Y%m%d") + timedelta(days=DAYS)
    return day.strftime("%Y%m%d") + plain[8:]


def _old() -> Planted:
    made = Planted("an old patient", _slice())
    made.plant(Answer.GONE, "PatientAge", "091Y")
    made.plant(Answer.GONE, "SoftwareVersions", "installed for ZZCANARY")
    made.plant(Answer.GONE, "ContentDate", "00000000")
    made.plant(Answer.GONE, "AcquisitionDateTime", "202603")
    return made


def _regions() -> Planted:
    """A structure set: who drew what, when, and on which images."""
    made = Planted("regions", drawings.structure_set([_slice()]))
    for keyword, text in TRIALS.items():
        made.plant(Answer.TRIAL, keyword, "ZZCANARY^Anna", becomes=text)
    made.plant(Answer.TRIAL, "StructureSetLabel", "ZZCANARY", becomes="REGIONS")
    made.plant(Answer.DATE, "StructureSetDate", "20260302", becomes=moved("20260302"))
    made.plant(Answer.KEEP, "StructureSetTime", "071500", becomes="071500")
    study = f"{FRAME}RTReferencedStudySequence[0]."
    series = f"{study}RTReferencedSeriesSequence[0]."
    for number, path in enumerate(
        (
            *UIDS,
            f"{FRAME}FrameOfReferenceUID",
            f"{study}ReferencedSOPInstanceUID",
            f"{series}SeriesInstanceUID",
            f"{series}ContourImageSequence[0].ReferencedSOPInstanceUID",
            f"{REGION}ReferencedFrameOfReferenceUID",
            f"{CONTOUR}ContourImageSequence[0].ReferencedSOPInstanceUID",
        )
    ):
        made.plant(Answer.UID, path, f"1.2.840.99999.{number}.20260301.8")
    for path, text in {
        f"{REGION}ROINumber": "3",
        f"{REGION}ROIGenerationAlgorithm": "SEMIAUTOMATIC",
        f"{CONTOUR}ContourGeometricType": "CLOSEDPLANAR_XOR",
        f"{OBSERVED}RTROIInterpretedType": "GTV",
    }.items():
        made.plant(Answer.KEEP, path, text, becomes=text)
    label = ("Lymph_node ZZCANARY lt 2", "NODE LEFT")
    made.plant(Answer.WORD, f"{REGION}ROIName", label[0], becomes=label[1])
    for path in (
        "OperatorsName",
        "StructureSetName",
        "StructureSetDescription",
        "ReviewerName",
        f"{REGION}ROIDescription",
        f"{OBSERVED}ROIInterpreter",
        f"{OBSERVED}ROIObservationLabel",
        f"{OBSERVED}ROIObservationDescription",
        f"{CONTOUR}(3005,ZZCANARY,01)",
    ):
        made.plant(Answer.GONE, path, "ZZCANARY")
    return made


def _segments() -> Planted:
    """A segmentation: who drew what, and on which images."""
    made = Planted("segments", drawings.segmentation([_slice()]))
    for keyword, text in TRIALS.items():
        made.plant(Answer.TRIAL, keyword, "ZZCANARY^Anna", becomes=text)
    made.plant(Answer.TRIAL, "ContentLabel", "ZZCANARY", becomes="REGIONS")
    derived = f"{EACH}DerivationImageSequence[0]."
    for number, path in enumerate(
        (
            *UIDS,
            "ReferencedSeriesSequence[0].SeriesInstanceUID",
            "ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID",
            f"{derived}SourceImageSequence[0].ReferencedSOPInstanceUID",
            "DimensionOrganizationSequence[0].DimensionOrganizationUID",
        )
    ):
        made.plant(Answer.UID, path, f"1.2.840.99999.{number}.20260301.9")
    for path, text in {
        "SegmentationType": "BINARY",
        f"{SEGMENT}SegmentAlgorithmType": "SEMIAUTOMATIC",
        f"{SEGMENT}SegmentAlgorithmName": "Threshold 41 percent",
        f"{SEGMENT}SegmentedPropertyTypeCodeSequence[0].CodeValue": "108369006",
    }.items():
        made.plant(Answer.KEEP, path, text, becomes=text)
    for path, text, word in (
        (f"{SEGMENT}SegmentLabel", "ZZCANARY's biggest", "REGION"),
        (
            f"{SEGMENT}SegmentedPropertyTypeCodeSequence[0].CodeMeaning",
            "Neoplasm of ZZCANARY",
            "NEOPLASM",
        ),
    ):
        made.plant(Answer.WORD, path, text, becomes=word)
    for path in (
        "ContentDescription",
        "ContentCreatorName",
        f"{SEGMENT}SegmentDescription",
        f"{SEGMENT}TrackingID",
        f"{derived}DerivationDescription",
        f"{EACH}FrameContentSequence[0].FrameComments",
        f"{EACH}FrameContentSequence[0].FrameLabel",
        f"{SEGMENT}(0063,ZZCANARY,01)",
    ):
        made.plant(Answer.GONE, path, "ZZCANARY")
    return made


def _dose_report() -> Planted:
    """A dose report: of whom, by whom and when, and which irradiation."""
    made = Planted("a dose report", dose_reports.dose_report(_slice()))
    for keyword, text in TRIALS.items():
        made.plant(Answer.TRIAL, keyword, "ZZCANARY^Anna", becomes=text)
    total = "ContentSequence[0].ContentSequence[0]."
    # The first item is the observer; the path of a planted value leads into it.
    for path in (
        "VerifyingObserverSequence[0].VerifyingObserverName",
        "DeviceSerialNumber",
        "ContentSequence[0].PersonName",
        "ContentSequence[0].TextValue",
        "ContentSequence[0].MeasuredValueSequence[0].ConceptNameCodeSequence[0].CodeMeaning",
        f"{total}TextValue",
        f"{total}ConceptCodeSequence[0].CodeMeaning",
        f"{total}ContentSequence[0].ContentSequence[0].TextValue",
    ):
        made.plant(Answer.GONE, path, "ZZCANARY")
    made.plant(Answer.GONE, "ContentSequence[0].DateTime", f"{ELSEWHEN}110000")
    made.plant(Answer.UID, f"{total}UID", "1.2.840.99999.1.20260301.7")
    for path, text in {
        "CompletionFlag": "COMPLETE",
        f"{total}ConceptNameCodeSequence[0].CodeValue": "113813",
        f"{total}MeasuredValueSequence[0].NumericValue": "203.12",
        f"{total}MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue": "mGy.cm",
    }.items():
        made.plant(Answer.KEEP, path, text, becomes=text)
    return made


def _of_the_standard(within: str, name: str) -> Planted:
    """Every attribute of Table E.1-1 that holds text, a date or a UID, and has no other answer."""
    made = Planted(name, _slice())
    answered = {*UIDS, *SHIFTED, *KEPT, *WORDS, *TRIALS, "ClinicalTrialSponsorName"}
    answered |= {path.removeprefix(TRACER) for path in answered}
    answered |= {"AcquisitionTime", "ContentTime", "RadiopharmaceuticalStopTime"}
    # Of a structure set, which has a file of its own.
    answered |= {"StructureSetDate", "StructureSetTime"}
    for tag in sorted(_ACTIONS):
        keyword = keyword_for_tag(tag)
        if tag >> 16 <= 0x0004 or not keyword or keyword in answered:
            continue
        kind = dictionary_VR(tag)
        text = {"DA": ELSEWHEN, "DT": f"{ELSEWHEN}110000", "TM": "070707", "UI": f"1.2.77.{tag}"}
        if kind in TEXTS:
            made.plant(Answer.GONE, within + keyword, "ZZCANARY")
        elif kind in text:
            made.plant(Answer.GONE, within + keyword, text[kind])
    return made


def _to_be_held() -> Iterator[Planted]:
    burned, secondary = _slice(), _slice()
    burned.BurnedInAnnotation = "YES"
    secondary.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    for name, ds in (("text burned in", burned), ("screen save", secondary)):
        yield Planted(name, ds, [Item(Answer.HELD, "PixelData")])
