"""Response on a page and over the API: for whom, with what behind each answer, and when empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.demo import response_run
from imaging.selectors import reads as selecting
from imaging.services import reads, response_answers
from tests import factories, records
from tests.imaging import responding
from tests.imaging.responding import CALM, Responding, of, work
from tests.imaging.test_reads import measure_again
from trials.roles import Role

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def arranged(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Responding]:
    """Two measured scans for all tests; what each adds is rolled back behind it."""
    folder = override_settings(STORAGE=tmp_path_factory.mktemp("storage"))
    with django_db_blocker.unblock(), folder, transaction.atomic():
        site = factories.make_site(factories.make_fdg_trial())
        made = responding.make_responding(site, by=records.everyone(site.trial))
        made.place_livers()
        yield made
        transaction.set_rollback(True)


@pytest.fixture
def scene(arranged, db) -> Responding:
    return arranged


@pytest.fixture
def judged(scene) -> Responding:
    scene.signed_baseline()
    scene.signed_later()
    work()
    return scene


@pytest.fixture
def as_role(client, scene):
    def log_in(role: Role):
        client.force_login(factories.make_user(role, trial=scene.trial))
        return client

    return log_in


def page_of(client, scene: Responding) -> str:
    return client.get(reverse("response_of_patient", args=[scene.patient.pk])).content.decode()


@pytest.mark.parametrize("role", [Role.MONITOR, Role.STATISTICIAN])
def test_the_page_says_why_and_leads_to_the_number_of_each_lesion(as_role, judged, role):
    client = as_role(role)
    text = page_of(client, judged)
    found = of("P")
    assert found.why in text
    assert "PERCIST 1.0, SUL by lean body mass (Janmahasatian)" in text
    assert found.inputs_sha256[:16] in text
    lesion = found.inputs["later"]["lesions"][0]
    address = reverse("derivation", args=[lesion["pk"], "suvpeak"])
    assert f'href="{address}"' in text
    assert client.get(address).status_code == 200
    liver = reverse("region_derivation", args=[found.inputs["later"]["liver"]["pk"], "suvmean"])
    assert f'href="{liver}"' in text
    assert "170 cm (recorded on the day of the scan)" in text


def test_the_picture_has_words_for_who_does_not_see_it(as_role, judged):
    text = page_of(as_role(Role.MONITOR), judged)
    assert 'role="img" aria-labelledby="trend-title trend-text"' in text
    assert "SUVmax, [18F]FDG" in text
    assert text.count("<polyline") == 2


def test_a_scan_without_a_lesion_is_in_the_picture_by_name(as_role, scene):
    scene.signed_baseline()
    read = reads.open_read(scene.later.series, by=scene.reader)
    for row in selecting.rows_of(read):
        reads.decide(
            row, by=scene.reader, decision="excluded", organ="bowel", reason="physiological"
        )
    reads.sign(read, by=scene.reader, password=factories.PASSWORD)
    text = page_of(as_role(Role.MONITOR), scene)
    assert text.count("2 scans, 1 of them without a lesion.") == 2
    assert 'class="trend-none"' in text
    assert ">no lesion</text>" in text


def test_without_a_baseline_read_the_page_says_so(as_role, scene):
    client = as_role(Role.MONITOR)
    assert "No read of this scan has been signed." in page_of(client, scene)
    scene.signed_later()
    work()
    text = page_of(client, scene)
    assert text.count("No baseline read has been signed by this reader.") == 2
    assert text.count("<strong>No baseline read has been signed.</strong>") == 2


def test_an_ended_response_says_why_it_ended(as_role, judged):
    measure_again(judged.later)
    text = page_of(as_role(Role.MONITOR), judged)
    assert "it is to be read again" in text
    assert "1 earlier evaluation" in text


def test_who_may_read_here_sees_nothing_of_it(client, judged):
    client.force_login(records.everyone(judged.trial))
    text = page_of(client, judged)
    assert "is not shown to you" in text
    assert of("P").why not in text
    assert "No patient to be judged" in client.get(reverse("responses")).content.decode()


@pytest.mark.parametrize("role", [Role.READER, Role.INVESTIGATOR, Role.COORDINATOR])
def test_readers_and_the_people_of_the_site_are_refused(as_role, judged, role):
    client = as_role(role)
    assert client.get(reverse("responses")).status_code == 403


def test_a_trial_without_a_scale_is_told_what_to_do(as_role, scene):
    version = scene.patient.site.version_in_force
    with factories.framed():
        version.definition = {}
        version.save()
    assert "Response is not checkable" in page_of(as_role(Role.MONITOR), scene)


def test_the_list_and_the_page_ask_as_often_for_two_readers_as_for_one(as_role, judged):
    client = as_role(Role.MONITOR)
    addresses = [reverse("responses"), reverse("response_of_patient", args=[judged.patient.pk])]

    def spent() -> list[int]:
        counts = []
        for address in addresses:
            with CaptureQueriesContext(connection) as captured:
                assert "PMR" in client.get(address).content.decode()
            counts.append(len(captured))
        return counts

    spent()
    one = spent()
    other = factories.make_user(Role.READER, trial=judged.trial)
    judged.signed(judged.baseline, by=other, liver_diseased="no")
    judged.signed(judged.later, by=other, **CALM)
    work()
    assert spent() == one


def test_a_reader_answers_by_the_form_and_signs_what_was_answered(client, scene):
    client.force_login(scene.reader)
    reads.open_read(scene.later.series, by=scene.reader)
    identifier = scene.later.series.reading_identifier
    address = reverse("reading_response", args=[identifier])
    text = client.get(address).content.decode()
    assert "Deauville score of the hottest residual uptake" in text
    names = [str(scene.patient), "2026-0", scene.patient.site.name]
    assert [one for one in names if one in text[text.index("<main") :]] == []
    assert client.post(address, {"deauville": "4", "new_lesion": "no"}).status_code == 302
    page = client.get(reverse("reading", args=[identifier])).content.decode()
    assert "4: moderately above the liver" in page
    assert page.count("not answered") == 7
    assert client.post(address, {"deauville": "9"}).status_code == 422


def recist_of(scene: Responding) -> None:
    """A rule of RECIST beside the others, on the same scans."""
    version = scene.patient.site.version_in_force
    rule = {"criterion": "recist", "confirmation_days": 28, "stable_days": 42}
    with factories.framed():
        version.definition["response"] = [{"identifier": "R", **rule, **responding.SCANS}]
        version.save()


def test_lesions_on_ct_go_from_the_form_to_the_response_and_each_length_to_its_read(client, scene):
    """20 to 13.9 mm is -30.5 %; a node of 16 mm is one by its short axis."""
    recist_of(scene)
    client.force_login(scene.reader)
    reads.open_read(scene.baseline.series, by=scene.reader)
    first, second = (
        reverse("reading_recist", args=[one.series.reading_identifier])
        for one in (scene.baseline, scene.later)
    )
    small = {"T1_region": "nodes_mesenteric", "T1_diameter_mm": "14", "N1_region": "liver"}
    text = client.post(first, small)
    assert text.status_code == 422
    assert "at least 15 mm (short axis of a lymph node), got 14 mm" in text.content.decode()
    listed = {"T1_region": "liver", "T1_diameter_mm": "20", "N1_region": "nodes_mesenteric"}
    assert client.post(first, listed).status_code == 302
    assert "20.0 mm" in client.get(first.removesuffix("recist/")).content.decode()
    reads.open_read(scene.later.series, by=scene.reader)
    # The lesions that are followed are those of the signed baseline.
    assert client.get(second).status_code == 409
    signed = scene.signed(scene.baseline)
    later = {"T1_state": "measured", "T1_diameter_mm": "13.9", "N1_state": "present"}
    assert "Liver" in client.get(second).content.decode()
    assert client.post(second, later).status_code == 302
    address = reverse("api_read_recist", args=[scene.later.series.reading_identifier])
    assert [(one["name"], one["diameter_mm"]) for one in client.get(address).json()] == [
        ("T1", 13.9),
        ("N1", None),
    ]
    scene.signed(scene.later, new_lesion_ct="no")
    work()
    found = of("R")
    assert (found.category, found.best) == ("PR", "SD")
    assert "sum of 13.9 mm, -30.5 % from baseline" in found.why
    assert reads.content_of(signed)["recist"][0]["diameter_mm"] == 20.0
    client.force_login(factories.make_user(Role.MONITOR, trial=scene.trial))
    page = page_of(client, scene)
    assert f'<a href="{reverse("read", args=[signed.pk])}#recist">20.0 mm</a>' in page
    assert "Best overall response so far:" in page
    assert "20.0 mm" in client.get(reverse("read", args=[signed.pk])).content.decode()


def test_lesions_of_recist_are_refused_where_no_rule_asks_for_them(client, scene):
    client.force_login(scene.reader)
    reads.open_read(scene.baseline.series, by=scene.reader)
    address = reverse("api_read_recist", args=[scene.baseline.series.reading_identifier])
    body = {"lesions": [{"name": "T1", "region": "liver", "state": "measured", "diameter_mm": 20}]}
    found = client.post(address, body, content_type="application/json")
    assert (found.status_code, found.json()["code"]) == (409, "no-recist")


def test_a_reader_answers_over_the_api(client, scene):
    client.force_login(scene.reader)
    reads.open_read(scene.baseline.series, by=scene.reader)
    address = reverse("api_read_response", args=[scene.baseline.series.reading_identifier])
    (asked,) = client.get(address).json()
    assert (asked["code"], asked["answer"]) == ("liver_diseased", "")
    body = {"answers": {"liver_diseased": "no"}}
    assert client.post(address, body, content_type="application/json").json()[0]["answer"] == "no"
    body = {"answers": {"deauville": "4"}}
    assert client.post(address, body, content_type="application/json").status_code == 422


def test_the_api_lists_what_stands_and_on_demand_what_stood(as_role, judged):
    client = as_role(Role.STATISTICIAN)
    address = reverse("api_responses")
    rows = client.get(address, {"patient": judged.patient.identifier}).json()["results"]
    assert {one["rule"]: one["category"] for one in rows} == {
        "P": "PMR",
        "E": "NE",
        "L": "PMR",
        "Q": "5",
    }
    percist = next(one for one in rows if one["rule"] == "P")
    assert percist["why"] == of("P").why
    measure_again(judged.later)
    assert client.get(address).json()["count"] == 0
    assert client.get(address, {"all": True}).json()["count"] == 4
    assert client.get(address, {"trial": "none"}).json()["count"] == 0


def test_the_demonstration_compares_scans_so_that_eortc_answers(scene, monkeypatch):
    monkeypatch.setattr(response_run, "PASSWORD", factories.PASSWORD)
    baseline, later = scene.signed_baseline(), scene.signed_later()
    response_run.compare([baseline, later], scene.reader)
    work()
    assert of("E").category in {"PMR", "SMD"}
    # Nothing is left: who says so answers all the same.
    read = reads.open_read(scene.later.series, by=scene.reader, reason="again")
    for row in selecting.rows_of(read):
        reads.decide(
            row, by=scene.reader, decision="excluded", organ="bowel", reason="physiological"
        )
    response_answers.say(read, {**CALM, "indistinguishable": "yes"}, by=scene.reader)
    reads.sign(read, by=scene.reader, password=factories.PASSWORD)
    response_run.compare([baseline, type(read).objects.get(pk=read.pk)], scene.reader)
    work()
    assert of("E").category == "CMR"
