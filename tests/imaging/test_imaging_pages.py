"""The imaging pages: the ledger while it moves and when it stops, the series, the reading."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from imaging.models import ReceivedFile, ReferenceRegion, Series, Transmittal
from imaging.selectors import waiting
from tests import factories, records
from tests.factories import framed
from tests.records import Record
from trials.models import Site
from trials.roles import Role

pytestmark = pytest.mark.django_db

ADVICE = "This is not a DICOM file. Send the files as the scanner exports them."


@pytest.fixture(scope="module")
def arranged(kept) -> Record:
    site = factories.make_site(factories.make_trial())
    return records.make_record(site, by=records.everyone(site.trial))


@pytest.fixture
def record(arranged, db) -> Record:
    return records.read_anew(arranged)


@pytest.fixture
def site(record) -> Site:
    return record.site


def as_role(client, role, site):
    client.force_login(factories.make_user(role, trial=site.trial, site=site))
    return client


def make_transmittal(scan, *, state, refused=0):
    """A transmittal with files that all failed for the same reason."""
    sender = factories.make_user()
    with framed():
        made = Transmittal.objects.create(
            site=scan.patient.site, scheduled_scan=scan, state=state, sent_by=sender
        )
        for position in range(refused):
            ReceivedFile.objects.create(
                transmittal=made,
                position=position,
                sha256=f"{position:064x}",
                size=1,
                state=ReceivedFile.State.REJECTED,
                message=ADVICE,
            )
    return made


def test_files_that_failed_alike_stand_in_one_line(client, site, record):
    made = make_transmittal(record.scan, state="rejected", refused=3)
    page = as_role(client, Role.COORDINATOR, site).get(f"/transmittals/{made.pk}/")
    text = page.content.decode()
    assert text.count(ADVICE) == 1
    assert '<th scope="row">3</th>' in text
    assert "hx-get" not in text


def test_a_ledger_asks_again_while_the_images_move_and_answers_with_itself_alone(
    client, site, record
):
    made = make_transmittal(record.scan, state="received")
    as_role(client, Role.COORDINATOR, site)
    answer = client.get(f"/transmittals/{made.pk}/", headers={"HX-Request": "true"})
    text = answer.content.decode().strip()
    assert text.startswith('<div id="ledger"')
    assert f'hx-get="/transmittals/{made.pk}/" hx-trigger="every 1s"' in text


def test_an_upload_that_was_not_finished_is_told_on_the_pages_it_can_go_on_from(
    client, site, record
):
    """To anyone who may send its images, in any browser; not where nothing of it has come."""
    made = make_transmittal(record.scan, state="receiving", refused=2)
    pages = [f"/scans/{record.scan.pk}/", f"/scans/{record.scan.pk}/upload/"]
    as_role(client, Role.COORDINATOR, site)
    for page in pages:
        assert "was not finished: 2 files of it arrived." in client.get(page).content.decode()
    with framed():
        made.state = "received"
        made.save(update_fields=["state"])
    make_transmittal(record.scan, state="receiving")
    for page in pages:
        assert "was not finished" not in client.get(page).content.decode()


@pytest.mark.parametrize(
    ("state", "labels", "current"),
    [
        ("received", ["Received", "Inspected", "De-identified", "Assembled", "Measured"], 0),
        ("quarantined", ["Received", "Quarantined", "De-identified", "Assembled", "Measured"], 1),
        ("quantified", ["Received", "Inspected", "De-identified", "Assembled", "Measured"], 4),
    ],
)
def test_the_way_of_images_shows_where_they_stand_and_where_they_stopped(state, labels, current):
    from config.templatetags import ui

    steps = ui.way_of_images(state)
    assert [step["label"] for step in steps] == labels
    assert [step["is_current"] for step in steps].index(True) == current
    assert [step["is_stopped"] for step in steps].count(True) == (state == "quarantined")


def test_a_technologist_sees_a_series_without_its_numbers(client, site, record):
    address = f"/series/{record.run.series_id}/"
    assert "SUVmax" in as_role(client, Role.COORDINATOR, site).get(address).content.decode()
    text = as_role(client, Role.TECHNOLOGIST, site).get(address).content.decode()
    assert record.run.series.reading_identifier in text
    assert "SUVmax" not in text


def test_a_reading_names_neither_patient_nor_scan_day(client, site, record):
    reading = record.run.series.reading_identifier
    as_role(client, Role.READER, site)
    lesion = record.run.lesions.first()
    for address in (f"/reading/{reading}/", f"/derivations/lesion/{lesion.pk}/suvmax/"):
        text = client.get(address).content.decode()
        assert reading in text
        assert record.patient.identifier not in text
        assert f"/patients/{record.patient.pk}/" not in text
        assert f"{factories.NOON:%Y-%m-%d}" not in text


def test_a_reader_is_offered_the_series_that_counts_alone_and_another_says_so(client, site, record):
    counting = record.run.series
    other = records.make_measured(record.scan, by=records.everyone(site.trial))
    with factories.framed():
        Series.objects.filter(pk=other.series_id).update(counts=False)
        Series.objects.filter(pk=counting.pk).update(counts=True)
    as_role(client, Role.READER, site)
    listed = client.get("/reading/").content.decode()
    assert counting.reading_identifier in listed
    assert other.series.reading_identifier not in listed
    api = client.get("/api/v1/readings/").json()["results"]
    assert [one["reading_identifier"] for one in api] == [counting.reading_identifier]
    for series, is_told in ((counting, False), (other.series, True)):
        page = client.get(f"/reading/{series.reading_identifier}/").content.decode()
        assert ("Not to be read" in page) is is_told
        api = client.get(f"/api/v1/readings/{series.reading_identifier}/").json()
        assert api["counts"] is not is_told


def test_a_reader_places_a_region_and_a_place_outside_is_refused_at_its_field(client, site, record):
    address = f"/reading/{record.run.series.reading_identifier}/"
    as_role(client, Role.READER, site)
    x, y, z = record.run.lesions.first().centroid_mm
    words = {"kind": "blood_pool", "x_mm": x, "y_mm": y, "z_mm": z, "radius_mm": 8}
    outside = client.post(address, words | {"x_mm": 9000})
    assert outside.status_code == 422
    assert outside.context["form"].errors.keys() == {"x_mm"}
    assert client.post(address, words).status_code == 302
    placed = ReferenceRegion.objects.filter(
        quantification=record.run, status=ReferenceRegion.Status.PLACED, kind="blood_pool"
    )
    assert placed.count() == 1


def test_a_page_that_watched_images_into_quarantine_comes_back_with_the_decision(
    client, site, record
):
    made = make_transmittal(record.scan, state="quarantined")
    client.force_login(factories.make_user(Role.DATA_MANAGER, trial=site.trial))
    polled = client.get(f"/transmittals/{made.pk}/", headers={"HX-Request": "true"})
    assert polled["HX-Refresh"] == "true"
    assert "Record the decision" in client.get(f"/transmittals/{made.pk}/").content.decode()


def test_a_decision_needs_a_reason_and_the_right(client, site, record):
    made = make_transmittal(record.scan, state="quarantined")
    address = f"/transmittals/{made.pk}/decide/"
    answer = as_role(client, Role.COORDINATOR, site).post(address, {"release": "no", "reason": "x"})
    assert answer.status_code == 403
    as_role(client, Role.DATA_MANAGER, site)
    answer = client.post(address, {"release": "no"})
    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {"reason"}
    assert client.post(address, {"release": "no", "reason": "another patient"}).status_code == 302
    made.refresh_from_db()
    assert made.state == Transmittal.State.REJECTED


@pytest.mark.parametrize(
    ("state", "hours", "is_late"),
    [
        ("receiving", 23, False),
        ("receiving", 25, True),
        ("received", 2, True),
        ("quarantined", 71, False),
        ("quarantined", 73, True),
        ("quantified", 9999, False),
        ("rejected", 9999, False),
    ],
)
def test_what_stays_too_long_in_a_state_is_told(client, site, record, state, hours, is_late):
    made = make_transmittal(record.scan, state=state, refused=1)
    with framed():
        since = timezone.now() - timedelta(hours=hours)
        Transmittal.objects.filter(pk=made.pk).update(moved_at=since)
    seen = as_role(client, Role.COORDINATOR, site)
    ledger = seen.get("/transmittals/").content.decode()
    assert ('status-bad">Longer than it should' in ledger) is is_late
    listed = seen.get("/transmittals/?state=late").content.decode()
    assert (f'href="/transmittals/{made.pk}/"' in listed) is is_late
    opened = seen.get(f"/transmittals/{made.pk}/").content.decode()
    assert ("longer than it should" in opened) is is_late
    home = seen.get("/").content.decode()
    assert ("/transmittals/?state=late" in home) is True


def test_an_upload_that_was_opened_and_sent_nothing_is_not_late(site, record):
    made = make_transmittal(record.scan, state="receiving")
    with framed():
        Transmittal.objects.filter(pk=made.pk).update(moved_at=timezone.now() - timedelta(days=9))
    assert not waiting.late(Transmittal.objects.all()).exists()


@pytest.mark.parametrize(
    ("code", "is_offered"), [("burned-in-annotation", True), ("several-patients", False)]
)
def test_release_is_offered_where_somebody_may_release(client, site, record, code, is_offered):
    made = make_transmittal(record.scan, state="quarantined", refused=1)
    with framed():
        Transmittal.objects.filter(pk=made.pk).update(code=code)
    manager = as_role(client, Role.DATA_MANAGER, site)
    shown = manager.get(f"/transmittals/{made.pk}/").content.decode()
    assert ('value="yes"' in shown) is is_offered
    assert 'value="no"' in shown
    answer = manager.post(
        f"/transmittals/{made.pk}/decide/", {"release": "yes", "reason": "looks right"}
    )
    assert answer.status_code == (302 if is_offered else 422)
