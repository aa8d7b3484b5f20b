"""Released images read back over DICOMweb, through the views: what is found, by whom, how dear."""

from __future__ import annotations

import io
import json
import re
from email import message_from_bytes

import numpy as np
import pydicom
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from imaging import storage
from imaging.models import Destruction, Quantification, Series
from tests import factories, records
from tests.test_api import logged_in
from trials.roles import Role

pytestmark = pytest.mark.django_db

ROOT = "/dicom-web"
PLACES = ("study", "series", "instance")


@pytest.fixture(autouse=True)
def stores(storage):
    pass


@pytest.fixture
def series(scan, everyone) -> Series:
    return records._released(scan, by=everyone)


@pytest.fixture
def client(coordinator):
    return logged_in(coordinator)


def path(series: Series, *rest: str) -> str:
    study = series.imaging_study.study_instance_uid
    return "/".join([ROOT, "studies", study, "series", series.series_instance_uid, *rest])


def image(series: Series, *rest: str, number: int = 0) -> str:
    return path(series, "instances", series.instances.all()[number].sop_instance_uid, *rest)


def whole(response) -> bytes:
    assert response.status_code == 200, response.content
    return b"".join(response) if response.streaming else response.content


def parts(response) -> list[bytes]:
    """The parts as the standard library reads them."""
    head = f"Content-Type: {response['Content-Type']}\r\n\r\n".encode()
    return [
        one.get_payload(decode=True) for one in message_from_bytes(head + whole(response)).walk()
    ][1:]


def values(result: dict, keyword: str) -> list:
    return result[f"{pydicom.datadict.tag_for_keyword(keyword):08X}"].get("Value", [])


# Search


def test_a_study_is_found_with_what_describes_it(client, series, scan):
    (found,) = client.get(f"{ROOT}/studies").json()
    ds = pydicom.Dataset.from_json(found)
    patient = scan.patient
    assert (ds.PatientID, ds.PatientName) == (patient.identifier, patient.identifier)
    assert ds.StudyInstanceUID == series.imaging_study.study_instance_uid
    assert (ds.StudyDate, ds.PatientSex, ds.ModalitiesInStudy) == ("20260301", "F", "PT")
    assert (ds.NumberOfStudyRelatedSeries, ds.NumberOfStudyRelatedInstances) == (1, records.PLANES)
    assert ds.ClinicalTrialProtocolID == patient.trial.identifier
    assert ds.RetrieveURL == f"http://testserver{ROOT}/studies/{ds.StudyInstanceUID}"


def test_series_and_instances_are_found(client, series):
    for address in (f"{ROOT}/series", f"{ROOT}/studies/{values_of_study(series)}/series"):
        (found,) = client.get(address).json()
        assert values(found, "SeriesInstanceUID") == [series.series_instance_uid]
        assert values(found, "NumberOfSeriesRelatedInstances") == [records.PLANES]
    of_study = f"{ROOT}/studies/{values_of_study(series)}/instances"
    for address in (f"{ROOT}/instances", of_study, path(series, "instances")):
        found = client.get(address).json()
        uids = [values(one, "SOPInstanceUID")[0] for one in found]
        assert uids == list(series.instances.values_list("sop_instance_uid", flat=True))
        assert (values(found[0], "Rows"), values(found[0], "InstanceNumber")) == ([24], [1])


def values_of_study(series: Series) -> str:
    return series.imaging_study.study_instance_uid


FINDS = {
    "PatientID={patient}": 1,
    "PatientName={patient}": 1,
    "PatientID=*": 1,
    "PatientID=nobody": 0,
    "StudyInstanceUID={study}": 1,
    "StudyInstanceUID=1.9.9,{study}": 1,
    "SeriesInstanceUID=1.9.9": 0,
    "SOPInstanceUID={instance}": 1,
    "SOPInstanceUID=1.9.9": 0,
    "Modality=PT": 1,
    "Modality=CT": 0,
    "Modality=pt": 0,
    "ModalitiesInStudy=CT,PT": 1,
    "ModalitiesInStudy=CT": 0,
    "StudyDate=20260301": 1,
    "StudyDate=20260201-20260228": 0,
    "StudyDate=20260301-": 1,
    "AccessionNumber=A1": 0,
    "AccessionNumber=*&includefield=all&fuzzymatching=true": 1,
    "limit=0": 0,
    "offset=1": 0,
}


def test_a_search_finds_what_it_asks_for(client, series, scan):
    filled = {
        "patient": scan.patient.identifier,
        "study": values_of_study(series),
        "instance": series.instances.first().sop_instance_uid,
    }
    found = {
        (level, query): len(client.get(f"{ROOT}/{level}?{query.format(**filled)}").json())
        for level in ("studies", "series")
        for query in FINDS
    }
    assert found == {key: FINDS[key[1]] for key in found}


def test_the_day_of_the_study_counts_before_that_of_the_series(client, series):
    with factories.framed():
        first = series.instances.first()
        first.header = first.header | {"study_date": "2026-02-28", "study_time": "23:50:00"}
        first.save(update_fields=["header"])
    (found,) = client.get(f"{ROOT}/studies?StudyDate=20260228").json()
    assert (values(found, "StudyDate"), values(found, "StudyTime")) == (["20260228"], ["235000"])
    assert client.get(f"{ROOT}/studies?StudyDate=20260301").json() == []


def test_a_page_says_how_many_remain(client, series):
    response = client.get(path(series, "instances") + "?limit=5&offset=2")
    assert len(response.json()) == 5
    assert response["X-Total-Count"] == str(records.PLANES)
    assert f"{records.PLANES - 7} additional results" in response["Warning"]
    assert "Warning" not in client.get(path(series, "instances") + "?offset=7")


def test_a_search_that_is_not_understood_is_refused(client, series):
    response = client.get(f"{ROOT}/studies?Rows=4")
    assert (response.status_code, response.json()["code"]) == (400, "malformed")


# Retrieve


def test_files_come_as_they_lie_in_the_archive(client, series):
    held = [storage.archive.read(one.sha256) for one in series.instances.all()]
    for address, expected in {
        f"{ROOT}/studies/{values_of_study(series)}": held,
        path(series): held,
        image(series, number=3): held[3:4],
    }.items():
        accept = 'multipart/related; type="application/dicom"'
        assert parts(client.get(address, HTTP_ACCEPT=accept)) == expected


def test_metadata_are_the_headers_without_the_pixels(client, series):
    of_study = f"{ROOT}/studies/{values_of_study(series)}/metadata"
    for address in (of_study, path(series, "metadata"), image(series, "metadata")):
        response = client.get(address)
        assert response["Content-Type"] == "application/dicom+json"
        found = json.loads(whole(response))
        assert len(found) == (1 if "instances" in address else records.PLANES)
    data = storage.archive.read(series.instances.first().sha256)
    expected = pydicom.dcmread(io.BytesIO(data))
    del expected.PixelData
    assert found[0].pop("00083002") == {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]}
    assert pydicom.Dataset.from_json(found[0]) == expected


NOT_OFFERED = [
    ("", "application/dicom"),
    ("", "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90"),
    ("", "text/html"),
    ("/metadata", "application/dicom+xml"),
    ("/metadata", "multipart/related"),
]


def test_what_is_not_offered_is_not_acceptable(client, series):
    for rest, accept in NOT_OFFERED:
        response = client.get(path(series) + rest, HTTP_ACCEPT=accept)
        assert response.status_code == 406, accept
        assert "accept one of them" in response.json()["message"]


def test_a_client_that_sets_no_header_accepts_in_the_query(client, series):
    assert client.get(path(series, "metadata") + "?accept=application/json").status_code == 200
    assert client.get(path(series, "metadata") + "?accept=image/png").status_code == 406


# Frames and pictures


def test_a_frame_is_the_stored_values(client, series):
    accept = 'multipart/related; type="application/octet-stream"'
    (found,) = parts(client.get(image(series, "frames", "1", number=5), HTTP_ACCEPT=accept))
    data = storage.archive.read(series.instances.all()[5].sha256)
    assert found == pydicom.dcmread(io.BytesIO(data)).PixelData
    assert client.get(image(series, "frames", "2")).status_code == 404
    assert client.get(image(series, "frames", "1"), HTTP_ACCEPT="image/jp2").status_code == 406


def test_a_picture_of_pet_is_dark_where_uptake_is_high(client, series):
    response = client.get(image(series, "rendered", number=5), HTTP_ACCEPT="image/png")
    drawn = np.asarray(Image.open(io.BytesIO(whole(response))))
    assert (response["Content-Type"], drawn.shape) == ("image/png", (24, 24))
    # Not measured yet: black is the highest value, 20 000, and the rest has 1000.
    assert (drawn[12, 12], drawn[0, 0]) == (0, round(255 * 19 / 20))


def test_a_measured_series_is_drawn_by_its_suv(client, series, everyone):
    with factories.framed():
        Quantification.objects.create(
            series=series, run=1, status="computed", suvbw_factor=10 / 25_000
        )
    response = client.get(image(series, "rendered", number=0), HTTP_ACCEPT="image/png")
    drawn = np.asarray(Image.open(io.BytesIO(whole(response))))
    # 2500 Bq/mL are SUV 1 of 10.
    assert drawn[0, 0] == round(255 * 9 / 10)


def test_a_window_of_the_query_is_that_of_the_values(client, series):
    address = image(series, "frames", "1", "rendered", number=0)
    response = client.get(f"{address}?window=2500.5,2001,linear", HTTP_ACCEPT="image/png")
    drawn = np.asarray(Image.open(io.BytesIO(whole(response))))
    assert drawn[0, 0] == round(255 * 1000 / 2000)
    assert client.get(f"{address}?window=1").status_code == 400


def test_thumbnails_are_small(client, series):
    for address in (image(series, "thumbnail"), path(series, "thumbnail")):
        response = client.get(address)
        assert Image.open(io.BytesIO(whole(response))).size == (128, 128)
        assert response["Content-Type"] == "image/jpeg"
        small = client.get(f"{address}?viewport=10,20&quality=50")
        assert Image.open(io.BytesIO(whole(small))).size == (10, 10)


# Who


def addresses(series: Series) -> list[str]:
    """Every address of the series that is read."""
    at = {
        "study": values_of_study(series),
        "series": series.series_instance_uid,
        "instance": series.instances.first().sop_instance_uid,
    }
    names = {
        "study": ["study", "study_metadata", "study_series", "study_instances"],
        "series": ["series", "series_metadata", "series_instances", "series_thumbnail"],
        "instance": ["instance", "instance_metadata", "rendered", "thumbnail"],
    }
    found = [
        reverse(
            f"dicomweb_{name}",
            kwargs={key: at[key] for key in PLACES[: PLACES.index(place) + 1]},
        )
        for place, each in names.items()
        for name in each
    ]
    return [
        *found,
        reverse("dicomweb_frames", kwargs=at | {"frames": "1"}),
        reverse("dicomweb_rendered_frames", kwargs=at | {"frames": "1"}),
    ]


@pytest.mark.requirement("T41")
def test_another_site_finds_nothing_as_if_there_were_nothing(series, scan):
    elsewhere = factories.make_site(scan.patient.trial)
    stranger = factories.make_user(Role.COORDINATOR, trial=elsewhere.trial, site=elsewhere)
    client = logged_in(stranger)
    for level in ("studies", "series", "instances"):
        response = client.get(f"{ROOT}/{level}")
        assert (response.json(), response["X-Total-Count"]) == ([], "0")
    unknown = client.get(f"{ROOT}/studies/1.9.9")
    for address in addresses(series):
        response = client.get(address)
        assert (response.status_code, response.content) == (404, unknown.content)


@pytest.mark.requirement("R38")
def test_who_must_not_know_the_patient_reads_nothing(series, scan):
    lists = [f"{ROOT}/studies", f"{ROOT}/series", f"{ROOT}/instances"]
    for role in (Role.READER, Role.STATISTICIAN, Role.ADMINISTRATOR):
        client = logged_in(factories.make_user(role, trial=scan.patient.trial))
        for address in lists + addresses(series):
            assert client.get(address).status_code == 403, (role, address)


def test_what_was_destroyed_is_gone(client, series, scan):
    with factories.framed():
        Destruction.objects.create(patient=scan.patient, files=1)
    assert client.get(f"{ROOT}/studies").json() == []
    for address in addresses(series):
        response = client.get(address)
        assert (response.status_code, response.json()["code"]) == (410, "not-kept")


def test_uids_that_are_none_are_no_address(client):
    assert client.get(f"{ROOT}/studies/../../etc").status_code == 404
    assert client.get(f"{ROOT}/studies/{'1' * 65}").status_code == 404


# What it costs

# Two queries say who asks and where; a path is looked for with two, a search takes a page and
# a count, and studies their series. Files are named by one.
COSTS = {
    "/studies": 6,
    "/series": 6,
    "/instances": 6,
    "/studies/*": 6,
    "/studies/*/metadata": 6,
    "/studies/*/series": 8,
    "/studies/*/instances": 8,
    "/studies/*/series/*": 6,
    "/studies/*/series/*/metadata": 6,
    "/studies/*/series/*/instances": 8,
    "/studies/*/series/*/instances/*": 6,
    "/studies/*/series/*/instances/*/metadata": 6,
    # Which image stands for all is counted; of a PET series the factor of its SUV is asked.
    "/studies/*/series/*/thumbnail": 7,
    "/studies/*/series/*/instances/*/rendered": 7,
    "/studies/*/series/*/instances/*/thumbnail": 7,
    "/studies/*/series/*/instances/*/frames/*": 6,
    "/studies/*/series/*/instances/*/frames/*/rendered": 7,
}


def test_queries_do_not_grow_with_what_is_found(client, series, scan, everyone):
    before = costs(client, series)
    for _ in range(2):
        more = factories.make_enrolled(scan.patient.site, by=everyone)
        records._released(factories.make_scan(more, by=everyone), by=everyone)
    assert len(client.get(f"{ROOT}/studies").json()) == 3
    assert costs(client, series) == before
    assert before == COSTS


def costs(client, series: Series) -> dict[str, int]:
    """How many queries each address takes, by the end of its name."""
    found = {}
    lists = [f"{ROOT}/{level}" for level in ("studies", "series", "instances")]
    for address in lists + addresses(series):
        with CaptureQueriesContext(connection) as queries:
            whole(client.get(address))
        found[without_uids(address)] = len(queries)
    return found


def without_uids(address: str) -> str:
    return re.sub(r"/[0-9.]+", "/*", address.removeprefix(ROOT))
