"""The pages on which a reader compares two scans, and the paired table that comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from imaging.models import LesionComparison, LesionPair, Read
from imaging.services import comparisons
from tests import factories, records
from tests.factories import PASSWORD
from tests.imaging import comparing
from tests.imaging.comparing import TwoScans
from trials.roles import Role

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def arranged(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[TwoScans]:
    """Two scans and two signed reads for all tests; what each adds is rolled back behind it."""
    folder = override_settings(STORAGE=tmp_path_factory.mktemp("storage"))
    with django_db_blocker.unblock(), folder, transaction.atomic():
        site = factories.make_site(factories.make_trial())
        scans = comparing.make_two_scans(site, by=records.everyone(site.trial))
        scans.both_signed(region="liver")
        yield scans
        transaction.set_rollback(True)


@pytest.fixture
def scans(arranged, db) -> TwoScans:
    return arranged


@pytest.fixture
def reader(client, scans):
    client.force_login(scans.reader)
    return client


def begin(client, scans) -> str:
    """The address of a comparison that was just proposed."""
    first, second = Read.objects.filter(reader=scans.reader).order_by("pk")
    return client.post(f"/comparisons/new/{first.pk}/{second.pk}/").url


def test_a_reader_compares_from_the_list_to_the_signature(reader, scans):
    identifiers = [run.series.reading_identifier for run in (scans.first, scans.second)]
    text = reader.get("/comparisons/").content.decode()
    assert all(one in text for one in identifiers)
    assert "not begun" in text
    address = begin(reader, scans)
    text = reader.get(address).content.decode()
    assert "3 of 3 to be decided" in text
    assert text.count("autofocus") == 1
    assert reader.get(f"{address}sign/").content.decode().count("Not confirmed yet: 1, 2, 3.") == 1
    assert reader.post(address, {"confirm": "1"}).status_code == 302
    assert reader.post(address, {"act": "confirm", "pairs": ["2", "3"]}).status_code == 302
    assert "All are decided" in reader.get(address).content.decode()
    assert reader.post(f"{address}sign/", {"password": PASSWORD}).status_code == 302
    assert LesionComparison.objects.get().state == "signed"
    text = reader.get(address).content.decode()
    assert "<button" not in text[text.index('id="pairs-title"') :]
    assert "Compare again" in reader.get("/comparisons/").content.decode()


def test_a_shift_in_a_common_frame_is_recorded_whole_or_not_at_all(reader, scans):
    first, second = Read.objects.filter(reader=scans.reader).order_by("pk")
    address = f"/comparisons/new/{first.pk}/{second.pk}/"
    text = reader.get(address).content.decode()
    assert "share a frame of reference" in text
    assert "at least 25 % of the smaller lesion" in text
    half = reader.post(address, {"x_mm": "4", "y_mm": "0"})
    assert half.status_code == 422
    assert "A shift is x, y and z, and how it was found." in half.content.decode()
    whole = {"x_mm": "-4", "y_mm": "0", "z_mm": "0", "how": "head turned: skull laid on skull"}
    made = LesionComparison.objects.get(pk=reader.post(address, whole).url.split("/")[2])
    assert (made.shift["offset_mm"], made.shift_how) == ([-4.0, 0.0, 0.0], whole["how"])
    text = reader.get(f"/comparisons/{made.pk}/").content.decode()
    assert "after a recorded shift (-4.0, 0.0, 0.0 mm: head turned: skull laid on skull)" in text
    assert "the usual rule, itself proposed" in text


def test_a_page_of_a_comparison_names_no_patient_no_date_no_person(reader, scans):
    page = reader.get(begin(reader, scans)).content.decode()
    listed = reader.get("/comparisons/").content.decode()
    scan = scans.first.series.imaging_study.scheduled_scan
    names = [str(scan.patient), str(scans.site), scan.planned_at.date().isoformat(), "2026"]
    assert all(names)
    for text in (page[page.index("<main") :], listed[listed.index("<main") :]):
        assert scans.first.series.reading_identifier in text
        assert [name for name in names if name in text] == []


def test_pairs_are_taken_apart_and_joined_by_the_form(reader, scans):
    address = begin(reader, scans)
    both = LesionPair.objects.get(outcome="both")
    reader.post(address, {"apart": both.number})
    alone = LesionPair.objects.filter(status="confirmed").values_list("number", flat=True)
    assert len(alone) == 2
    reader.post(address, {"act": "join", "pairs": list(alone)})
    assert LesionPair.objects.get(outcome="both", status="confirmed").matched_by == "reader"


@pytest.mark.parametrize(
    "body",
    [{}, {"act": "confirm"}, {"act": "join", "pairs": ["1"]}, {"confirm": "x"}, {"apart": "99"}],
)
def test_a_form_that_says_nothing_usable_is_answered_beside_the_pairs(reader, scans, body):
    answer = reader.post(begin(reader, scans), body)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()


def test_another_reader_sees_nothing_of_it(client, reader, scans):
    address = begin(reader, scans)
    client.force_login(factories.make_user(Role.READER, trial=scans.site.trial, site=scans.site))
    answer = client.get(address)
    assert answer.status_code == 409
    assert scans.first.series.reading_identifier not in answer.content.decode()
    assert "Nothing to compare" in client.get("/comparisons/").content.decode()


def test_the_page_asks_as_often_for_three_pairs_as_for_one(
    reader, scans, django_assert_num_queries
):
    address = begin(reader, scans)
    with CaptureQueriesContext(connection) as three:
        reader.get(address)
    asked = len(three)
    numbers = list(LesionPair.objects.values_list("number", flat=True))
    reader.post(address, {"act": "join", "pairs": numbers})
    with django_assert_num_queries(asked):
        reader.get(address)


@pytest.fixture
def signed(scans) -> LesionComparison:
    """The comparison, signed as proposed."""
    reads_of = Read.objects.filter(reader=scans.reader).order_by("pk")
    made = comparisons.propose(*reads_of, by=scans.reader)
    comparisons.confirm(made, [1, 2, 3], by=scans.reader)
    comparisons.sign(made, by=scans.reader, password=PASSWORD)
    return made


@pytest.fixture
def statistician(client, scans):
    client.force_login(factories.make_user(Role.STATISTICIAN, trial=scans.site.trial))
    return client


def test_the_paired_table_counts_and_each_number_opens_its_lesions(statistician, scans, signed):
    text = statistician.get("/lesions/paired/").content.decode()
    assert "1 patient compared" in text
    alone = f"/derivations/lesion/{LesionPair.objects.get(outcome='first-only').first.lesion_id}/"
    other = f"/derivations/lesion/{LesionPair.objects.get(outcome='second-only').second.lesion_id}/"
    assert alone in text
    assert other in text
    text = statistician.get("/lesions/paired/?outcome=first-only&region=liver").content.decode()
    assert alone in text
    assert other not in text
    assert statistician.get(f"{alone}suvmax/").status_code == 200
    text = statistician.get("/lesions/paired/?of=patients&outcome=both").content.decode()
    patient = scans.first.series.imaging_study.scheduled_scan.patient
    assert f"Patients: {patient}." in text
    assert alone in text
    text = statistician.get("/lesions/paired/?of=patients&outcome=neither").content.decode()
    assert "No lesion." in text
    assert "No place of disease there" in text


def test_the_paired_table_over_the_api(statistician, scans, signed):
    (table,) = statistician.get("/api/v1/paired-lesions/").json()
    counts = {"both": 1, "first_only": 1, "second_only": 1, "neither": 0, "not_covered": 0}
    assert table["lesions"] == counts
    assert table["patients"] == dict.fromkeys(counts, 0) | {"both": 1}
    assert [one["region"] for one in table["regions"]] == ["liver"]
    assert [one["patients_without_place"] for one in table["regions"]] == [0]
    assert (table["first_tracer"], table["second_tracer"]) == ("[68Ga]Ga-Pentixafor", "[18F]FDG")
    assert statistician.get("/api/v1/paired-lesions/?trial=elsewhere").json() == []


def test_a_lesion_that_the_reader_called_negative_is_none_of_that_tracer(statistician, signed):
    pair = LesionPair.objects.get(outcome="both")
    with factories.framed():
        type(pair.second).objects.filter(pk=pair.second_id).update(positivity="negative")
    (table,) = statistician.get("/api/v1/paired-lesions/").json()
    assert (table["lesions"]["both"], table["lesions"]["first_only"]) == (0, 2)


def test_a_comparison_that_no_longer_stands_is_told_and_not_counted(statistician, scans, signed):
    with factories.framed():
        type(scans.first).objects.filter(pk=scans.first.pk).update(is_current=False)
    text = statistician.get("/lesions/paired/").content.decode()
    assert "1 signed comparison no longer counts" in text
    assert "Nothing compared yet" in text


def test_a_reader_compares_over_the_api(reader, scans):
    (two,) = reader.get("/api/v1/comparisons/").json()
    body = {"first": two["first"], "second": two["second"]}
    send = partial(reader.post, content_type="application/json")
    made = send("/api/v1/comparisons/", body).json()
    assert (made["state"], len(made["pairs"])) == ("draft", 3)
    (both,) = [one for one in made["pairs"] if one["outcome"] == "both"]
    address = f"/api/v1/comparisons/{made['id']}/"
    apart = send(f"{address}pairs/{both['number']}/apart/", {}).json()["pairs"]
    numbers = [one["number"] for one in apart if one["status"] == "confirmed"]
    joined = send(f"{address}join/", {"pairs": numbers}).json()["pairs"]
    placed = send(f"{address}pairs/{joined[-1]['number']}/region/", {"region": "spleen"}).json()
    assert placed["pairs"][-1]["region"] == "spleen"
    told = send(f"{address}sign/", {"password": PASSWORD})
    assert (told.status_code, told.json()["code"]) == (409, "comparison-not-complete")
    waiting = [one["number"] for one in placed["pairs"] if one["status"] == "proposed"]
    assert send(f"{address}confirm/", {"pairs": waiting}).json()["obstacles"] == []
    assert send(f"{address}sign/", {"password": PASSWORD}).json()["state"] == "signed"
    assert reader.get(address).json()["state"] == "signed"
    stretched = {"offset_mm": [0, 0, 0], "matrix": [[2, 0, 0], [0, 1, 0], [0, 0, 1]], "how": "x"}
    refused = send("/api/v1/comparisons/", body | {"shift": stretched})
    assert (refused.status_code, refused.json()["field"]) == (422, "shift")
