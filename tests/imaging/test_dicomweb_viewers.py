"""The requests that viewers make, word for word: OHIF 3.13.2 as recorded, Weasis by its source."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest

from imaging import storage
from imaging.models import Series
from tests import factories, records
from tests.imaging.test_dicomweb_reading import ROOT, image, parts, path, values, whole
from tests.test_api import logged_in

pytestmark = pytest.mark.django_db

DICOM_JSON = "application/dicom+json"
OHIF = (
    "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"
)
OHIF_FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax="*"'
WEASIS = (
    "&includefield=00080020,00080030,00080050,00080061,00080090,00081030,00100010,00100020,"
    "00100021,00100030,00100040,0020000D,00200010"
)
WEASIS_FILES = 'multipart/related;type="application/dicom";transfer-syntax=*'


@pytest.fixture(autouse=True)
def stores(storage):
    pass


@pytest.fixture
def series(scan, everyone) -> Series:
    found = records._released(scan, by=everyone)
    with factories.framed():
        for one in found.instances.all():
            words = {"series_description": "WB AC FDG", "study_description": "PET WB FDG"}
            one.header = one.header | words
            one.save(update_fields=["header"])
    return found


@pytest.fixture
def client(coordinator):
    return logged_in(coordinator)


def study_of(series: Series) -> str:
    return series.imaging_study.study_instance_uid


# What the list of studies, the pictures beside it and the panel of a study show.
STUDY_LIST = {
    "PatientName",
    "PatientID",
    "StudyDate",
    "StudyTime",
    "ModalitiesInStudy",
    "StudyDescription",
    "NumberOfStudyRelatedInstances",
    "StudyInstanceUID",
}
SERIES_PANEL = {
    "Modality",
    "SeriesDate",
    "SeriesTime",
    "SeriesDescription",
    "SeriesNumber",
    "SeriesInstanceUID",
    "NumberOfSeriesRelatedInstances",
}


def test_ohif_lists_studies_with_all_it_shows(client, series):
    (found,) = client.get(f"{ROOT}/studies?{OHIF}", HTTP_ACCEPT=DICOM_JSON).json()
    assert all(values(found, keyword) for keyword in STUDY_LIST)
    assert values(found, "StudyDescription") == ["PET WB FDG"]
    # Asked for, and emptied in every image: there without a value.
    assert (values(found, "ReferringPhysicianName"), values(found, "PatientBirthDate")) == ([], [])


OHIF_FILTERS = {
    "PatientName=*{patient}*": 1,
    "PatientName=*nobody*": 0,
    "00100020=*{patient}*": 1,
    "StudyDescription=*FDG*": 1,
    "StudyDescription=*CT*": 0,
    "AccessionNumber=*y*": 0,
    "ModalitiesInStudy=PT": 1,
    "ModalitiesInStudy=CT%2CPT": 1,
    "ModalitiesInStudy=MR": 0,
    "StudyDate=20260228-20260302": 1,
    "StudyDate=20260302-20260309": 0,
}


def test_ohif_filters_the_list(client, series, scan):
    found = {
        key: len(
            client.get(
                f"{ROOT}/studies?{key.format(patient=scan.patient.identifier)}&{OHIF}",
                HTTP_ACCEPT=DICOM_JSON,
            ).json()
        )
        for key in OHIF_FILTERS
    }
    assert found == OHIF_FILTERS


def test_ohif_opens_a_study(client, series):
    study = client.get(f"{ROOT}/studies?{OHIF}&StudyInstanceUID={study_of(series)}").json()
    assert [values(one, "StudyInstanceUID") for one in study] == [[study_of(series)]]
    fields = "includefield=00080021%2C00080031%2C0008103E%2C00200011"
    (panel,) = client.get(f"{ROOT}/studies/{study_of(series)}/series?{fields}").json()
    assert all(values(panel, keyword) for keyword in SERIES_PANEL - {"SeriesNumber"})
    assert values(panel, "SeriesDescription") == ["WB AC FDG"]
    headers = client.get(path(series, "metadata"), HTTP_ACCEPT=DICOM_JSON)
    assert whole(headers).count(b'"00080018"') == records.PLANES


def test_ohif_takes_frames_in_whatever_syntax_they_lie(client, series):
    response = client.get(image(series, "frames", "1", number=5), HTTP_ACCEPT=OHIF_FRAMES)
    (found,) = parts(response)
    stored = np.frombuffer(found, "<i2").reshape(records.ROWS, records.COLUMNS)
    assert (stored[12, 12], stored[0, 0]) == (20_000, 1000)


def test_weasis_finds_a_patient_and_takes_its_files(client, series, scan):
    of_patient = f"{ROOT}/studies?00100020={scan.patient.identifier}{WEASIS}"
    (study,) = client.get(of_patient).json()
    assert values(study, "StudyInstanceUID") == [study_of(series)]
    of_study = f"{ROOT}/studies/{study_of(series)}/series"
    fields = "includefield=0008103E,00080060,0020000E,00200011,00081190"
    (one,) = client.get(f"{of_study}?{fields}").json()
    images = client.get(
        f"{of_study}/{values(one, 'SeriesInstanceUID')[0]}/instances"
        "?includefield=00080018,00200013,00081190"
    ).json()
    assert [values(found, "InstanceNumber")[0] for found in images] == [
        number + 1 for number in range(records.PLANES)
    ]
    address = values(images[3], "RetrieveURL")[0].removeprefix("http://testserver")
    (file,) = parts(client.get(address, HTTP_ACCEPT=WEASIS_FILES))
    assert file == storage.archive.read(series.instances.all()[3].sha256)
    assert pydicom.dcmread(io.BytesIO(file)).SOPInstanceUID.endswith(".4")


def test_no_other_origin_is_let_in(client, series):
    """A page elsewhere must not read images with somebody's session; a viewer shares ours."""
    asked = client.get(f"{ROOT}/studies", HTTP_ORIGIN="https://elsewhere.example")
    preflight = client.options(
        f"{ROOT}/studies",
        HTTP_ORIGIN="https://elsewhere.example",
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization",
    )
    for response in (asked, preflight):
        assert not [name for name in response.headers if name.startswith("Access-Control")]
