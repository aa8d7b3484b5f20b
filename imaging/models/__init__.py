"""Image series from receipt to measurement."""

from imaging.models.conformance import ConformanceFinding
from imaging.models.destruction import Destruction
from imaging.models.dicom import ImagingStudy, Instance, Series
from imaging.models.intake import ReceivedFile, Transmittal
from imaging.models.proof import DeidentificationProof
from imaging.models.quantification import (
    Lesion,
    LesionRatio,
    Picture,
    Quantification,
    ReferenceRegion,
)
from imaging.models.review import SuvDecision

__all__ = [
    "ConformanceFinding",
    "DeidentificationProof",
    "Destruction",
    "ImagingStudy",
    "Instance",
    "Lesion",
    "LesionRatio",
    "Picture",
    "Quantification",
    "ReceivedFile",
    "ReferenceRegion",
    "Series",
    "SuvDecision",
    "Transmittal",
]
