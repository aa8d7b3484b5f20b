"""Image series from receipt to measurement."""

from imaging.models.adjudication import Adjudication, ReaderAgreement
from imaging.models.alarm import AlarmMail
from imaging.models.comparison import LesionComparison, LesionPair
from imaging.models.conformance import ConformanceFinding
from imaging.models.derived import DicomObject
from imaging.models.destruction import Destruction
from imaging.models.dicom import ImagingStudy, Instance, Series
from imaging.models.incident import PrivacyIncident
from imaging.models.intake import ReceivedFile, Transmittal
from imaging.models.node import DicomContact, DicomNode
from imaging.models.partial_upload import PartialUpload
from imaging.models.proof import DeidentificationProof
from imaging.models.quantification import (
    Lesion,
    LesionPositivity,
    LesionRatio,
    MeasuredRegion,
    Picture,
    Quantification,
    ReferenceRegion,
)
from imaging.models.read import GrownLesion, GrownMirrorImage, LesionRead, Read
from imaging.models.recist import RecistLesion
from imaging.models.response import ResponseAnswers, ResponseEvaluation
from imaging.models.review import CountingDecision, SuvDecision

__all__ = [
    "Adjudication",
    "AlarmMail",
    "ConformanceFinding",
    "CountingDecision",
    "DeidentificationProof",
    "Destruction",
    "DicomContact",
    "DicomNode",
    "DicomObject",
    "GrownLesion",
    "GrownMirrorImage",
    "ImagingStudy",
    "Instance",
    "Lesion",
    "LesionComparison",
    "LesionPair",
    "LesionPositivity",
    "LesionRatio",
    "LesionRead",
    "MeasuredRegion",
    "PartialUpload",
    "Picture",
    "PrivacyIncident",
    "Quantification",
    "Read",
    "ReaderAgreement",
    "ReceivedFile",
    "RecistLesion",
    "ReferenceRegion",
    "ResponseAnswers",
    "ResponseEvaluation",
    "Series",
    "SuvDecision",
    "Transmittal",
]
