"""PET headers to start from: one ordinary whole-body slice per vendor."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage

from imaging.headers import PetHeader, pet_header


def pet_dataset() -> Dataset:
    """A Siemens-like slice: 70 kg, 370 MBq of F-18 at 10:00, scan from 11:00.

    The third bed of three-minute frames: acquisition at 11:06, and decay factor and frame
    reference time to match (bc: T_ave = 89.857923 s; DF = e(l(2) 449.857923/6586.2)).
    """
    ds = Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = PositronEmissionTomographyImageStorage
    ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID = "1.2.3.4", "1.2.3", "1.2"
    ds.FrameOfReferenceUID = "1.2.9"
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "PT", "SIEMENS", "Biograph"
    ds.ImageType, ds.SeriesType = ["ORIGINAL", "PRIMARY"], ["WHOLE BODY", "IMAGE"]
    ds.Units, ds.DecayCorrection = "BQML", "START"
    ds.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    ds.SeriesDate = ds.AcquisitionDate = "20260301"
    ds.SeriesTime, ds.AcquisitionTime = "110000.000000", "110600.000000"
    ds.FrameReferenceTime, ds.ActualFrameDuration = "449857.923", "180000"
    ds.DecayFactor = "1.048483"
    ds.PatientWeight, ds.PatientSize, ds.PatientSex = "70", "1.75", "F"
    ds.InstanceNumber, ds.NumberOfSlices = "1", 1
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [4, 4], "3"
    ds.Rows, ds.Columns, ds.SamplesPerPixel = 4, 5, 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.RescaleSlope, ds.RescaleIntercept = "2.5", "0"
    ds.RadiopharmaceuticalInformationSequence = [_radiopharmaceutical()]
    return ds


def _radiopharmaceutical() -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "77004003", "SCT", "18F"
    item = Dataset()
    item.Radiopharmaceutical = "FDG"
    item.RadionuclideTotalDose, item.RadionuclideHalfLife = "370000000", "6586.2"
    item.RadiopharmaceuticalStartTime = "100000"
    item.RadiopharmaceuticalStartDateTime = "20260301100000"
    item.RadionuclideCodeSequence = [code]
    return item


@pytest.fixture
def dataset() -> Dataset:
    return pet_dataset()


@pytest.fixture(scope="session")
def header() -> PetHeader:
    return pet_header(pet_dataset())


# What needs the record is imported where it is used: the pure tests run without Django.


@pytest.fixture
def storage(settings, tmp_path):
    settings.STORAGE = tmp_path


@pytest.fixture
def pet_site():
    from tests import factories

    return factories.make_site(factories.make_trial())


@pytest.fixture
def fdg(pet_site):
    """The tracer of the site's scans is what the images of `pet_dataset` are of."""
    from tests import factories
    from trials.models import Tracer

    with factories.framed():
        Tracer.objects.filter(version__trial=pet_site.trial).update(
            radionuclide="F-18", name="[18F]FDG"
        )


@pytest.fixture
def everyone(pet_site):
    from tests import records

    return records.everyone(pet_site.trial)


@pytest.fixture
def coordinator(pet_site):
    from tests import factories
    from trials.roles import Role

    return factories.make_user(Role.COORDINATOR, trial=pet_site.trial, site=pet_site)


@pytest.fixture
def scan(pet_site, everyone):
    return scan_of_its_day(pet_site, by=everyone)


def scan_of_its_day(site, *, by):
    """A scan whose images are on their real day, so that both calendars are one."""
    from tests import factories
    from tests.imaging.reconciling import SHOT

    patient = factories.make_enrolled(site, by=by)
    with factories.framed():
        patient.date_shift_days = 0
        patient.save(update_fields=["date_shift_days"])
    return factories.make_scan(patient, by=by, planned_at=SHOT)
