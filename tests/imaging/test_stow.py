"""Images stored over DICOMweb, through the view and the services: where they go, what is told."""

from __future__ import annotations

import errno
import json
from xml.etree import ElementTree

import pydicom
import pytest
from django.test import Client
from django.utils import timezone
from pydicom.uid import UltrasoundImageStorage

from imaging import storage, store_response
from imaging.models import Transmittal
from imaging.services import receiving, storing
from tests import factories
from tests.imaging.test_intake import a_slice, worked
from tests.test_api import logged_in
from trials.models import Patient
from trials.roles import Role
from trials.services import sites

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fdg")]

State = Transmittal.State
TYPE = 'multipart/related; type="application/dicom"; boundary=edge'
MANY = "/dicom-web/studies"


@pytest.fixture(autouse=True)
def stores(storage):
    pass


@pytest.fixture
def scan(pet_site, coordinator):
    return factories.make_scan(factories.make_enrolled(pet_site, by=coordinator), by=coordinator)


def body(*files: bytes) -> bytes:
    parts = [b"--edge\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % one for one in files]
    return b"".join(parts) + b"--edge--\r\n"


def post(user, path: str, data: bytes, *, content_type: str = TYPE, **headers):
    return logged_in(user).generic("POST", path, data, content_type=content_type, headers=headers)


def at(place) -> str:
    return f"/dicom-web/{'sites' if hasattr(place, 'code') else 'scans'}/{place.pk}/studies"


def held(place) -> Transmittal:
    """The one transmittal of its site; other tests leave theirs at their own."""
    return Transmittal.objects.get(site=place if hasattr(place, "code") else place.patient.site)


def is_nothing_held(place) -> bool:
    return not Transmittal.objects.filter(site__trial=place.patient.trial).exists()


def uids(response, tag: str) -> list[str]:
    found = response.json().get(tag, {"Value": []})["Value"]
    return [one["00081155"]["Value"][0] for one in found]


def reasons(response) -> list[int]:
    items = [
        item
        for tag in ("00081198", "0008119A")
        for item in response.json().get(tag, {"Value": []})["Value"]
    ]
    return [item["00081197"]["Value"][0] for item in items]


def test_what_is_stored_for_a_scan_is_inspected_once_it_is_quiet(scan, coordinator, dataset):
    files = [a_slice(dataset, n) for n in (1, 2, 3)]
    response = post(coordinator, at(scan), body(*files))
    assert (response.status_code, response["Content-Type"]) == (200, "application/dicom+json")
    assert uids(response, "00081199") == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]
    assert "00081198" not in response.json()
    assert b"00081190" not in response.content
    row = held(scan)
    assert (row.source, row.state, row.scheduled_scan) == ("stow", State.RECEIVING, scan)
    assert all(storage.quarantine.has(one) for one in row.files.values_list("sha256", flat=True))
    receiving.complete_quiet(now=timezone.now() + 2 * receiving.QUIET)
    assert worked(row).state == State.ASSEMBLED


def test_what_is_stored_for_a_site_waits_for_a_person(pet_site, coordinator, dataset):
    for number in (1, 2):
        response = post(coordinator, at(pet_site), body(a_slice(dataset, number)))
        assert response.status_code == 200
    row = held(pet_site)
    assert (row.site, row.sender) == (pet_site, coordinator.username)
    assert row.files.count() == 2
    receiving.complete_quiet(now=timezone.now() + 2 * receiving.QUIET)
    assert worked(row).code == "not-assigned"


def test_who_sends_to_one_site_alone_needs_not_name_it(pet_site, coordinator, dataset):
    assert post(coordinator, MANY, body(a_slice(dataset, 1))).status_code == 200
    assert held(pet_site).files.count() == 1


def test_who_may_send_to_several_sites_is_told_their_addresses(pet_site, dataset):
    other = factories.make_site(pet_site.trial)
    user = factories.make_user(Role.TECHNOLOGIST, trial=pet_site.trial)
    response = post(user, MANY, body(a_slice(dataset, 1)))
    assert (response.status_code, response.json()["code"]) == (409, "which-site")
    assert at(pet_site) in response.json()["message"]
    assert at(other) in response.json()["message"]
    assert not Transmittal.objects.filter(site__trial=pet_site.trial).exists()


@pytest.mark.requirement("T41")
def test_another_sites_scan_is_not_there(scan, dataset):
    elsewhere = factories.make_site(scan.patient.trial)
    stranger = factories.make_user(Role.COORDINATOR, trial=elsewhere.trial, site=elsewhere)
    for place in (scan, scan.patient.site):
        assert post(stranger, at(place), body(a_slice(dataset, 1))).status_code == 404
    reader = factories.make_user(Role.READER, trial=elsewhere.trial)
    assert post(reader, at(scan), body(a_slice(dataset, 1))).status_code == 403
    assert post(reader, MANY, body(a_slice(dataset, 1))).status_code == 403


def test_sent_again_it_is_kept_once(scan, coordinator, dataset):
    for _ in range(2):
        assert post(coordinator, at(scan), body(a_slice(dataset, 1))).status_code == 200
    assert held(scan).files.count() == 1


@pytest.mark.requirement("R74")
def test_what_is_no_image_read_here_is_told_beside_what_is(scan, coordinator, dataset):
    ultrasound = a_slice(dataset, 4, SOPClassUID=UltrasoundImageStorage)
    response = post(
        coordinator,
        at(scan),
        body(a_slice(dataset, 1), b"a letter", ultrasound, a_slice(dataset, 2)),
    )
    assert response.status_code == 202
    assert uids(response, "00081199") == ["1.2.3.1", "1.2.3.2"]
    assert uids(response, "00081198") == ["1.2.3.4"]
    assert reasons(response) == [
        store_response.SOP_CLASS_NOT_SUPPORTED,
        store_response.CANNOT_UNDERSTAND,
    ]
    assert held(scan).files.count() == 2


def test_a_compression_that_is_not_read_is_told_at_once(scan, coordinator, dataset):
    native = b"1.2.840.10008.1.2.1\0"
    packed = a_slice(dataset, 1).replace(native, b"1.2.840.10008.1.2.4\0", 1)
    response = post(coordinator, at(scan), body(packed))
    assert (response.status_code, reasons(response)) == (409, [0xC122])


def test_nothing_stored_is_a_conflict(scan, coordinator):
    response = post(coordinator, at(scan), body(b"one", b"two"))
    assert (response.status_code, reasons(response)) == (409, [0xC000, 0xC000])
    assert is_nothing_held(scan)


def test_an_image_too_long_is_told_and_the_next_is_kept(scan, coordinator, dataset, monkeypatch):
    small = a_slice(dataset, 1)
    monkeypatch.setattr(receiving, "MAXIMUM_FILE_BYTES", len(small))
    response = post(coordinator, at(scan), body(a_slice(dataset, 2) + b"\0" * 99, small))
    assert (response.status_code, reasons(response)) == (202, [store_response.OUT_OF_RESOURCES])
    assert uids(response, "00081199") == ["1.2.3.1"]


def test_many_are_kept_batch_by_batch(scan, coordinator, dataset, monkeypatch):
    monkeypatch.setattr(storing, "BATCH_FILES", 2)
    kept = []
    receive = receiving.receive
    monkeypatch.setattr(
        receiving,
        "receive",
        lambda row, *, files, by: kept.append(len(files)) or receive(row, files=files, by=by),
    )
    files = [a_slice(dataset, n) for n in range(1, 6)]
    assert post(coordinator, at(scan), body(*files)).status_code == 200
    assert kept == [2, 2, 1]
    assert held(scan).files.count() == 5


def test_a_body_that_breaks_off_leaves_what_it_brought_in_whole(scan, coordinator, dataset):
    data = body(*(a_slice(dataset, n) for n in (1, 2)))
    response = post(coordinator, at(scan), data[:-40])
    assert (response.status_code, response.json()["code"]) == (400, "malformed")
    assert "within part 2. 1 images before are kept" in response.json()["message"]
    assert held(scan).files.count() == 1
    assert not list(storage.quarantine.folder.glob("incoming-*"))


def test_a_full_transmittal_is_completed_and_the_next_begun(
    scan, coordinator, dataset, monkeypatch
):
    monkeypatch.setattr(receiving, "MAXIMUM_FILES", 2)
    assert (
        post(coordinator, at(scan), body(a_slice(dataset, 1), a_slice(dataset, 2))).status_code
        == 200
    )
    assert post(coordinator, at(scan), body(a_slice(dataset, 3))).status_code == 200
    assert list(
        Transmittal.objects.filter(scheduled_scan=scan)
        .order_by("pk")
        .values_list("state", flat=True)
    ) == [
        State.RECEIVED,
        State.RECEIVING,
    ]


def test_a_full_disk_is_told(scan, coordinator, dataset, monkeypatch):
    monkeypatch.setattr(storing, "BATCH_FILES", 1)
    spooled, full = storing.spooled, [b"", OSError(errno.ENOSPC, "full")]

    def fills(part):
        if problem := full.pop(0):
            raise problem
        return spooled(part)

    monkeypatch.setattr(storing, "spooled", fills)
    response = post(coordinator, at(scan), body(a_slice(dataset, 1), a_slice(dataset, 2)))
    assert (response.status_code, response.json()["code"]) == (507, "no-room")
    assert "1 images before are kept" in response.json()["message"]


def test_nothing_is_stored_after_withdrawal(scan, coordinator, dataset):
    with factories.framed():
        Patient.objects.filter(pk=scan.patient_id).update(state=Patient.State.WITHDRAWN)
    response = post(coordinator, at(scan), body(a_slice(dataset, 1)))
    assert response.status_code == 409
    assert "withdrew" in response.json()["message"]


def test_a_refusal_in_the_middle_is_told_image_by_image(scan, coordinator, dataset, monkeypatch):
    monkeypatch.setattr(storing, "BATCH_FILES", 1)
    receive = receiving.receive

    def withdraws(row, *, files, by):
        found = receive(row, files=files, by=by)
        with factories.framed():
            Patient.objects.filter(pk=scan.patient_id).update(state=Patient.State.WITHDRAWN)
        return found

    monkeypatch.setattr(receiving, "receive", withdraws)
    response = post(coordinator, at(scan), body(*(a_slice(dataset, n) for n in (1, 2, 3))))
    assert (response.status_code, reasons(response)) == (202, [0x0110, 0x0110])
    assert uids(response, "00081199") == ["1.2.3.1"]


@pytest.mark.requirement("R44")
@pytest.mark.parametrize(
    ("content_type", "headers", "status"),
    [
        ("application/dicom", {}, 415),
        ("multipart/form-data; boundary=edge", {}, 415),
        ('multipart/related; type="application/dicom+json"; boundary=edge', {}, 415),
        ("", {}, 415),
        (TYPE, {"Content-Encoding": "gzip"}, 415),
        ('multipart/related; type="application/dicom"', {}, 400),
        ('multipart/related; type="application/dicom"; boundary="%s"' % ("x" * 71), {}, 400),
        (TYPE.replace("edge", "other"), {}, 400),
        (TYPE, {"Accept": "text/html"}, 406),
    ],
)
def test_what_can_not_be_read_is_refused_by_name(
    scan, coordinator, dataset, content_type, headers, status
):
    response = post(
        coordinator, at(scan), body(a_slice(dataset, 1)), content_type=content_type, **headers
    )
    assert response.status_code == status
    assert set(response.json()) == {"code", "message"}
    assert is_nothing_held(scan)


@pytest.mark.requirement("T38")
def test_a_body_beyond_the_limit_is_too_big(scan, coordinator, dataset, settings):
    data = body(*(a_slice(dataset, n) for n in (1, 2)))
    settings.STOW_MAXIMUM_BYTES = len(data) - 1
    response = post(coordinator, at(scan), data)
    assert (response.status_code, response.json()["code"]) == (413, "too-big")
    settings.STOW_MAXIMUM_BYTES = len(data)
    assert post(coordinator, at(scan), data).status_code == 200


def test_a_body_without_parts_is_refused(scan, coordinator):
    response = post(coordinator, at(scan), b"--edge--")
    assert (response.status_code, response.json()["code"]) == (400, "no-files")


def test_the_same_answer_in_xml(scan, coordinator, dataset):
    files = body(a_slice(dataset, 1), b"a letter")
    response = post(coordinator, at(scan), files, Accept="application/dicom+xml")
    assert response["Content-Type"] == "application/dicom+xml"
    tree = ElementTree.fromstring(response.content)  # noqa: S314  our own answer
    space = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
    found = {
        one.get("keyword"): one.find(f"{space}Value").text
        for one in tree.iter(f"{space}DicomAttribute")
        if one.find(f"{space}Value") is not None
    }
    assert found == {
        "ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.128",
        "ReferencedSOPInstanceUID": "1.2.3.1",
        "FailureReason": str(0xC000),
    }


def test_the_answer_is_a_data_set_to_other_readers(scan, coordinator, dataset):
    response = post(coordinator, at(scan), body(a_slice(dataset, 1), b"a letter"))
    ds = pydicom.Dataset.from_json(json.loads(response.content))
    assert ds.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.1"
    assert ds.OtherFailuresSequence[0].FailureReason == 0xC000


@pytest.mark.requirement("R35")
def test_a_session_stores_with_its_csrf_token_alone(scan, coordinator, dataset):
    client = Client(enforce_csrf_checks=True)
    client.force_login(coordinator)
    data = body(a_slice(dataset, 1))
    response = client.generic("POST", at(scan), data, content_type=TYPE)
    assert response.status_code == 403
    client.get("/login/")
    client.get("/")
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value}
    response = client.generic("POST", at(scan), data, content_type=TYPE, headers=headers)
    assert response.status_code == 200


def test_nobody_stores_nothing(scan):
    response = Client().generic("POST", at(scan), body(b"x"), content_type=TYPE)
    assert response.status_code == 401


def test_an_address_that_is_none_answers_as_the_others(coordinator):
    response = logged_in(coordinator).get("/dicom-web/nowhere")
    assert (response.status_code, response.json()["code"]) == (404, "not-found")


@pytest.fixture
def manager(pet_site):
    return factories.make_user(Role.DATA_MANAGER, trial=pet_site.trial)


def test_a_suspended_site_takes_images_of_its_scans_alone(scan, coordinator, manager, dataset):
    sites.suspend(scan.patient.site, reason="inspection", by=manager)
    response = post(coordinator, at(scan.patient.site), body(a_slice(dataset, 1)))
    assert (response.status_code, response.json()["code"]) == (409, "site-suspended")
    assert is_nothing_held(scan)
    assert post(coordinator, at(scan), body(a_slice(dataset, 1))).status_code == 200


def test_a_closed_site_takes_none(scan, coordinator, manager, dataset):
    sites.close(scan.patient.site, reason="the last patient left", by=manager)
    for place in (scan.patient.site, scan):
        response = post(coordinator, at(place), body(a_slice(dataset, 1)))
        assert (response.status_code, response.json()["code"]) == (409, "site-closed")
    assert is_nothing_held(scan)
