"""What follows a correction: which runs, questions and deviations, and what each still says."""

from __future__ import annotations

import pytest

from imaging.services import quantification, recompute
from tests import factories, records
from tests.imaging.test_reconciliation import SHOT, given, work
from trials.models import Job
from trials.services import injections, jobs

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _storage(settings, tmp_path):
    settings.STORAGE = tmp_path


@pytest.fixture
def site():
    return factories.make_site(factories.make_trial())


@pytest.fixture
def everyone(site):
    return records.everyone(site.trial)


@pytest.fixture
def scan(site, everyone):
    """A scan whose images are on their real day, so that both calendars are one."""
    patient = factories.make_enrolled(site, by=everyone)
    with factories.framed():
        patient.date_shift_days = 0
        patient.save(update_fields=["date_shift_days"])
    return factories.make_scan(patient, by=everyone, planned_at=SHOT)


def _assembled(scan, everyone):
    """A series with its geometry, whose first measurement is ordered."""
    series = records._released(scan, by=everyone)
    with factories.framed():
        job = jobs.enqueue("imaging.assemble", actor=everyone, transmittal=series.transmittal_id)
    jobs.run(job.pk)
    return series


# Runs


def test_a_correction_during_the_very_first_run_is_measured_all_the_same(
    scan, everyone, monkeypatch
):
    injection = injections.record(scan, **given(), by=everyone)
    series = _assembled(scan, everyone)
    measure = quantification._measure

    def meanwhile(*arguments):
        injections.correct(injection, **given(weight_kg=90.0), reason="misread", by=everyone)
        return measure(*arguments)

    monkeypatch.setattr(quantification, "_measure", meanwhile)
    jobs.run(Job.objects.get(kind="imaging.quantify").pk)
    monkeypatch.undo()
    assert not series.quantifications.exists()
    recompute.order_due()
    work()
    assert series.quantifications.get().record_version == 2
    assert series.findings.filter(rule="header-weight-differs", is_current=True).exists()


def test_a_job_that_was_given_up_long_ago_does_not_keep_a_correction_from_its_run(scan, everyone):
    injection = injections.record(scan, **given(), by=everyone)
    old = records.make_measured(scan, by=everyone)
    with factories.framed():
        parked = jobs.enqueue("imaging.quantify", actor=everyone, series=old.series_id)
        Job.objects.filter(pk=parked.pk).update(state=Job.State.PARKED)
    injections.correct(injection, **given(weight_kg=77.0), reason="misread", by=everyone)
    (ordered,) = recompute.order_due()
    # Given up in its turn, it is not ordered again and again.
    Job.objects.filter(pk=ordered.pk).update(state=Job.State.PARKED)
    assert recompute.order_due() == []
