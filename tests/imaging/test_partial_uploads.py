"""A large file in pieces, over the API: cut, doubled, lost, given up, and whole in the end."""

from __future__ import annotations

import hashlib
import os
import random
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from imaging import storage
from imaging.models import PartialUpload, ReceivedFile, Transmittal
from imaging.services import partial_uploads, receiving
from tests import factories
from tests.imaging.test_intake import a_slice, worked
from tests.imaging.zips import Member, archive
from trials.models import AuditEvent, Patient
from trials.roles import Role
from trials.services import sites

pytestmark = pytest.mark.django_db

State = PartialUpload.State
API = "/api/v1"


@pytest.fixture(autouse=True)
def stores(settings, tmp_path):
    settings.STORAGE = tmp_path


@pytest.fixture
def site():
    return factories.make_site(factories.make_fdg_trial())


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def scan(site, coordinator):
    return factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)


@pytest.fixture
def transmittal(scan, coordinator) -> Transmittal:
    return receiving.open_transmittal(scan, by=coordinator)


@pytest.fixture
def client(coordinator) -> Client:
    one = Client()
    one.force_login(coordinator)
    return one


@pytest.fixture
def data(dataset) -> bytes:
    images = [Member(f"IM{n}", a_slice(dataset, n)) for n in (1, 2, 3)]
    return archive(images)


def begun(client, transmittal, data: bytes, *, size: int | None = None):
    asked = {"sha256": hashlib.sha256(data).hexdigest(), "size": size or len(data)}
    path = f"{API}/transmittals/{transmittal.pk}/partial-uploads/"
    return client.post(path, asked, content_type="application/json")


def put(client, pk: int, offset: int, piece: bytes):
    path = f"{API}/partial-uploads/{pk}/?offset={offset}"
    return client.put(path, piece, content_type="application/octet-stream")


def held(client, pk: int) -> int:
    return client.get(f"{API}/partial-uploads/{pk}/").json()["offset"]


@pytest.mark.requirement("R69")
def test_cut_at_random_and_resumed_it_is_the_file_that_was_sent(client, transmittal, data):
    """Two hundred pieces; each is lost before, or its answer after, as chance will have it."""
    chance = random.Random(20)  # noqa: S311  repeats
    cuts = sorted(chance.sample(range(1, len(data)), 199))
    pk = begun(client, transmittal, data).json()["id"]
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        assert held(client, pk) == start
        assert not transmittal.files.exists()
        answer = put(client, pk, start, data[start:end])
        assert answer.status_code == 200
        if chance.random() < 0.3 and end < len(data):
            again = put(client, pk, start, data[start:end])
            assert (again.status_code, again.json()["code"]) == (409, "offset-differs")
    assert answer.json() == {
        "id": pk,
        "transmittal": transmittal.pk,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "state": "received",
        "offset": len(data),
    }
    file = transmittal.files.get()
    assert storage.quarantine.read(file.sha256) == data


@pytest.mark.requirement("R69")
def test_it_is_unpacked_like_any_other_archive(client, transmittal, coordinator, data):
    pk = begun(client, transmittal, data).json()["id"]
    put(client, pk, 0, data)
    receiving.complete(transmittal, by=coordinator)
    assert worked(transmittal).state == Transmittal.State.ASSEMBLED


def test_a_lost_answer_of_the_last_piece_is_harmless(client, transmittal, data):
    pk = begun(client, transmittal, data).json()["id"]
    put(client, pk, 0, data)
    for offset in (0, len(data)):
        assert put(client, pk, offset, data[offset:]).json()["state"] == "received"
    assert begun(client, transmittal, data).json()["state"] == "received"
    assert transmittal.files.count() == 1


def test_a_server_killed_after_the_last_byte_ends_it_when_asked_again(
    client, transmittal, data, settings
):
    upload = PartialUpload.objects.get(pk=begun(client, transmittal, data).json()["id"])
    partial_uploads._write(partial_uploads._path(upload), 0, data)
    found = client.get(f"{API}/partial-uploads/{upload.pk}/").json()
    assert (found["state"], found["offset"]) == ("receiving", len(data))
    assert put(client, upload.pk, len(data), b"").json()["state"] == "received"


@pytest.mark.requirement("R69")
def test_another_digest_than_announced_is_refused_and_may_begin_anew(
    client, transmittal, data, tmp_path
):
    pk = begun(client, transmittal, data).json()["id"]
    other = data[:-1] + bytes([data[-1] ^ 1])
    answer = put(client, pk, 0, other)
    assert (answer.status_code, answer.json()["code"]) == (409, "digest-differs")
    assert not transmittal.files.exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert put(client, pk, 0, data).json()["code"] == "upload-ended"
    assert begun(client, transmittal, data).json()["offset"] == 0
    assert put(client, pk, 0, data).json()["state"] == "received"


@pytest.mark.parametrize(
    ("offset", "piece", "code"),
    [
        (0, b"", "invalid"),
        (1, b"x", "offset-differs"),
        (0, bytes(16 * 2**20 + 1), "invalid"),
        (0, bytes(2**20), "invalid"),
    ],
)
def test_a_piece_that_does_not_fit_changes_nothing(client, transmittal, data, offset, piece, code):
    pk = begun(client, transmittal, data).json()["id"]
    assert put(client, pk, offset, piece).json()["code"] == code
    assert held(client, pk) == 0


def test_what_is_larger_than_a_file_may_be_and_no_zip_is_refused_by_its_first_piece(
    client, transmittal
):
    pk = begun(client, transmittal, b"x", size=65 * 2**20).json()["id"]
    assert put(client, pk, 0, b"x" * 500).status_code == 200
    answer = put(client, pk, 500, b"x" * 500)
    assert (answer.status_code, answer.json()["field"]) == (422, "body")
    assert PartialUpload.objects.get(pk=pk).state == State.REFUSED


def test_size_and_disk_are_bounded(client, transmittal, data, settings):
    settings.LARGEST_UPLOAD_BYTES = len(data) - 1
    assert begun(client, transmittal, data).status_code == 422
    settings.LARGEST_UPLOAD_BYTES = len(data)
    assert begun(client, transmittal, data).status_code == 201
    assert begun(client, transmittal, data, size=5).json()["field"] == "size"
    settings.KEEP_FREE_BYTES = 2**60
    answer = begun(client, transmittal, b"another")
    assert (answer.status_code, answer.json()["code"]) == (409, "no-space")
    assert PartialUpload.objects.count() == 1


def test_what_nothing_came_to_for_a_day_is_swept(client, transmittal, data, tmp_path):
    pk = begun(client, transmittal, data).json()["id"]
    other = begun(client, transmittal, b"announced and never sent").json()["id"]
    put(client, pk, 0, data[:600])
    left = tmp_path / "partial" / "99999"
    left.write_bytes(b"of a row that was received")
    assert partial_uploads.sweep() == 0
    os.utime(left, (0, 0))
    assert partial_uploads.sweep(now=timezone.now() + timedelta(hours=23)) == 1
    assert held(client, pk) == 600
    assert partial_uploads.sweep(now=timezone.now() + timedelta(hours=25)) == 2
    uploads = PartialUpload.objects.filter(pk__in=[pk, other])
    assert {upload.state for upload in uploads} == {State.EXPIRED}
    assert held(client, pk) == 0
    assert begun(client, transmittal, data).json()["state"] == "receiving"
    actions = AuditEvent.objects.filter(table="imaging_partialupload", row=str(pk)).order_by("pk")
    assert list(actions.values_list("action", flat=True)) == [
        "upload.begun",
        "upload.expired",
        "upload.begun",
    ]


def test_nothing_more_comes_after_withdrawal_or_completion(
    client, transmittal, coordinator, data, scan
):
    pk = begun(client, transmittal, data).json()["id"]
    with factories.framed():
        Patient.objects.filter(pk=scan.patient_id).update(state=Patient.State.WITHDRAWN)
    assert "withdrew" in put(client, pk, 0, data).json()["message"]
    with factories.framed():
        Patient.objects.filter(pk=scan.patient_id).update(state=Patient.State.ENROLLED)
        ReceivedFile.objects.create(transmittal=transmittal, position=1, sha256="0" * 64, size=1)
    receiving.complete(transmittal, by=coordinator)
    assert put(client, pk, 0, data).json()["code"] == "not-receiving"


def test_a_site_that_was_closed_meanwhile_takes_no_piece(client, transmittal, site, data):
    upload = begun(client, transmittal, data).json()["id"]
    manager = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    sites.close(site, reason="the last patient left", by=manager)
    answers = [put(client, upload, 0, data), begun(client, transmittal, data)]
    assert [one.json()["code"] for one in answers] == ["site-closed"] * 2
    assert held(client, upload) == 0
