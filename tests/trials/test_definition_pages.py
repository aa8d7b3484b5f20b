"""Loading a trial file by its page, and getting it back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from tests import factories
from trials.models import Site, Trial
from trials.roles import Role
from trials.services import jobs, protocols

pytestmark = pytest.mark.django_db
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
CHANGED = DEMO.replace("value: 18", "value: 21")


@pytest.fixture
def trial():
    return protocols.load_trial(DEMO, by=jobs.system_user()).trial


@pytest.fixture
def send(client, trial):
    client.force_login(factories.make_user(Role.DATA_MANAGER, trial=trial))

    def post(text, shown=""):
        return client.post(reverse("trial_upload"), {"text": text, "shown": shown})

    return post


def test_a_file_is_shown_before_it_is_loaded_and_loaded_as_it_was_shown(send, trial):
    shown = send(CHANGED)
    assert "Criterion I1, expression: was" in shown.content.decode()
    assert trial.versions.count() == 1
    loaded = send(CHANGED, shown.context["shown"])
    assert loaded.url == reverse("trial", args=["DEMO"])
    assert trial.versions.count() == 2


def test_what_is_not_what_was_shown_is_shown_again(send, trial):
    shown = send(CHANGED).context["shown"]
    other = send(CHANGED.replace("value: 21", "value: 25"), shown)
    assert "changed since you looked" in other.content.decode()
    protocols.load_trial(DEMO.replace("value: 18", "value: 19"), by=jobs.system_user())
    moved = send(CHANGED, shown)
    assert "changed since you looked" in moved.content.decode()
    assert trial.versions.count() == 2


def test_a_file_with_something_to_mend_shows_each_line(send, trial):
    answer = send(DEMO.replace("var: ecog", "var: ecgo"))
    assert answer.status_code == 422
    said = answer.content.decode()
    assert "there is no variable &#x27;ecgo&#x27;" in said
    assert "var: ecgo" in said
    assert trial.versions.count() == 1


def test_a_file_that_is_no_utf_8_says_so(client, send):
    file = SimpleUploadedFile("trial.yaml", "größer".encode("latin-1"))
    answer = client.post(reverse("trial_upload"), {"file": file})
    assert answer.status_code == 422
    assert "Save it as UTF-8" in answer.content.decode()


def test_the_same_file_comes_back_by_page_api_and_command(client, send, trial, tmp_path):
    by_page = client.get(reverse("trial_file", args=["DEMO", 1])).content.decode()
    by_api = client.get("/api/v1/trials/DEMO/versions/1/file/").content.decode()
    call_command("export_trial", "DEMO", output=tmp_path / "back.yaml")
    assert by_page == by_api == (tmp_path / "back.yaml").read_text() == DEMO
    assert send(by_page).context["changes"] == []


def test_usdm_and_schema_are_handed_out(client, send):
    study = json.loads(client.get(reverse("trial_usdm", args=["DEMO", 1])).content)
    assert study["usdmVersion"] == "4.0.0"
    schema = json.loads(client.get(reverse("trial_schema")).content)
    assert schema["title"] == "TrialTrace trial file"


def test_sites_that_a_file_names_come_with_it_and_follow_it(trial):
    sites = Site.objects.filter(trial=trial).order_by("code")
    assert [one.code for one in sites] == ["101", "102", "103"]
    assert {one.version_in_force for one in sites} == {trial.newest_version}
    assert [one.language for one in sites[0].consent_versions.order_by("language")] == ["de", "en"]
    protocols.load_trial(CHANGED, by=jobs.system_user())
    assert Site.objects.filter(trial=trial).count() == 3
    assert {one.version_in_force.number for one in sites} == {1}


def test_cohorts_visits_and_consent_forms_are_rows_too(trial):
    version = Trial.objects.get(pk=trial.pk).newest_version
    assert {one.identifier: one.cap for one in version.cohorts.all()} == {
        "LYMPHOMA": 40,
        "SOLID": 5,
    }
    visit = version.planned_visits.get(identifier="PET2")
    assert (visit.anchor, visit.target, visit.earliest) == ("visit.PET1", "P3D", "P1D")
    scan = version.planned_scans.get(identifier="fdg")
    assert (scan.visit.identifier, scan.coverage) == ("PET2", "Skull base to mid-thigh")
    assert scan.reference_regions == ["blood_pool", "liver"]


def test_the_page_of_a_trial_lists_its_forms_and_who_states_them(client):
    text = (Path(protocols.SCHEMA).parent / "definitions" / "NCT06246357.yaml").read_text()
    row = protocols.load_trial(text, by=jobs.system_user()).trial
    client.force_login(factories.make_user(Role.DATA_MANAGER, trial=row))
    answer = client.get(reverse("trial", args=[row.identifier]))
    forms = {one["label"]: one for one in answer.context["forms"]}
    assert len(forms) == 19
    # The registry names vital signs around the injection, and a contact three days after it.
    stated = {label for label, one in forms.items() if not one["is_proposed"]}
    assert stated == {"Vital signs around the injection", "Follow-up after the injection"}
    assert all(forms[label]["marks"] == ["F1"] for label in stated)
    assert forms["Truth of the patient by the panel"]["who"] == "truth panel"
    page = " ".join(answer.content.decode().split("Case report forms</h2>")[1].split())
    assert "Heart rate, blood pressure and respiration before, during and after" in page
    assert "Proposed, confirm with the protocol</span>" in page
