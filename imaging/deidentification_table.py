"""The keep-list of de-identification: what stays of an image, how, and why.

An attribute that has no row here is gone, at every level. A row says what becomes of the value
and for what reason; where PS3.15 Table E.1-1 would have the attribute removed or replaced, it
names the option of the standard that lets it stay. `manage.py deidentification_table` prints it.

The mistake to fear is a row that nobody can defend: it is held against the standard's own table,
edition 2026c (`imaging.ps315`), by the tests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import MappingProxyType

from pydicom.datadict import tag_for_keyword
from pydicom.tag import Tag

from imaging import ps315

# Names the keep-list in every report and every file; raise it with every change of a row.
TABLE = "TrialTrace keep-list 6"


class Action(StrEnum):
    """What becomes of a value; one that has not the form of its kind is removed."""

    NUMBER = "keep a number"
    TIME = "keep a time of day"
    ZONE = "keep an offset from UTC"
    AGE = "keep an age up to 89 years"
    WORD = "keep a word of the vocabulary"
    CODE = "keep a code"
    MACHINE = "keep what a machine writes of itself"
    STANDARD_UID = "keep a UID of the standard"
    DATE = "shift the date"
    INSTANT = "shift the date-time"
    UID = "replace by a keyed UID"
    SUBSTANCE = "replace by a word of ours"
    DESCRIBED = "replace by words of the vocabulary"
    LABELLED = "replace by words for regions"
    PLACES = "keep coordinates"
    POINTER = "keep a tag of the standard"
    ITEMS = "keep the items as listed"
    PIXELS = "keep the stored values"
    WRITE = "write anew"
    EMPTY = "write empty"


class Option(Enum):
    """An option of PS3.15 Annex E by its code in PS3.16 CID 7050, with the code's meaning."""

    BASIC = ("113100", "Basic Application Confidentiality Profile")
    # Overlays, curves and annotations have no row, so that they are removed.
    CLEAN_GRAPHICS = ("113103", "Clean Graphics Option")
    # Of a report only listed items stay: codes, numbers and their units.
    CLEAN_CONTENT = ("113104", "Clean Structured Content Option")
    CLEAN_DESCRIPTORS = ("113105", "Clean Descriptors Option")
    MODIFIED_DATES = (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    )
    PATIENT_CHARACTERISTICS = ("113108", "Retain Patient Characteristics Option")
    SAFE_PRIVATE = ("113111", "Retain Safe Private Option")

    @property
    def code(self) -> str:
        return self.value[0]

    @property
    def meaning(self) -> str:
        return self.value[1]


# Rows are told by being one: to compare what they say, hundreds of them, would cost more.
@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """An attribute of the dictionary; `within` is the path of the sequence that holds it."""

    keyword: str
    action: Action
    reason: str
    option: Option | None = None
    within: str = ""

    @property
    def path(self) -> str:
        return f"{self.within}.{self.keyword}" if self.within else self.keyword

    @property
    def tag(self) -> int:
        tag = tag_for_keyword(self.keyword)
        if tag is None:
            raise KeyError(self.keyword)
        return int(tag)

    @property
    def tags(self) -> str:
        return f"({self.tag >> 16:04x},{self.tag & 0xFFFF:04x})"

    @property
    def standard(self) -> str:
        """What the Basic Profile does with it: X removes, Z empties, D and U replace."""
        return ps315.basic_profile(self.tag)


@dataclass(frozen=True, slots=True, eq=False)
class PrivateRow:
    """A private element, in whichever block its exact creator reserved."""

    group: int
    creator: str
    element: int
    representation: str
    action: Action
    reason: str
    option: Option = Option.SAFE_PRIVATE

    @property
    def path(self) -> str:
        return f"{self.creator}, {self.tags}"

    @property
    def tags(self) -> str:
        return f"({self.group:04x},xx{self.element:02x})"

    @property
    def standard(self) -> str:
        return ps315.basic_profile(Tag(self.group, 0x1000 | self.element))


def _rows(
    action: Action,
    keywords: str,
    reason: str,
    *,
    option: Option | None = None,
    within: str = "",
) -> Iterator[Row]:
    for keyword in keywords.split():
        yield Row(keyword, action, reason, option, within)


def _coded(sequence: str, what: str) -> Iterator[Row]:
    """A code sequence inside the radiopharmaceutical."""
    yield Row(sequence, Action.ITEMS, f"{what} as a code.", within=_TRACER)
    inside = f"{_TRACER}.{sequence}"
    yield Row("CodeValue", Action.CODE, f"{what}: the code names no person.", within=inside)
    yield Row(
        "CodingSchemeDesignator",
        Action.WORD,
        "Whose code it is: without it the code value means nothing.",
        within=inside,
    )
    yield Row(
        "CodeMeaning",
        Action.SUBSTANCE,
        "Vendors spell the meaning freely, so our word stands for it.",
        within=inside,
    )


def _reference(within: str, what: str) -> Iterator[Row]:
    """What points at another object, which is released under the same new UID."""
    yield Row("ReferencedSOPClassUID", Action.STANDARD_UID, what, within=within)
    yield Row("ReferencedSOPInstanceUID", Action.UID, what, within=within)


def _concept(sequence: str, what: str) -> Iterator[Row]:
    """A code sequence of a segmentation, at a path."""
    within, _, keyword = sequence.rpartition(".")
    yield Row(keyword, Action.ITEMS, f"{what} as a code.", within=within)
    yield Row("CodeValue", Action.CODE, f"{what}: the code names no person.", within=sequence)
    yield Row(
        "CodingSchemeDesignator",
        Action.WORD,
        "Whose code it is: without it the code value means nothing.",
        within=sequence,
    )
    yield Row(
        "CodeMeaning",
        Action.LABELLED,
        "Programs spell the meaning freely, so words of a vocabulary stand for it.",
        within=sequence,
    )


def _groups(groups: str) -> Iterator[Row]:
    """What a segmentation says of all its frames, or of each."""

    def rows(action: Action, keywords: str, reason: str, *within: str) -> Iterator[Row]:
        return _rows(action, keywords, reason, within=".".join((groups, *within)))

    source = ("DerivationImageSequence", "SourceImageSequence")
    yield Row(groups, Action.ITEMS, "Where frames lie, and of which segment they are.")
    yield from rows(Action.ITEMS, "PlaneOrientationSequence", "How the frames lie.")
    yield from rows(
        Action.NUMBER,
        "ImageOrientationPatient",
        "Places of lesions are measured by it.",
        "PlaneOrientationSequence",
    )
    yield from rows(Action.ITEMS, "PixelMeasuresSequence", "How large the pixels are.")
    yield from rows(
        Action.NUMBER,
        "PixelSpacing SliceThickness SpacingBetweenSlices",
        "Volumes of lesions are measured by them.",
        "PixelMeasuresSequence",
    )
    yield from rows(Action.ITEMS, "PlanePositionSequence", "Where a frame lies.")
    yield from rows(
        Action.NUMBER,
        "ImagePositionPatient",
        "Frames are placed by it, and not by their order.",
        "PlanePositionSequence",
    )
    yield from rows(Action.ITEMS, "SegmentIdentificationSequence", "Of which segment it is.")
    yield from rows(
        Action.NUMBER,
        "ReferencedSegmentNumber",
        "Of which segment the frame is.",
        "SegmentIdentificationSequence",
    )
    yield from rows(Action.ITEMS, "FrameContentSequence", "Which frame it is.")
    yield from rows(
        Action.NUMBER, "DimensionIndexValues", "Which frame it is.", "FrameContentSequence"
    )
    yield from rows(Action.ITEMS, "DerivationImageSequence", "What the frame was made from.")
    yield from _concept(
        f"{groups}.DerivationImageSequence.DerivationCodeSequence", "How the frame was made"
    )
    yield from rows(
        Action.ITEMS, "SourceImageSequence", "The images that it was made from.", source[0]
    )
    within = ".".join((groups, *source))
    yield from _reference(within, "The image that the frame was drawn on.")
    yield from _concept(f"{within}.PurposeOfReferenceCodeSequence", "What the image was used for")


def _term(sequence: str, what: str) -> Iterator[Row]:
    """A code sequence of a dose report, at a path."""
    within, _, keyword = sequence.rpartition(".")
    yield Row(keyword, Action.ITEMS, f"{what} as a code.", within=within)
    yield Row("CodeValue", Action.CODE, f"{what}: the code names no person.", within=sequence)
    yield from _rows(
        Action.WORD,
        "CodingSchemeDesignator CodeMeaning",
        "Whose code it is, and what it means in words of the standard.",
        within=sequence,
    )


def _content(depth: int) -> Iterator[Row]:
    """What stays of the items of a dose report at one depth: what they are, codes and numbers."""
    within = ".".join(["ContentSequence"] * depth)
    above = ".".join(["ContentSequence"] * (depth - 1))
    yield Row(
        "ContentSequence",
        Action.ITEMS,
        "The dose of the CT stands in it; names, dates and texts of people have no row.",
        Option.CLEAN_CONTENT,
        above,
    )
    yield from _rows(
        Action.WORD,
        "ValueType RelationshipType ContinuityOfContent",
        "What kind of item it is.",
        within=within,
    )
    yield from _term(f"{within}.ConceptNameCodeSequence", "What the item is about")
    yield from _term(f"{within}.ConceptCodeSequence", "The region, or how it was acquired,")
    yield Row("UID", Action.UID, "Which irradiation it is about.", within=within)
    measured = f"{within}.MeasuredValueSequence"
    yield Row("MeasuredValueSequence", Action.ITEMS, "The dose as measured.", within=within)
    yield Row("NumericValue", Action.NUMBER, "The dose as the scanner counted it.", within=measured)
    unit = f"{measured}.MeasurementUnitsCodeSequence"
    yield Row(
        "MeasurementUnitsCodeSequence", Action.ITEMS, "The unit of the dose.", within=measured
    )
    yield from _rows(
        Action.WORD,
        "CodeValue CodingSchemeDesignator CodeMeaning",
        "Its unit: a number without one is none.",
        within=unit,
    )


_DATES, _PATIENT = Option.MODIFIED_DATES, Option.PATIENT_CHARACTERISTICS
_TRACER = "RadiopharmaceuticalInformationSequence"
_WINDOW = "EnergyWindowRangeSequence"
_FRAME = "ReferencedFrameOfReferenceSequence"
_DRAWN = f"{_FRAME}.RTReferencedStudySequence.RTReferencedSeriesSequence"
_ROI, _OBSERVED = "StructureSetROISequence", "RTROIObservationsSequence"
_SOURCE, _SEGMENT = "ReferencedSeriesSequence", "SegmentSequence"
_OUTLINES, _OUTLINE = "ROIContourSequence", "ROIContourSequence.ContourSequence"

ROWS: tuple[Row, ...] = (
    # Which image it is.
    *_rows(Action.STANDARD_UID, "SOPClassUID", "What kind of image it is; no one's own."),
    *_rows(
        Action.UID,
        "SOPInstanceUID SeriesInstanceUID StudyInstanceUID FrameOfReferenceUID",
        "Images of a series, a study and a frame of reference stay together.",
    ),
    *_rows(
        Action.DESCRIBED,
        "SeriesDescription StudyDescription",
        "Attenuation-corrected series are told from others by it; typed by people, so that only "
        "words of a vocabulary stay.",
        option=Option.CLEAN_DESCRIPTORS,
    ),
    *_rows(Action.WORD, "Modality ImageType", "What was imaged, and whether it is the original."),
    *_rows(
        Action.NUMBER,
        "InstanceNumber SeriesNumber AcquisitionNumber ImageIndex NumberOfSlices "
        "NumberOfTimeSlices",
        "Order of the images, and whether the series is whole.",
    ),
    # When.
    *_rows(
        Action.DATE,
        "StudyDate SeriesDate AcquisitionDate ContentDate",
        "Decay is reckoned between days, and visits are compared: intervals stay.",
        option=_DATES,
    ),
    *_rows(
        Action.TIME,
        "StudyTime SeriesTime AcquisitionTime ContentTime",
        "Decay is reckoned in seconds; a time of day without its day names nobody.",
        option=_DATES,
    ),
    *_rows(
        Action.INSTANT,
        "AcquisitionDateTime DecayCorrectionDateTime",
        "What the values are corrected to; moved by the same days as every date.",
        option=_DATES,
    ),
    *_rows(
        Action.ZONE,
        "TimezoneOffsetFromUTC",
        "Clocks of one file are compared in it.",
        option=_DATES,
    ),
    *_rows(
        Action.NUMBER,
        "FrameReferenceTime ActualFrameDuration",
        "Witnesses of the instant that the values refer to.",
    ),
    *_rows(
        Action.NUMBER,
        "TriggerTime TemporalPositionIdentifier",
        "Bins and frames in one place are told apart by it.",
    ),
    # Of whom: what a measurement divides by.
    *_rows(Action.NUMBER, "PatientWeight", "SUV divides by it.", option=_PATIENT),
    *_rows(Action.NUMBER, "PatientSize", "Lean body mass and surface need it.", option=_PATIENT),
    *_rows(Action.WORD, "PatientSex", "Lean body mass needs it.", option=_PATIENT),
    *_rows(
        Action.AGE,
        "PatientAge",
        "Uptake depends on it; above 89 years it identifies by itself.",
        option=_PATIENT,
    ),
    # With which machine.
    *_rows(
        Action.MACHINE,
        "Manufacturer ManufacturerModelName SoftwareVersions",
        "The rules for SUV are the vendor's; without a word of anybody's identity.",
    ),
    *_rows(
        Action.MACHINE,
        "ReconstructionMethod AttenuationCorrectionMethod ScatterCorrectionMethod "
        "ConvolutionKernel",
        "Uptake depends on reconstruction; without a word of anybody's identity.",
    ),
    *_rows(
        Action.NUMBER,
        "KVP XRayTubeCurrent ExposureTime Exposure GantryDetectorTilt TableHeight",
        "How the CT was acquired: dose and density depend on it.",
    ),
    *_rows(
        Action.NUMBER,
        "CTDIvol",
        "The dose of the CT: with the length of the series it gives the dose-length product.",
    ),
    *_term("CTDIPhantomTypeCodeSequence", "The phantom that the dose refers to"),
    *_rows(
        Action.UID,
        "IrradiationEventUID",
        "Two reconstructions of one acquisition are told from two, so that no dose counts twice.",
    ),
    *_rows(
        Action.NUMBER,
        "ReconstructionDiameter DataCollectionDiameter AxialAcceptance AxialMash",
        "How the image was acquired and reconstructed.",
    ),
    *_rows(Action.WORD, "FieldOfViewShape", "How the image was acquired."),
    # What the stored values mean.
    *_rows(
        Action.WORD,
        "Units SUVType CorrectedImage DecayCorrection SeriesType CountsSource",
        "What the values are, and what they are corrected for.",
    ),
    *_rows(
        Action.WORD,
        "RandomsCorrectionMethod",
        "Which correction of randoms the values had.",
    ),
    *_rows(
        Action.NUMBER,
        "RescaleSlope RescaleIntercept",
        "Stored values become activity or density by them.",
    ),
    *_rows(Action.WORD, "RescaleType", "The unit of the rescaled value."),
    *_rows(
        Action.NUMBER,
        "DecayFactor DoseCalibrationFactor ScatterFractionFactor DeadTimeFactor",
        "Factors in the values; decay is checked by the first.",
    ),
    *_rows(Action.NUMBER, "WindowCenter WindowWidth", "How the image is shown."),
    # The pixel matrix and where it lies.
    *_rows(
        Action.NUMBER,
        "SamplesPerPixel Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation",
        "Without them the stored values can't be read.",
    ),
    *_rows(
        Action.WORD,
        "PhotometricInterpretation",
        "Without it the stored values can't be shown.",
    ),
    *_rows(Action.NUMBER, "PixelPaddingValue", "Which stored values are none."),
    *_rows(
        Action.WORD,
        "LossyImageCompression BurnedInAnnotation",
        "Whether values were changed, and whether text may stand in them.",
    ),
    *_rows(
        Action.NUMBER,
        "PixelSpacing SliceThickness SpacingBetweenSlices SliceLocation ImagePositionPatient "
        "ImageOrientationPatient",
        "Volumes and places of lesions are measured by them.",
    ),
    *_rows(Action.WORD, "PatientPosition", "Which end of the series is the head."),
    *_rows(Action.PIXELS, "PixelData", "What is measured; native, without foreign bits."),
    # The energy window.
    *_rows(Action.ITEMS, _WINDOW, "Which photons were counted."),
    *_rows(
        Action.NUMBER,
        "EnergyWindowLowerLimit EnergyWindowUpperLimit",
        "Which photons were counted.",
        within=_WINDOW,
    ),
    # What was injected, and when.
    *_rows(Action.ITEMS, _TRACER, "What was injected, how much and when."),
    *_rows(
        Action.NUMBER,
        "RadionuclideTotalDose RadionuclideHalfLife",
        "SUV divides by the activity that decay has left.",
        within=_TRACER,
    ),
    *_rows(
        Action.NUMBER,
        "RadionuclidePositronFraction RadiopharmaceuticalVolume "
        "RadiopharmaceuticalSpecificActivity",
        "How much was injected, and how much of it is seen.",
        within=_TRACER,
    ),
    *_rows(
        Action.TIME,
        "RadiopharmaceuticalStartTime RadiopharmaceuticalStopTime",
        "Decay is reckoned from it in seconds.",
        option=_DATES,
        within=_TRACER,
    ),
    *_rows(
        Action.INSTANT,
        "RadiopharmaceuticalStartDateTime RadiopharmaceuticalStopDateTime",
        "Decay is reckoned from it; moved by the same days as every date.",
        option=_DATES,
        within=_TRACER,
    ),
    *_rows(
        Action.SUBSTANCE,
        "Radiopharmaceutical",
        "Which tracer it was; typed by people, so our word stands for it.",
        within=_TRACER,
    ),
    *_coded("RadionuclideCodeSequence", "The nuclide"),
    *_coded("RadiopharmaceuticalCodeSequence", "The tracer"),
    *_coded("AdministrationRouteCodeSequence", "The route"),
    # Regions that were drawn on images: of a structure set, whose contours these are.
    *_rows(
        Action.WRITE,
        "StructureSetLabel",
        "A structure set wants it present; typed by people, so that a word of ours stands for it.",
    ),
    *_rows(Action.WRITE, "OperatorsName", "A structure set wants it present; it is left empty."),
    *_rows(
        Action.DATE, "StructureSetDate", "When the regions were drawn or changed.", option=_DATES
    ),
    *_rows(
        Action.TIME, "StructureSetTime", "When the regions were drawn or changed.", option=_DATES
    ),
    *_rows(Action.ITEMS, _FRAME, "On which images the regions were drawn."),
    *_rows(Action.UID, "FrameOfReferenceUID", "In which coordinates it lies.", within=_FRAME),
    *_rows(Action.ITEMS, "RTReferencedStudySequence", "Of which study they are.", within=_FRAME),
    *_reference(f"{_FRAME}.RTReferencedStudySequence", "The study that the images are of."),
    *_rows(
        Action.ITEMS,
        "RTReferencedSeriesSequence",
        "Of which series they are.",
        within=f"{_FRAME}.RTReferencedStudySequence",
    ),
    *_rows(
        Action.UID, "SeriesInstanceUID", "The series that the regions were drawn on.", within=_DRAWN
    ),
    *_rows(Action.ITEMS, "ContourImageSequence", "Which images of the series.", within=_DRAWN),
    *_reference(f"{_DRAWN}.ContourImageSequence", "The image of a plane."),
    *_rows(Action.ITEMS, _ROI, "Which regions there are."),
    *_rows(Action.NUMBER, "ROINumber", "Regions and contours are joined by it.", within=_ROI),
    *_rows(
        Action.UID, "ReferencedFrameOfReferenceUID", "In which coordinates it lies.", within=_ROI
    ),
    *_rows(
        Action.LABELLED,
        "ROIName",
        "What was drawn; typed by people, so that only words of a vocabulary stay.",
        option=Option.CLEAN_DESCRIPTORS,
        within=_ROI,
    ),
    *_rows(Action.WORD, "ROIGenerationAlgorithm", "Whether by hand or by a program.", within=_ROI),
    *_rows(Action.ITEMS, _OUTLINES, "The contours of each region."),
    *_rows(Action.NUMBER, "ReferencedROINumber", "Whose contours these are.", within=_OUTLINES),
    *_rows(Action.NUMBER, "ROIDisplayColor", "In which colour it is shown.", within=_OUTLINES),
    *_rows(Action.ITEMS, "ContourSequence", "The contours, plane by plane.", within=_OUTLINES),
    *_rows(
        Action.NUMBER,
        "ContourNumber NumberOfContourPoints",
        "Which contour it is, and whether it is whole.",
        within=_OUTLINE,
    ),
    *_rows(Action.WORD, "ContourGeometricType", "Whether it encloses something.", within=_OUTLINE),
    *_rows(
        Action.PLACES, "ContourData", "Where it is: what is measured lies inside.", within=_OUTLINE
    ),
    *_rows(Action.ITEMS, "ContourImageSequence", "On which image it was drawn.", within=_OUTLINE),
    *_reference(f"{_OUTLINE}.ContourImageSequence", "The image that it was drawn on."),
    *_rows(Action.ITEMS, _OBSERVED, "What is said of each region."),
    *_rows(
        Action.NUMBER,
        "ObservationNumber ReferencedROINumber",
        "Of which region it is said.",
        within=_OBSERVED,
    ),
    *_rows(Action.WORD, "RTROIInterpretedType", "Tumour, organ or other.", within=_OBSERVED),
    *_rows(Action.EMPTY, "ROIInterpreter", "Wanted present; a person's name.", within=_OBSERVED),
    # Of a segmentation, whose pixels these are.
    *_rows(
        Action.WRITE,
        "ContentLabel",
        "A segmentation wants it present; typed by people, so that a word of ours stands for it.",
    ),
    *_rows(
        Action.WRITE,
        "ContentDescription ContentCreatorName",
        "A segmentation wants them present; they are left empty.",
    ),
    *_rows(Action.WORD, "SegmentationType", "What a pixel of it means."),
    *_rows(Action.NUMBER, "NumberOfFrames", "How many planes of segments there are."),
    *_rows(Action.ITEMS, _SOURCE, "On which series the segments were drawn."),
    *_rows(Action.UID, "SeriesInstanceUID", "The series they were drawn on.", within=_SOURCE),
    *_rows(Action.ITEMS, "ReferencedInstanceSequence", "Which images of it.", within=_SOURCE),
    *_reference(f"{_SOURCE}.ReferencedInstanceSequence", "An image of the series."),
    *_rows(Action.ITEMS, _SEGMENT, "Which segments there are."),
    *_rows(
        Action.NUMBER, "SegmentNumber", "Segments and frames are joined by it.", within=_SEGMENT
    ),
    *_rows(
        Action.LABELLED,
        "SegmentLabel",
        "What was drawn; typed by people, so that only words of a vocabulary stay.",
        within=_SEGMENT,
    ),
    *_rows(
        Action.WORD, "SegmentAlgorithmType", "Whether by hand or by a program.", within=_SEGMENT
    ),
    *_rows(
        Action.MACHINE,
        "SegmentAlgorithmName",
        "By which program; without a word of anybody's identity.",
        within=_SEGMENT,
    ),
    *_concept(f"{_SEGMENT}.SegmentedPropertyCategoryCodeSequence", "The category of the segment"),
    *_concept(f"{_SEGMENT}.SegmentedPropertyTypeCodeSequence", "What the segment is"),
    *_rows(Action.ITEMS, "DimensionOrganizationSequence", "How frames are numbered."),
    *_rows(
        Action.UID,
        "DimensionOrganizationUID",
        "Which numbering it is.",
        within="DimensionOrganizationSequence",
    ),
    *_rows(Action.ITEMS, "DimensionIndexSequence", "By what frames are numbered."),
    *_rows(
        Action.UID,
        "DimensionOrganizationUID",
        "Which numbering it is.",
        within="DimensionIndexSequence",
    ),
    *_rows(
        Action.POINTER,
        "DimensionIndexPointer FunctionalGroupPointer",
        "Which attribute is counted: a tag of the standard.",
        within="DimensionIndexSequence",
    ),
    *_groups("SharedFunctionalGroupsSequence"),
    *_groups("PerFrameFunctionalGroupsSequence"),
    # Of a dose report, whose totals these are.
    *_rows(
        Action.WORD,
        "ValueType ContinuityOfContent CompletionFlag VerificationFlag",
        "That it is a report, and whether it is whole.",
    ),
    *_term("ConceptNameCodeSequence", "The title of the report"),
    *_content(1),
    *_content(2),
    *_content(3),
    # Whose image it now is, and what was done to it.
    *_rows(
        Action.WRITE,
        "SpecificCharacterSet",
        "UTF-8, in which everything here is written.",
    ),
    *_rows(
        Action.WRITE,
        "PatientName PatientID ClinicalTrialSubjectID",
        "The subject's number in the trial, in place of the name.",
    ),
    *_rows(
        Action.WRITE,
        "ClinicalTrialSponsorName ClinicalTrialProtocolID ClinicalTrialSiteID",
        "The sponsor, and the trial and the site by their codes.",
    ),
    *_rows(
        Action.WRITE,
        "ClinicalTrialTimePointID",
        "Which scan of the plan it is, as the Clinical Trial Study Module has it.",
    ),
    *_rows(
        Action.WRITE,
        "LongitudinalTemporalOffsetFromEvent LongitudinalTemporalEventType",
        "How many days after the enrolment the study was: the order of scans without a date.",
    ),
    *_rows(
        Action.EMPTY,
        "ClinicalTrialProtocolName ClinicalTrialSiteName ClinicalTrialCoordinatingCenterName",
        "The Clinical Trial Subject and Series Modules want them present.",
    ),
    *_rows(
        Action.EMPTY,
        "PatientBirthDate ReferringPhysicianName StudyID AccessionNumber",
        "The image wants them present; their values identify.",
    ),
    *_rows(
        Action.WRITE,
        "PatientIdentityRemoved DeidentificationMethod",
        "That the identity was removed, and by which table.",
    ),
    *_rows(
        Action.WRITE,
        "DeidentificationMethodCodeSequence",
        "By which profile and options of the standard.",
    ),
    *_rows(
        Action.WRITE,
        "CodeValue CodingSchemeDesignator CodeMeaning",
        "The profile or option as a code.",
        within="DeidentificationMethodCodeSequence",
    ),
    *_rows(
        Action.WRITE,
        "LongitudinalTemporalInformationModified",
        "That dates are not the real ones.",
    ),
    *_rows(
        Action.WRITE,
        "RecognizableVisualFeatures",
        "Heads are not defaced: a face can be rendered from them.",
    ),
)

# The private scan times of GE and Siemens are not in the standard's list of safe private
# attributes. They are local additions: kept because decay can't be settled without them, and
# never but moved. Their neighbours hold names, numbers and the hospital.
_PHILIPS = "Philips PET Private Group"
_LISTED = "Listed as safe in PS3.15 E.3.10"
PRIVATE_ROWS: tuple[PrivateRow, ...] = (
    PrivateRow(0x7053, _PHILIPS, 0x00, "DS", Action.NUMBER, f"{_LISTED}: SUV of a count."),
    PrivateRow(0x7053, _PHILIPS, 0x09, "DS", Action.NUMBER, f"{_LISTED}: Bq/mL of a count."),
    PrivateRow(
        0x0009,
        "GEMS_PETD_01",
        0x0D,
        "DT",
        Action.INSTANT,
        "Start of the scan, a local addition: GE corrects decay to it.",
    ),
    PrivateRow(
        0x0071,
        "SIEMENS MED PT",
        0x22,
        "DT",
        Action.INSTANT,
        "Decay correction date-time, a local addition: Siemens corrects decay to it.",
    ),
)

ALL_ROWS: tuple[Row | PrivateRow, ...] = (*ROWS, *PRIVATE_ROWS)
# What is written whatever the original had.
WRITTEN = frozenset({Action.WRITE, Action.EMPTY})
# The profile, the options that a row rests on, and the one that is kept by having no row.
_USED = {row.option for row in ALL_ROWS if row.option} | {Option.CLEAN_GRAPHICS}
METHODS = (Option.BASIC, *sorted(_USED, key=lambda one: one.code))

# What is said of a series, in the order in which it is said, and the words that say it.
DESCRIPTORS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "PET": ("pet", "pt"),
        "CT": ("ct",),
        "CTAC": ("ctac", "acct"),
        "WB": ("wb", "wholebody", "whole body"),
        "HEAD": ("head", "brain"),
        "NAC": ("nac", "noac", "no ac", "non ac", "uncorrected", "not corrected"),
        "AC": ("ac", "corrected"),
        "MIP": ("mip",),
        "SUV": ("suv",),
        "FDG": ("fdg", "18f fdg"),
        "PSMA": ("psma",),
        "DOTATATE": ("dotatate",),
        "DOTATOC": ("dotatoc",),
        "PENTIXAFOR": ("pentixafor",),
    }
)

# What is said of a region, and the words that say it; numbers are not words.
LABELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "GTV": ("gtv",),
        "CTV": ("ctv",),
        "PTV": ("ptv",),
        "TUMOUR": ("tumour", "tumor"),
        "LESION": ("lesion", "lesions"),
        "MASS": ("mass",),
        "NODE": ("node", "nodes", "lymph", "lymphnode"),
        "METASTASIS": ("metastasis", "metastases", "met", "mets"),
        "EDEMA": ("edema", "oedema"),
        "NECROSIS": ("necrosis", "necrotic"),
        "LIVER": ("liver",),
        "SPLEEN": ("spleen",),
        "MARROW": ("marrow",),
        "BONE": ("bone",),
        "LUNG": ("lung", "lungs"),
        "BRAIN": ("brain",),
        "KIDNEY": ("kidney", "kidneys"),
        "ADRENAL": ("adrenal", "adrenals"),
        "AORTA": ("aorta", "bloodpool", "blood pool"),
        "BLADDER": ("bladder",),
        "HEART": ("heart",),
        "MUSCLE": ("muscle",),
        "BODY": ("body", "external", "skin"),
        "LEFT": ("left", "lt"),
        "RIGHT": ("right", "rt"),
        "PET": ("pet",),
        "CT": ("ct",),
        "NEOPLASM": ("neoplasm", "neoplasms"),
        "ORGAN": ("organ",),
        "TISSUE": ("tissue",),
        "STRUCTURE": ("structure",),
        "SEGMENTATION": ("segmentation",),
        "SOURCE": ("source",),
        # What is said of a region of which nothing else may be said.
        "REGION": (),
    }
)

_HEADINGS = ("Attribute", "Tag", "Basic profile", "Option", "Action", "Reason")


def cells() -> Iterator[tuple[str, ...]]:
    """Every row as words, in the order of the headings of the table."""
    for row in ALL_ROWS:
        option = row.option.meaning if row.option else ""
        yield row.path, row.tags, row.standard or "not listed", option, row.action, row.reason


def digest() -> str:
    """SHA-256 of the version and all rows: two tables of one version are the same table."""
    lines = ["\t".join(line) for line in cells()]
    return hashlib.sha256("\n".join((TABLE, *lines)).encode()).hexdigest()


def as_text() -> str:
    """The table for a terminal: a line with what is done, and one with why."""
    parts = [f"{TABLE}, held against PS3.15 Table E.1-1, edition {ps315.EDITION}"]
    for path, tags, standard, option, action, reason in cells():
        by = f"; {option}" if option else ""
        parts.append(f"{path} {tags}: {action}\n    {reason} Basic profile: {standard}{by}.")
    return "\n".join(parts)


def as_markdown() -> str:
    """The table for a document."""
    lines = [_HEADINGS, ("---",) * len(_HEADINGS), *cells()]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{TABLE}, held against PS3.15 Table E.1-1, edition {ps315.EDITION}.\n\n{table}"
