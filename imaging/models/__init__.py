"""Image series from receipt to measurement."""

from imaging.models.conformance import ConformanceFinding
from imaging.models.destruction import Destruction
from imaging.models.dicom import ImagingStudy, Instance, Series
from imaging.models.intake import ReceivedFile, Transmittal
from imaging.models.partial_upload import PartialUpload
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
    "Destruction",
    "ImagingStudy",
    "Instance",
    "Lesion",
    "LesionRatio",
    "PartialUpload",
    "Picture",
    "Quantification",
    "ReceivedFile",
    "ReferenceRegion",
    "Series",
    "SuvDecision",
    "Transmittal",
]
