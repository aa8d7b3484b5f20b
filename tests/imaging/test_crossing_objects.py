"""Two jobs that write objects of one run cross, with real commits on connections of their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from imaging import storage
from imaging.models import Series
from imaging.services import object_writing, objects, regions
from tests import factories, records
from tests.imaging.test_dicom_objects import groups
from trials.models import Job
from trials.services import jobs

pytestmark = pytest.mark.usefixtures("committed_db", "storage")


@pytest.fixture
def run(scan, everyone):
    run = records.make_measured(scan, by=everyone)
    yield run
    # Its rows stay, and its files do not.
    with factories.framed():
        Series.objects.filter(pk=run.series_id).update(code=Series.DESTROYED)


def test_a_report_that_ends_after_a_later_one_does_not_stand(run, everyone, monkeypatch):
    """A region is placed, and its report written, while the first job writes its files."""
    kept = storage.archive.write
    crossed = []

    def place_and_write() -> None:
        try:
            regions.place(
                run, kind="blood_pool", centre_mm=(20.0, 20.0, 15.0), radius_mm=9.0, by=everyone
            )
            later = Job.objects.filter(kind=objects.KIND, arguments__quantification=run.pk).latest(
                "pk"
            )
            object_writing.write(jobs.claim(later.pk))
        finally:
            connection.close()

    def crossed_meanwhile(_, chunks):
        if not crossed:
            crossed.append(True)
            with ThreadPoolExecutor(1) as threads:
                threads.submit(place_and_write).result(60)
        return kept(chunks)

    job = Job.objects.get(kind=objects.KIND, arguments__quantification=run.pk)
    with monkeypatch.context() as patched:
        patched.setattr(storage.Store, "write", crossed_meanwhile)
        object_writing.write(jobs.claim(job.pk))
    standing, late = run.dicom_objects.filter(kind="SR").order_by("pk")
    assert (standing.superseded_at, late.superseded_at is None) == (None, False)
    assert "Mediastinal blood pool, placed by a reader" in groups(standing)
    # Map and segmentation do not rest on the region: both jobs made the same.
    kinds = run.dicom_objects.filter(superseded_at=None).values_list("kind", flat=True)
    assert sorted(kinds) == ["RWV", "SEG", "SR"]
    assert all(storage.archive.has(one.sha256) for one in run.dicom_objects.all())
