"""Files are looked into while others of their transmittal still come, and nothing rests on it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile

from imaging import storage
from imaging.models import Instance, ReceivedFile, Transmittal
from imaging.services import looking_ahead, preparing, receiving
from imaging.services.parser import Parser
from imaging.storage import prepared
from tests import factories
from tests.imaging.test_intake import a_slice, worked
from trials.models import AuditEvent, Job, Trial
from trials.roles import Role
from trials.services import jobs

pytestmark = pytest.mark.django_db

State = Transmittal.State
FileState = ReceivedFile.State


@pytest.fixture(autouse=True)
def stores(settings, tmp_path, monkeypatch):
    settings.STORAGE = tmp_path
    # Nobody sends more while a test looks.
    monkeypatch.setattr(looking_ahead, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def coordinator():
    site = factories.make_site(factories.make_fdg_trial())
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def transmittal(coordinator) -> Transmittal:
    patient = factories.make_enrolled(coordinator.memberships.get().site, by=coordinator)
    scan = factories.make_scan(patient, by=coordinator)
    return receiving.open_transmittal(scan, by=coordinator)


def take(transmittal: Transmittal, *files: bytes) -> None:
    named = [SimpleUploadedFile("a", one) for one in files]
    receiving.receive(transmittal, files=named, by=transmittal.sent_by)


def inspected(transmittal: Transmittal) -> list[tuple[str, str]]:
    """State and code of each file once inspection has run."""
    receiving.complete(transmittal, by=transmittal.sent_by)
    job = Job.objects.get(kind="imaging.inspect")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.error
    return list(transmittal.files.order_by("position").values_list("state", "code"))


def folder(transmittal: Transmittal) -> Path:
    return Path(settings.STORAGE) / "prepared" / str(transmittal.pk)


def looked_at(transmittal: Transmittal) -> list[str]:
    """Digest of the original, each time that one was looked into."""
    lines = (folder(transmittal) / prepared.TOLD).read_text().splitlines()
    return [line.split(" ")[0] for line in lines]


def test_each_file_is_looked_into_once_and_released_as_it_would_be(transmittal, dataset):
    slices = [a_slice(dataset, n) for n in (1, 2, 3)]
    take(transmittal, *slices[:2])
    before = AuditEvent.objects.count()
    looking_ahead.look(transmittal.pk)
    assert len(looked_at(transmittal)) == 2
    # No row says anything of it.
    assert set(transmittal.files.values_list("state", "code")) == {(FileState.RECEIVED, "")}
    assert Transmittal.objects.get().state == State.RECEIVING
    assert AuditEvent.objects.count() == before
    take(transmittal, slices[2])
    assert inspected(transmittal) == [(FileState.ACCEPTED, "")] * 3
    # Several at once, so in any order.
    digests = transmittal.files.values_list("sha256", flat=True)
    assert sorted(looked_at(transmittal)) == sorted(digests)
    assert worked(transmittal).state == State.ASSEMBLED
    policy = preparing.policy_for(transmittal)
    with Parser() as parser:
        expected = [parser.deidentify(one, policy).dicom for one in slices]
    rows = Instance.objects.order_by("received_file__position")
    assert [storage.archive.read(row.sha256) for row in rows] == expected
    assert not folder(transmittal).exists()


def test_what_is_refused_is_refused_without_another_look(transmittal, dataset):
    take(transmittal, b"a letter", a_slice(dataset, 1, BurnedInAnnotation="YES"))
    looking_ahead.look(transmittal.pk)
    assert inspected(transmittal) == [
        (FileState.REJECTED, "not-dicom"),
        (FileState.QUARANTINED, "burned-in-annotation"),
    ]
    assert len(looked_at(transmittal)) == 2


def test_what_is_under_way_is_found_by_a_second_look(transmittal, dataset):
    take(transmittal, a_slice(dataset, 1))
    looking_ahead.look(transmittal.pk)
    take(transmittal, a_slice(dataset, 2))
    looking_ahead.look(transmittal.pk)
    assert len(looked_at(transmittal)) == len(set(looked_at(transmittal))) == 2


def test_under_another_policy_it_is_looked_into_again(transmittal, dataset):
    take(transmittal, a_slice(dataset, 1))
    looking_ahead.look(transmittal.pk)
    with factories.framed():
        Trial.objects.update(sponsor="Another sponsor")
    assert inspected(transmittal) == [(FileState.ACCEPTED, "")]
    assert len(looked_at(transmittal)) == 2


@pytest.mark.parametrize("half", [20, 200], ids=["in the digest", "in the verdict"])
def test_a_look_that_was_killed_leaves_what_inspection_does_again(transmittal, dataset, half):
    take(transmittal, a_slice(dataset, 1), a_slice(dataset, 2))
    looking_ahead.look(transmittal.pk)
    told = folder(transmittal) / prepared.TOLD
    os.truncate(told, told.read_text().index("\n") + half)
    assert inspected(transmittal) == [(FileState.ACCEPTED, "")] * 2
    assert worked(transmittal).state == State.ASSEMBLED


def test_one_looks_at_a_time_and_at_nothing_that_is_complete(transmittal, dataset):
    take(transmittal, a_slice(dataset, 1))
    with prepared.alone() as is_alone:
        assert is_alone
        looking_ahead.look(transmittal.pk)
    receiving.complete(transmittal, by=transmittal.sent_by)
    looking_ahead.look(transmittal.pk)
    assert not folder(transmittal).exists()


def test_an_original_that_is_lost_is_for_inspection_to_tell(transmittal, dataset):
    take(transmittal, a_slice(dataset, 1))
    storage.quarantine.remove(transmittal.files.get().sha256)
    looking_ahead.look(transmittal.pk)
    receiving.complete(transmittal, by=transmittal.sent_by)
    with pytest.raises(AssertionError, match="has lost"):
        worked(transmittal)


def test_what_nobody_waits_for_any_more_leaves_nothing(transmittal, dataset):
    take(transmittal, a_slice(dataset, 1))
    with factories.framed():
        transmittal.files.update(state=FileState.REJECTED)
    looking_ahead.look(transmittal.pk)
    assert not folder(transmittal).exists()


def test_who_comes_late_does_not_touch_what_release_has_moved(transmittal):
    prepared.open_for(transmittal.pk)
    prepared.keep(transmittal.pk, "a" * 64, content=b"first", told="{}")
    moved = Path(settings.STORAGE) / "archived"
    with prepared.path(transmittal.pk, "a" * 64).open("rb") as held:
        prepared.path(transmittal.pk, "a" * 64).rename(moved)
        prepared.keep(transmittal.pk, "a" * 64, content=b"second", told="{}")
        assert (held.read(), moved.read_bytes()) == (b"first", b"first")
    assert prepared.path(transmittal.pk, "a" * 64).read_bytes() == b"second"


def test_a_worker_is_told_of_what_comes_unless_one_is_at_it(
    transmittal, dataset, monkeypatch, django_capture_on_commit_callbacks
):
    told = []
    # Where our process ends: the message would go to the broker.
    monkeypatch.setattr(jobs, "wake", lambda task, key: told.append((task.name, key)))
    with django_capture_on_commit_callbacks(execute=True):
        take(transmittal, a_slice(dataset, 1))
    with prepared.alone(), django_capture_on_commit_callbacks(execute=True):
        take(transmittal, a_slice(dataset, 2))
    assert told == [("imaging.tasks.look_ahead", transmittal.pk)]
