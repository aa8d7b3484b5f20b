"""Images of another person: noticed, judged, contained, closed, and never clicked away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from imaging.models import Instance, PrivacyIncident, Series, Transmittal
from imaging.services import assignment, incidents, inspection, receiving
from imaging.storage import archive
from reporting.services import storage_check
from tests import factories, records
from tests.imaging.test_intake import a_slice, sent, worked
from trials.models import Job, Query, ScheduledScan
from trials.roles import Role
from trials.services import jobs, patients, queries
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
State = Transmittal.State
# As images look whose identity was taken out by who sent them.
REMOVED = {"PatientIdentityRemoved": "YES", "PatientName": "MRN-0815", "PatientBirthDate": ""}


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
def manager(site):
    return factories.make_user(Role.DATA_MANAGER, trial=site.trial)


@pytest.fixture
def scan(site, coordinator):
    return factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)


@pytest.fixture
def held(scan, coordinator, dataset):
    two = [a_slice(dataset, 1), a_slice(dataset, 2, PatientID="MRN-0816")]
    return sent(scan, two, coordinator)


def test_two_people_in_one_folder_are_an_incident_at_once_and_once(held, coordinator):
    (found,) = held.privacy_incidents.all()
    assert (found.code, found.state, found.site) == ("several-patients", "open", held.site)
    assert found.found_by.is_system
    assert "MRN" not in found.text
    worked(assignment.retry(held, by=coordinator))
    assert held.privacy_incidents.count() == 1


def test_it_is_closed_only_when_judged_notified_and_nothing_of_it_is_held(held, manager):
    found = held.privacy_incidents.get()
    assert len(incidents.missing(found)) == 2
    with pytest.raises(Refused, match="Nobody has decided"):
        incidents.close(found, measures="told everybody", by=manager)
    found = incidents.judge(found, notification="authority", basis="a name was seen", by=manager)
    assert "day of the notification" in incidents.missing(found)[0]
    today = found.site.today()
    found = incidents.judge(
        found, notification="authority", basis="letter 7", notified_on=today, by=manager
    )
    with pytest.raises(Refused, match="still held"):
        incidents.close(found, measures="told everybody", by=manager)
    inspection.decide(held, release=False, reason="two people", by=manager)
    worked(held)
    closed = incidents.close(found, measures="The worklist is compared first.", by=manager)
    assert (closed.state, closed.closed_by) == ("closed", manager)
    with pytest.raises(Refused, match="is closed"):
        incidents.judge(closed, notification="none", basis="after all", by=manager)


def test_the_authority_has_to_know_within_72_hours(held):
    found = held.privacy_incidents.get()
    assert incidents.due_at(found) - found.found_at == timedelta(days=3)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"notification": "undecided"}, "notification"),
        ({"notification": "anybody"}, "notification"),
        ({"basis": " "}, "basis"),
        ({"notified_on": "today"}, "notified_on"),
        ({"notification": "authority", "notified_on": "tomorrow"}, "notified_on"),
    ],
)
def test_a_judgement_has_a_basis_and_no_day_to_come(held, manager, given, field):
    found = held.privacy_incidents.get()
    today = found.site.today()
    days = {"today": today, "tomorrow": today + timedelta(days=2)}
    asked = {"notification": "none", "basis": "nobody saw it"} | given
    asked["notified_on"] = days.get(asked.get("notified_on"))
    with pytest.raises(Invalid) as refusal:
        incidents.judge(found, by=manager, **asked)
    assert refusal.value.field == field


def test_people_of_the_site_report_and_the_data_manager_handles(scan, coordinator, manager, held):
    reported = incidents.report(held, text="The wrong folder.", by=coordinator)
    assert reported.code == ""
    with pytest.raises(Forbidden):
        incidents.judge(reported, notification="none", basis="fine", by=coordinator)
    reader = factories.make_user(Role.READER, trial=scan.patient.trial)
    with pytest.raises(Forbidden):
        incidents.report(held, text="I saw it.", by=reader)
    assert PrivacyIncident.objects.count() == 2


# A difference in what the headers say: not an incident yet, and not clicked away either.


def differing(scan, coordinator, dataset):
    row = sent(scan, [a_slice(dataset, 1, PatientSex="M")], coordinator)
    assert (row.state, row.code) == (State.QUARANTINED, "sex-differs")
    return row


def test_what_differs_is_released_only_once_the_site_answered(scan, coordinator, manager, dataset):
    row = differing(scan, coordinator, dataset)
    with pytest.raises(Refused, match="has not answered"):
        inspection.decide(row, release=True, reason="looks right", by=manager)
    query = Query.objects.get(rule=inspection.OF_WHOM)
    queries.answer(query, text="Typed wrongly at the scanner, see the request.", by=coordinator)
    assert worked(inspection.decide(row, release=True, reason="see query", by=manager)).state == (
        State.ASSEMBLED
    )
    query.refresh_from_db()
    assert query.state == Query.State.CLOSED


def test_an_answer_that_a_monitor_closed_since_counts_and_a_closing_alone_does_not(
    scan, coordinator, manager, dataset
):
    row = differing(scan, coordinator, dataset)
    query = Query.objects.get(rule=inspection.OF_WHOM)
    queries.close(query, text="seen", by=manager)
    with pytest.raises(Refused, match="has not answered"):
        inspection.decide(row, release=True, reason="closed", by=manager)
    with factories.framed():
        query.state = Query.State.OPEN
        query.save(update_fields=["state"])
    queries.answer(query, text="See the request.", by=coordinator)
    queries.close(query, text="seen", by=manager)
    again = worked(assignment.retry(row, by=coordinator))
    assert again.code == "sex-differs"
    assert worked(inspection.decide(again, release=True, reason="see query", by=manager)).state == (
        State.ASSEMBLED
    )


def test_who_answered_does_not_decide(scan, coordinator, site, dataset):
    row = differing(scan, coordinator, dataset)
    both = records.everyone(site.trial)
    queries.answer(Query.objects.get(rule=inspection.OF_WHOM), text="It is her.", by=both)
    with pytest.raises(Refused, match="does not decide"):
        inspection.decide(row, release=True, reason="I say so", by=both)


def test_a_corrected_record_lets_the_images_pass_by_themselves(scan, coordinator, dataset):
    row = differing(scan, coordinator, dataset)
    patients.correct(
        scan.patient, sex_at_birth="M", birth="1961-04-23", reason="wrong box", by=coordinator
    )
    again = worked(assignment.retry(row, by=coordinator))
    assert again.state == State.ASSEMBLED
    assert {one["label"]: one["finding"] for one in again.identity}["Sex"] == "agrees"
    assert Query.objects.get(rule=inspection.OF_WHOM).state == Query.State.CLOSED


def test_a_tracer_of_another_scan_is_held(scan, coordinator, dataset):
    scan.planned_scan.tracer.name = "[68Ga]Ga-Pentixafor"
    scan.planned_scan.tracer.radionuclide = "Ga-68"
    with factories.framed():
        scan.planned_scan.tracer.save()
    row = sent(scan, [a_slice(dataset, 1)], coordinator)
    assert (row.state, row.code) == (State.QUARANTINED, "nuclide-differs")
    assert "F-18" in row.message


def test_declared_as_taken_out_at_the_source_it_is_recorded_as_not_checkable(
    scan, coordinator, dataset
):
    row = receiving.open_transmittal(scan, by=coordinator, is_deidentified_at_source=True)
    content = a_slice(dataset, 1, PatientSex="M", PatientAge="012Y", **REMOVED)
    receiving.receive(row, files=[SimpleUploadedFile("x", content)], by=coordinator)
    receiving.complete(row, by=coordinator)
    row = worked(row)
    assert row.state == State.ASSEMBLED
    found = {one["label"]: one["finding"] for one in row.identity}
    assert found["Sex"] == found["Age"] == found["Study date"] == "not checkable"
    assert found["Radionuclide"] == found["Identity removed"] == "agrees"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"PatientIdentityRemoved": "NO"}, "1 of 2 images say NO"),
        ({"PatientName": "Canary^Anna"}, "1 of 2 images give a birth date or what looks like"),
    ],
)
def test_declared_as_taken_out_and_still_there_it_waits_for_a_person(
    scan, coordinator, manager, dataset, client, said, told
):
    row = receiving.open_transmittal(scan, by=coordinator, is_deidentified_at_source=True)
    slices = [a_slice(dataset, 1, **REMOVED), a_slice(dataset, 2, **REMOVED | said)]
    files = [SimpleUploadedFile("x", one) for one in slices]
    receiving.receive(row, files=files, by=coordinator)
    receiving.complete(row, by=coordinator)
    row = worked(row)
    assert (row.state, row.code) == (State.QUARANTINED, "identity-not-removed")
    assert told in row.message
    assert "Canary" not in row.message
    client.force_login(coordinator)
    assert told in client.get(f"/transmittals/{row.pk}/").content.decode()
    inspection.decide(row, release=True, reason="The name is invented.", by=manager)
    assert worked(row).state == State.ASSEMBLED


def test_declared_as_taken_out_the_page_says_how_many_images_do_not_say_so(
    scan, coordinator, dataset, client
):
    row = receiving.open_transmittal(scan, by=coordinator, is_deidentified_at_source=True)
    silent = REMOVED | {"PatientIdentityRemoved": ""}
    slices = [a_slice(dataset, 1, **REMOVED), a_slice(dataset, 2, **silent)]
    files = [SimpleUploadedFile("x", one) for one in slices]
    receiving.receive(row, files=files, by=coordinator)
    receiving.complete(row, by=coordinator)
    assert worked(row).state == State.ASSEMBLED
    client.force_login(coordinator)
    page = client.get(f"/transmittals/{row.pk}/").content.decode()
    assert "1 of 2 images do not say themselves" in page


def test_released_images_of_another_person_are_removed_with_their_measurements(
    scan, coordinator, manager, dataset
):
    row = sent(scan, [a_slice(dataset, n) for n in (1, 2, 3)], coordinator)
    assert row.state == State.ASSEMBLED
    digests = set(Instance.objects.filter(series__transmittal=row).values_list("sha256", flat=True))
    reported = incidents.report(row, text="The patient was scanned on another day.", by=coordinator)
    assert not incidents.is_contained(reported)
    incidents.contain(reported, reason="not hers", by=manager)
    row = worked(row)
    assert (row.state, row.code) == (State.REJECTED, Series.OF_ANOTHER)
    assert not any(archive.has(digest) for digest in digests)
    assert Series.objects.get(transmittal=row).state == Series.State.REFUSED
    assert incidents.is_contained(reported)
    # Scan, findings and what counts are as if they had never come.
    scan.refresh_from_db()
    assert scan.state == ScheduledScan.State.SCHEDULED
    gone = Series.objects.get(transmittal=row)
    assert not gone.counts
    assert not gone.findings.filter(is_current=True).exists()
    assert not Query.objects.filter(rule="injection-not-recorded").exclude(state="closed").exists()
    assert [one for one in storage_check.check() if one.store == "archive"] == []
    # Who was to measure it finds it gone, and leaves it so.
    with factories.framed():
        job = jobs.enqueue("imaging.quantify", actor=manager, series=row.series.get().pk)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, row.series.get().code) == (Job.State.DONE, Series.OF_ANOTHER)
    # Under the same UIDs nothing of it comes back, slices that were not sent before neither.
    back = sent(scan, [a_slice(dataset, n) for n in (1, 2, 4)], coordinator)
    assert (back.state, back.code) == (State.REJECTED, "removed-before")
    assert "under a new Series Instance UID" in back.message
    same_image = sent(scan, [a_slice(dataset, 1, SeriesInstanceUID="1.8")], coordinator)
    assert (same_image.state, same_image.code) == (State.REJECTED, "removed-before")
    # What is right comes again, for the same scan.
    again = sent(scan, [a_slice(dataset, n, SeriesInstanceUID="1.9") for n in (7, 8)], coordinator)
    assert again.state == State.ASSEMBLED


def test_what_waits_is_refused_by_containing_it(held, manager):
    found = held.privacy_incidents.get()
    incidents.contain(found, reason="two people", by=manager)
    worked(held)
    assert incidents.is_contained(found)
    with pytest.raises(Refused, match="held any more"):
        incidents.contain(found, reason="a second click", by=manager)
