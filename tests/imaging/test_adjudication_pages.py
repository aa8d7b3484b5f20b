"""Readers who differ on a page and over the API: blinded, settled, and told of the trial."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from imaging.models import Adjudication
from imaging.response.recist_lesions import RecistLesion
from imaging.selectors import adjudications as selecting
from imaging.services import adjudications, reads, recist_lesions, response_answers
from tests import factories
from tests.factories import PASSWORD
from tests.imaging.test_adjudications import (
    RULE,
    Scene,
    arranged,
    differ,
    letter_of,
    pet_site,
    read_as,
    scene,
    settled,
)
from trials.models import ProtocolVersion, User
from trials.roles import Role

__all__ = ["arranged", "pet_site", "scene"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage_as_kept")]


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def begun(scene: Scene) -> tuple[Client, str]:
    client = as_user(scene.third)
    address = f"/reading/{scene.series.reading_identifier}/adjudicate/"
    client.post(f"{address}begin/")
    return client, address


def test_a_third_reader_finds_the_task_settles_it_and_it_is_gone(scene):
    _, other = differ(scene)
    client, address = begun(scene)
    listed = client.get("/reading/").content.decode()
    assert "Readers differ" in listed
    assert address in listed
    # It has its readers: nothing is left to read apart.
    assert f'href="{address.removesuffix("adjudicate/")}"' not in listed
    (row,) = Adjudication.objects.all()
    words = {"choice": letter_of(row, other), "reason": "no focal uptake", "password": PASSWORD}
    assert client.post(address, words).status_code == 302
    assert "Settled" in client.get(address).content.decode()
    assert "Readers differ" not in client.get("/reading/").content.decode()
    assert scene.counted().source_pk == other.pk


def test_the_page_names_no_reader_no_day_and_nobody_else(scene):
    one, other = differ(scene)
    client, address = begun(scene)
    page = client.get(address).content.decode()
    main = page[page.index("<main") :]
    assert "Reader A" in main
    assert "Reader B" in main
    patient = scene.scan.patient
    for hidden in (scene.first, scene.second, patient, patient.site.name, f"{one.signed_at:%Y-%m}"):
        assert str(hidden) not in main
    picture = client.get(f"{address}A/5.png")
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/png")
    assert client.get(f"{address}C/5.png").status_code == 404
    # The page of a signed read is for those whom findings are shown.
    assert client.get(f"/reads/{other.pk}/").status_code in {403, 404}


def test_who_settles_sees_what_each_answered_on_response_and_measured_on_ct(scene):
    scans = {"tracer": "PTF", "baseline": "scan_ptf", "follow_ups": ["later"], "source": ["A"]}
    rules = [
        {"identifier": "P", "criterion": "percist", "lean_mass": "LBMJANMA", **scans},
        {"identifier": "R", "criterion": "recist", "confirmation_days": 28, "stable_days": 42}
        | scans,
    ]
    with factories.framed():
        ProtocolVersion.objects.update(definition={"reads": RULE, "response": rules})
    for by, answer, length in ((scene.first, "no", 21.0), (scene.second, "yes", 24.0)):
        draft = reads.open_read(scene.series, by=by)
        response_answers.say(draft, {"liver_diseased": answer}, by=by)
        recist_lesions.record(draft, [RecistLesion("T1", "liver", "measured", length)], by=by)
        read_as(scene, by, lesion=by == scene.first)
    client, address = begun(scene)
    page = client.get(address)
    sides = {one.letter: one.read.reader for one in selecting.sides(Adjudication.objects.get())}
    of_reader = {scene.first: ("No", "21.0 mm"), scene.second: ("Yes", "24.0 mm")}
    expected = [of_reader[sides[letter]] for letter in "AB"]
    ((_, said, differs),) = page.context["answers"]
    assert (said, differs) == ([answer for answer, _ in expected], True)
    (lesion,) = page.context["recist"].rows
    assert list(lesion.found) == [length for _, length in expected]
    for text in ("The liver is diseased", "21.0 mm", "24.0 mm", "Sum of the targets"):
        assert text in page.content.decode()


def test_a_wrong_password_signs_nothing_and_is_told_beside_the_field(scene):
    differ(scene)
    client, address = begun(scene)
    answer = client.post(address, {"choice": "A", "reason": "focal", "password": "wrong"})
    assert answer.status_code == 422
    assert "This is not your password" in answer.content.decode()
    assert Adjudication.objects.get().state == "begun"


def test_over_the_api_it_is_begun_seen_and_signed(scene):
    one, _ = differ(scene, region="waldeyer")
    client = as_user(scene.third)
    reading = scene.series.reading_identifier
    (task,) = client.get("/api/v1/adjudications/").json()
    assert task == {
        "reading_identifier": reading,
        "kind": "third-reader",
        "state": "not_begun",
        "is_anothers": False,
    }
    address = f"/api/v1/readings/{reading}/adjudication/"
    assert client.get(address).json()["code"] == "adjudication-not-begun"
    seen = client.post(address).json()
    assert [each["letter"] for each in seen["reads"]] == ["A", "B"]
    (pair,) = seen["differing"]
    assert [each["question"] for each in pair["differences"]] == [
        "Number of lesions",
        "Scan",
        "Waldeyer's ring",
    ]
    letter = letter_of(Adjudication.objects.get(), one)
    words = {"choice": letter, "reason": "focal uptake", "password": PASSWORD}
    told = client.post(f"{address}sign/", words, content_type="application/json").json()
    assert (told["state"], told["chosen"]) == ("signed", letter)


def test_a_monitor_sees_on_a_read_whether_it_counts_and_what_is_void(scene):
    one, other = differ(scene)
    settled(scene, other)
    client = as_user(factories.make_user(Role.MONITOR, trial=scene.scan.patient.trial))
    page = client.get(f"/reads/{other.pk}/").content.decode()
    assert "This is the read that counts for the scan." in page
    assert "focal uptake in segment IV" in page
    assert "Another read counts for the scan." in client.get(f"/reads/{one.pk}/").content.decode()
    read_as(scene, scene.first, lesion=False, reason="saw the CT")
    assert "Void since" in client.get(f"/reads/{one.pk}/").content.decode()
    patient = client.get(f"/patients/{scene.scan.patient.pk}/").content.decode()
    assert "Two readers agree: the read signed first counts." in patient


def test_how_readers_agree_is_counted_for_those_who_see_several(scene):
    _, other = differ(scene)
    settled(scene, other)
    client = as_user(factories.make_user(Role.STATISTICIAN, trial=scene.scan.patient.trial))
    counts = client.get("/api/v1/reader-agreement/").json()
    assert [(one["question"], one["asked"], one["alike"], one["differing"]) for one in counts] == [
        ("lesion-number", 1, 0, 1),
        ("region", 1, 0, 1),
        ("scan", 1, 0, 1),
    ]
    (row,) = client.get("/api/v1/counted-reads/").json()["results"]
    assert (row["basis"], row["read"]) == ("adjudicated", other.pk)
    answers = client.get("/api/v1/reader-answers/").json()["results"]
    assert [(one["first_answer"], one["second_answer"]) for one in answers] == [
        ("1", "0"),
        ("positive", "negative"),
        ("positive", "negative"),
    ]


def test_another_reader_takes_over_by_the_page_or_the_api(scene):
    differ(scene)
    adjudications.begin(scene.series, by=scene.third)
    trial = scene.scan.patient.trial
    fourth, fifth = (factories.make_user(Role.READER, trial=trial) for _ in range(2))
    reading = scene.series.reading_identifier
    path = reverse("adjudication_take_over", args=[reading])
    page = as_user(fourth)
    assert path in page.get(reverse("reading_list")).content.decode()
    answer = page.post(path, {"reason": "on sick leave"})
    assert answer.url == reverse("adjudication", args=[reading])
    assert page.get(answer.url).status_code == 200
    assert as_user(scene.third).get(answer.url).status_code == 409
    api = as_user(fifth)
    made = api.post(
        f"/api/v1/readings/{reading}/adjudication/take-over/",
        {"reason": "the same again"},
        content_type="application/json",
    )
    assert made.status_code == 201
    assert Adjudication.objects.filter(state="void").count() == 2
    assert Adjudication.objects.get(state="begun").adjudicator == fifth
