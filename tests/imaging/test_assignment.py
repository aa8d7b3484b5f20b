"""What machines send to a site: kept, told apart by study, given to a scan by a person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from imaging import selectors
from imaging.models import Instance, Transmittal
from imaging.selectors import candidates
from imaging.services import assignment, inspection, receiving
from imaging.services.identity import OF_WHOM
from tests import factories
from tests.imaging.test_intake import a_slice, sent, worked
from trials.models import AuditEvent, Query
from trials.roles import Role
from trials.services import jobs
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
State, Source = Transmittal.State, Transmittal.Source


@pytest.fixture(autouse=True)
def stores(storage):
    pass


@pytest.fixture
def site():
    return factories.make_site(factories.make_fdg_trial())


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def scan(site, coordinator):
    return factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)


def stored(site, files, **changes):
    given = {"source": Source.STORE, "sender": "PETCT1", "by": jobs.system_user()}
    named = [SimpleUploadedFile("x.dcm", content) for content in files]
    return receiving.take_in(site, files=named, **given | changes)


def quiet():
    receiving.complete_quiet(now=timezone.now() + 2 * receiving.QUIET)


def waiting(site):
    quiet()
    for row in Transmittal.objects.filter(site=site, state=State.RECEIVED):
        worked(row)
    return list(Transmittal.objects.filter(site=site).order_by("pk"))


def test_what_a_scanner_sends_waits_for_somebody_to_say_whose_it_is(site, scan, dataset):
    row = stored(site, [a_slice(dataset, 1)])
    assert stored(site, [a_slice(dataset, 2), a_slice(dataset, 3)]) == row
    assert row.state == State.RECEIVING
    (row,) = waiting(site)
    assert (row.state, row.code, row.scheduled_scan) == (State.QUARANTINED, "not-assigned", None)
    assert set(row.files.values_list("state", "code")) == {("quarantined", "not-assigned")}
    assert row.sender == "PETCT1"


def test_it_is_complete_once_nothing_came_for_a_while(site, dataset):
    row = stored(site, [a_slice(dataset, 1)])
    assert receiving.complete_quiet() == 0
    later = timezone.now() + receiving.QUIET - timedelta(seconds=2)
    assert receiving.complete_quiet(now=later) == 0
    assert receiving.complete_quiet(now=later + timedelta(seconds=4)) == 1
    assert receiving.complete_quiet(now=later + timedelta(seconds=4)) == 0
    row.refresh_from_db()
    assert row.state == State.RECEIVED
    # What comes after is another transmittal.
    assert stored(site, [a_slice(dataset, 2)]) != row


def test_studies_that_came_in_one_go_wait_apart(site, dataset):
    two = [a_slice(dataset, n, StudyInstanceUID="1.77") for n in (3, 4)]
    stored(site, [a_slice(dataset, 1), b"a letter", *two, a_slice(dataset, 2)])
    first, second = waiting(site)
    assert first.files.filter(state="quarantined").count() == 2
    assert first.files.get(state="rejected").code == "not-dicom"
    assert second.files.filter(state="quarantined").count() == 2
    assert {one.code for one in (first, second)} == {"not-assigned"}
    assert (second.sender, second.source) == ("PETCT1", "store")


def test_nothing_readable_is_refused_as_ever(site):
    stored(site, [b"a letter"])
    (row,) = waiting(site)
    assert (row.state, row.code) == (State.REJECTED, "not-dicom")


def test_named_its_scan_it_goes_on_as_if_sent_for_it(site, scan, coordinator, dataset):
    stored(site, [a_slice(dataset, n) for n in (1, 2, 3)])
    (row,) = waiting(site)
    given = worked(assignment.assign(row, scan=scan, by=coordinator))
    assert (given.state, given.message) == (State.ASSEMBLED, "")
    assert Instance.objects.filter(series__imaging_study__scheduled_scan=scan).count() == 3
    event = AuditEvent.objects.filter(action="transmittal.assigned").latest("pk")
    assert event.patient == scan.patient_id
    with pytest.raises(Refused, match="only images that wait"):
        assignment.assign(given, scan=scan, by=coordinator)


def test_images_known_for_another_patient_are_held_after_naming_too(
    site, scan, coordinator, dataset
):
    sent(scan, [a_slice(dataset, n) for n in (1, 2, 3)], coordinator)
    other = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
    stored(site, [a_slice(dataset, n, StudyInstanceUID="1.77") for n in (4, 5)])
    row = waiting(site)[-1]
    held = worked(assignment.assign(row, scan=other, by=coordinator))
    assert (held.state, held.code) == (State.QUARANTINED, "patient-known-otherwise")
    with pytest.raises(Invalid):
        assignment.assign(held, scan=scan, by=coordinator)
    assert Query.objects.get(rule=OF_WHOM).state == Query.State.OPEN
    again = worked(assignment.assign(held, scan=scan, reason="the wrong patient", by=coordinator))
    assert Query.objects.get(rule=OF_WHOM).state == Query.State.CLOSED
    assert again.state == State.ASSEMBLED or again.code == "several-studies"


def test_nobody_releases_what_is_nobodys(site, coordinator, dataset):
    stored(site, [a_slice(dataset, 1)])
    (row,) = waiting(site)
    manager = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    with pytest.raises(Refused, match="which scheduled scan"):
        inspection.decide(row, release=True, reason="fine", by=manager)
    refused = inspection.decide(row, release=False, reason="a phantom", by=manager)
    assert refused.state == State.REJECTED


def test_only_people_of_the_site_say_whose_it_is_and_of_its_own_patients(
    site, scan, coordinator, dataset
):
    stored(site, [a_slice(dataset, 1)])
    (row,) = waiting(site)
    elsewhere = factories.make_site(site.trial, "X-2")
    stranger = factories.make_user(Role.COORDINATOR, trial=site.trial, site=elsewhere)
    with pytest.raises(Forbidden):
        assignment.assign(row, scan=scan, by=stranger)
    both = factories.make_user(Role.COORDINATOR, trial=site.trial)
    foreign = factories.make_scan(factories.make_enrolled(elsewhere, by=both), by=both)
    with pytest.raises(Invalid, match="another site"):
        assignment.assign(row, scan=foreign, by=both)


def test_only_a_machine_sends_without_an_account(site, coordinator, dataset):
    with pytest.raises(Forbidden):
        stored(site, [a_slice(dataset, 1)], source=Source.BROWSER)
    assert stored(site, [a_slice(dataset, 1)], source=Source.STOW, by=coordinator).files.exists()
    outsider = factories.make_user(Role.READER, trial=site.trial)
    with pytest.raises(Forbidden):
        stored(site, [a_slice(dataset, 1)], source=Source.STOW, by=outsider)


def test_a_full_transmittal_is_completed_and_the_next_begun(site, dataset, monkeypatch):
    monkeypatch.setattr(receiving, "MAXIMUM_FILES", 2)
    first = stored(site, [a_slice(dataset, n) for n in (1, 2)])
    second = stored(site, [a_slice(dataset, 3)])
    assert first != second
    first.refresh_from_db()
    assert (first.state, second.state) == (State.RECEIVED, State.RECEIVING)


def test_machines_never_learn_what_other_sites_sent(site, coordinator, dataset):
    row = stored(site, [a_slice(dataset, 1)])
    elsewhere = factories.make_site(site.trial, "X-2")
    other = stored(elsewhere, [a_slice(dataset, 2)])
    digest = other.files.get().sha256
    assert receiving.missing(row, sha256s=[digest], by=coordinator) == [digest]


def test_a_second_look_after_a_correction(site, scan, coordinator, dataset):
    held = sent(scan, [a_slice(dataset, 1, PatientSex="M")], coordinator)
    assert held.code == "sex-differs"
    with factories.framed():
        scan.patient.sex_at_birth = "M"
        scan.patient.save(update_fields=["sex_at_birth"])
    again = worked(assignment.retry(held, by=coordinator))
    assert again.state == State.ASSEMBLED
    assert selectors.file_counts(again) == {"released": 1}


def test_the_scans_to_choose_from_say_what_in_the_headers_speaks_against_them(
    site, scan, coordinator, dataset, client, django_assert_num_queries
):
    other = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
    with factories.framed():
        scan.patient.sex_at_birth = "M"
        scan.patient.save(update_fields=["sex_at_birth"])
    stored(site, [a_slice(dataset, 1)])
    (row,) = waiting(site)
    with django_assert_num_queries(2):
        found = candidates.choices(row)
    assert [key for key, _ in found] == [other.pk, scan.pk]
    assert found[0][1].endswith("nothing in the headers differs")
    assert found[1][1].endswith("sex differs")
    client.force_login(coordinator)
    page = client.get(f"/transmittals/{row.pk}/assign/").content.decode()
    assert "nothing in the headers differs" in page
    answer = client.post(f"/transmittals/{row.pk}/assign/", {"scan": other.pk})
    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.scheduled_scan, row.state) == (other, State.RECEIVED)
