"""DICOMweb on the running site, by the client that others wrote, and by sockets that lie."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from django.db import connection
from PIL import Image
from pydicom.uid import UltrasoundImageStorage

from imaging import storage
from imaging.models import Transmittal
from imaging.services import receiving
from tests import factories, records
from tests.imaging.test_intake import a_slice
from tests.imaging.test_stow import TYPE, body
from tests.serving import wait_for
from trials.models import Job
from trials.roles import Role
from trials.services import accounts

pytestmark = pytest.mark.live


class Sender:
    """A coordinator of a site of its own, and a scan of it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.site = factories.make_site(factories.make_fdg_trial())
        self.user = factories.make_user(Role.COORDINATOR, trial=self.site.trial, site=self.site)
        patient = factories.make_enrolled(self.site, by=self.user)
        self.scan = factories.make_scan(patient, by=self.user)
        self.token, _ = accounts.issue_token(self.user, label="test")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def client(self, path: str = "", **more) -> DICOMwebClient:
        return DICOMwebClient(f"{self.address}/dicom-web{path}", headers=self.headers, **more)

    @property
    def rows(self):
        return Transmittal.objects.filter(site=self.site)

    def count(self) -> int:
        return sum(row.files.count() for row in self.rows)

    def end(self) -> None:
        """Leave nothing that other tests would find waiting."""
        for row in self.rows.filter(state=Transmittal.State.RECEIVING):
            receiving.complete(row, by=self.user)
        mine = Job.objects.filter(actor=self.user)
        wait_for(lambda: not mine.filter(state__in=["queued", "running"]).exists(), 120)


@pytest.fixture
def sender(live_stack) -> Iterator[Sender]:
    made = Sender(live_stack)
    yield made
    made.end()
    connection.close()


def image(dataset, number: int, **changes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(a_slice(dataset, number, **changes)))


def instances(found: pydicom.Dataset, sequence: str) -> list[str]:
    return [one.ReferencedSOPInstanceUID for one in found.get(sequence, [])]


# Store


def test_one_instance_is_stored_for_the_one_site(sender, dataset):
    found = sender.client().store_instances([image(dataset, 1)])
    assert instances(found, "ReferencedSOPSequence") == ["1.2.3.1"]
    row = sender.rows.get()
    assert (row.source, row.sender, row.files.count()) == ("stow", sender.user.username, 1)


def test_many_instances_are_stored_in_chunks_for_a_scan(sender, dataset):
    client = sender.client(f"/scans/{sender.scan.pk}", chunk_size=10_000)
    found = client.store_instances([image(dataset, n) for n in range(1, 62)])
    assert len(instances(found, "ReferencedSOPSequence")) == 61
    row = sender.rows.get()
    assert (row.scheduled_scan, row.files.count()) == (sender.scan, 61)


def test_one_bad_among_good_is_told(sender, dataset):
    bad = image(dataset, 2)
    bad.SOPClassUID = bad.file_meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    good = [image(dataset, n) for n in (1, 3)]
    client = sender.client(f"/sites/{sender.site.pk}")
    found = client.store_instances([good[0], bad, good[1]])
    assert instances(found, "ReferencedSOPSequence") == ["1.2.3.1", "1.2.3.3"]
    assert instances(found, "FailedSOPSequence") == ["1.2.3.2"]
    assert found.FailedSOPSequence[0].FailureReason == 0x0122
    assert sender.count() == 2


def test_nothing_stored_is_a_conflict(sender, dataset):
    bad = image(dataset, 2)
    bad.SOPClassUID = bad.file_meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    with pytest.raises(requests.HTTPError, match="409"):
        sender.client().store_instances([bad])


def test_a_body_in_chunks_of_any_size_is_stored(sender, dataset):
    data = body(*(a_slice(dataset, n) for n in (1, 2, 3)))
    for size in (37, 5_000):
        pieces = (data[at : at + size] for at in range(0, len(data), size))
        response = requests.post(
            f"{sender.address}/dicom-web/studies",
            data=pieces,
            headers=sender.headers | {"Content-Type": TYPE},
            timeout=30,
        )
        assert response.status_code == 200, response.text
        assert len(response.json()["00081199"]["Value"]) == 3
    assert sender.count() == 3


def test_another_site_stores_nothing_here(sender, live_stack, dataset):
    stranger = Sender(live_stack)
    for path in (f"/scans/{sender.scan.pk}", f"/sites/{sender.site.pk}"):
        with pytest.raises(requests.HTTPError, match="404"):
            stranger.client(path).store_instances([image(dataset, 1)])
    with pytest.raises(requests.HTTPError, match="401"):
        DICOMwebClient(f"{live_stack}/dicom-web").store_instances([image(dataset, 1)])
    assert sender.count() == stranger.count() == 0


# Sockets that do not keep to what they say


def connected(sender: Sender, *headers: str) -> socket.socket:
    parts = urlsplit(sender.address)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
    lines = [
        "POST /dicom-web/studies HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Authorization: Bearer {sender.token}",
        f"Content-Type: {TYPE}",
        *headers,
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def answer(connection: socket.socket) -> bytes:
    with connection, connection.makefile("rb") as file:
        return file.readline() + file.read(4096)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.requirement("R69")
def test_a_connection_cut_in_the_middle_leaves_what_came_before(sender, dataset):
    data = body(*(a_slice(dataset, n) for n in (1, 2)))
    with connected(sender, f"Content-Length: {len(data)}") as connection:
        connection.sendall(data[:-60])
    wait_for(lambda: sender.count() == 1, 30)


def test_a_length_beyond_the_body_is_refused(sender, dataset):
    data = body(a_slice(dataset, 1))[:-60]
    connection = connected(sender, f"Content-Length: {len(data) + 5000}")
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
    told = answer(connection)
    assert b" 400 " in told.splitlines()[0]
    assert b"ends within part 1" in told


def test_a_length_short_of_the_body_is_refused(sender, dataset):
    data = body(a_slice(dataset, 1))
    connection = connected(sender, f"Content-Length: {len(data) - 60}")
    connection.sendall(data)
    assert b" 400 " in answer(connection).splitlines()[0]


@pytest.mark.requirement("R44")
def test_an_endless_header_of_a_part_is_refused(sender):
    connection = connected(sender, "Transfer-Encoding: chunked")
    connection.sendall(chunk(b"--edge\r\n"))
    with pytest.raises(OSError):  # noqa: PT012  until the server hangs up
        for _ in range(2**14):
            connection.sendall(chunk(b"X: " + b"x" * 2**16))
    connection.close()
    assert sender.count() == 0


@pytest.mark.requirement("T38")
def test_a_body_that_is_announced_too_big_is_refused_unread(sender):
    connection = connected(sender, f"Content-Length: {2**40}")
    assert b" 413 " in answer(connection).splitlines()[0]


def test_a_chunk_that_is_none_breaks_the_body_off(sender, dataset):
    connection = connected(sender, "Transfer-Encoding: chunked")
    connection.sendall(chunk(body(a_slice(dataset, 1))[:-60]) + b"nonsense\r\n")
    assert b" 400 " in answer(connection).splitlines()[0]
    assert sender.count() == 0


def test_a_packed_body_is_refused(sender, dataset):
    response = requests.post(
        f"{sender.address}/dicom-web/studies",
        data=b"\x1f\x8b",
        headers=sender.headers | {"Content-Type": TYPE, "Content-Encoding": "gzip"},
        timeout=30,
    )
    assert response.status_code == 415


# Read back


@pytest.fixture
def released(sender):
    """A series of the sender's site in the archive."""
    return records._released(sender.scan, by=sender.user)


def test_a_client_finds_studies_series_and_instances(sender, released):
    client, study = sender.client(), released.imaging_study.study_instance_uid
    (found,) = client.search_for_studies(fields=["StudyDescription"], get_remaining=True)
    assert found["0020000D"]["Value"] == [study]
    by_patient = {"PatientID": sender.scan.patient.identifier}
    assert client.search_for_studies(search_filters=by_patient) == [found]
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    (series,) = client.search_for_series(study)
    assert series["0020000E"]["Value"] == [released.series_instance_uid]
    instances = client.search_for_instances(study, limit=5, get_remaining=True)
    assert len(instances) == records.PLANES


def test_a_client_retrieves_what_lies_in_the_archive(sender, released):
    client = sender.client()
    study, series = released.imaging_study.study_instance_uid, released.series_instance_uid
    files = [storage.archive.read(one.sha256) for one in released.instances.all()]
    held = [pydicom.dcmread(io.BytesIO(data)) for data in files]
    uid = held[3].SOPInstanceUID
    assert client.retrieve_study(study) == held
    assert list(client.iter_series(study, series)) == held
    assert client.retrieve_instance(study, series, uid) == held[3]
    assert len(client.retrieve_study_metadata(study)) == records.PLANES
    metadata = client.retrieve_series_metadata(study, series)
    assert [one["00080018"]["Value"][0] for one in metadata] == [ds.SOPInstanceUID for ds in held]
    read = pydicom.Dataset.from_json(client.retrieve_instance_metadata(study, series, uid))
    assert (read.Rows, read.PatientWeight) == (24, 70)
    assert "PixelData" not in read


def test_a_client_retrieves_frames_and_pictures(sender, released):
    client = sender.client()
    data = storage.archive.read(released.instances.all()[5].sha256)
    held = pydicom.dcmread(io.BytesIO(data))
    at = (held.StudyInstanceUID, held.SeriesInstanceUID, held.SOPInstanceUID)
    native = (("application/octet-stream", "1.2.840.10008.1.2.1"),)
    assert client.retrieve_instance_frames(*at, [1]) == [held.PixelData]
    assert client.retrieve_instance_frames(*at, [1], media_types=native) == [held.PixelData]
    for kind in ("image/png", "image/jpeg"):
        drawn = client.retrieve_instance_rendered(*at, media_types=(kind,))
        again = client.retrieve_instance_frames_rendered(*at, [1], media_types=(kind,))
        assert Image.open(io.BytesIO(drawn)).size == (24, 24)
        assert drawn == again


def test_a_client_of_another_site_reads_nothing(sender, released, live_stack):
    stranger = Sender(live_stack).client()
    study, series = released.imaging_study.study_instance_uid, released.series_instance_uid
    assert stranger.search_for_studies() == []
    assert stranger.search_for_instances() == []
    for ask in (
        lambda: stranger.search_for_series(study),
        lambda: stranger.retrieve_study(study),
        lambda: stranger.retrieve_series_metadata(study, series),
    ):
        with pytest.raises(requests.HTTPError, match="404"):
            ask()
