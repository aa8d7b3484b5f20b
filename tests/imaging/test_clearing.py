"""A file that comes while its like is cleared away, with real commits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from imaging import storage
from imaging.models import ReceivedFile, Transmittal
from imaging.services import clearing, receiving
from tests import factories
from trials.models import Job
from trials.roles import Role
from trials.services import jobs

CONTENT = b"the same bytes, sent for two scans"


@pytest.fixture(autouse=True)
def stores(settings, tmp_path):
    settings.STORAGE = tmp_path


@pytest.fixture
def site(committed_db):
    return factories.make_site(factories.make_trial())


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


class Slow(SimpleUploadedFile):
    """A file that takes its time to arrive."""

    def chunks(self, chunk_size=None):
        sleep(0.5)
        yield from super().chunks(chunk_size)


def opened(site, by) -> Transmittal:
    scan = factories.make_scan(factories.make_enrolled(site, by=by), by=by)
    return receiving.open_transmittal(scan, by=by)


def test_what_is_acknowledged_is_kept_though_its_like_is_cleared(site, coordinator):
    settled, coming = opened(site, coordinator), opened(site, coordinator)
    receiving.receive(settled, files=[SimpleUploadedFile("a", CONTENT)], by=coordinator)
    with factories.framed():
        settled.files.update(state=ReceivedFile.State.REJECTED)
        job = clearing.order(settled, actor=coordinator)

    def receive() -> list[ReceivedFile]:
        try:
            files = [SimpleUploadedFile("a", CONTENT), Slow("b", b"another file")]
            return receiving.receive(coming, files=files, by=coordinator)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(receive)
        sleep(0.2)
        jobs.run(job.pk)
        acknowledged = sending.result(10)
    # Where a site runs beside the tests its worker may have taken the job.
    end = monotonic() + 20
    while Job.objects.get(pk=job.pk).state == Job.State.RUNNING and monotonic() < end:
        sleep(0.05)
    job.refresh_from_db()
    assert job.state == Job.State.DONE
    assert len(acknowledged) == 2
    assert all(storage.quarantine.has(file.sha256) for file in acknowledged)
