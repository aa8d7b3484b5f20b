"""The API: who may log in, one shape of every error, a patient's way, uploads at their edges."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from imaging import storage
from imaging.services import receiving
from tests import factories, records
from tests.factories import NOON
from trials.models import ApiToken, Deviation, Patient, User
from trials.roles import Role
from trials.services import accounts, jobs, protocols

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[1]
API = "/api/v1"
PASSWORD = "gallium-68-decays-in-68-min"


@pytest.fixture(autouse=True)
def fresh_counts():
    """Throttles count in the cache, which outlives a test."""
    cache.clear()


@pytest.fixture
def site():
    return factories.make_site(factories.make_trial())


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def client(coordinator):
    return logged_in(coordinator)


@pytest.fixture
def scan(site, coordinator):
    return factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)


@pytest.fixture
def account():
    return accounts.create_user(
        username="clara", password=PASSWORD, full_name="Clara C", by=jobs.system_user()
    )


def logged_in(user) -> APIClient:
    """A client whose every request carries a token of `user`."""
    token, _ = accounts.issue_token(user, label="test")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def log_in(username: str, password: str):
    return APIClient().post(f"{API}/tokens/", {"username": username, "password": password})


def problem(response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


# Tokens


def test_a_password_gives_a_token_and_the_token_opens_the_api(account):
    token = log_in("clara", PASSWORD).json()["token"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert client.get(f"{API}/me/").json()["username"] == "clara"


@pytest.mark.requirement("R36")
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(account):
    wrong, unknown = log_in("clara", "no" * 8), log_in("nobody", PASSWORD)
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content


def test_an_inactive_account_gets_the_answer_of_a_wrong_password(account):
    with factories.framed():
        account.is_active = False
        account.save(update_fields=["is_active"])
    assert log_in("clara", PASSWORD).content == log_in("nobody", PASSWORD).content


@pytest.mark.requirement("R34")
def test_a_token_ends_with_its_account(account):
    client = logged_in(account)
    assert client.get(f"{API}/me/").status_code == 200
    with factories.framed():
        account.is_active = False
        account.save(update_fields=["is_active"])
    assert client.get(f"{API}/me/").status_code == 401


def test_an_expired_token_is_refused(account):
    client = logged_in(account)
    with factories.framed():
        ApiToken.objects.filter(user=account).update(expires_at=timezone.now())
    response = client.get(f"{API}/me/")
    assert problem(response) == (401, "authentication-failed")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.requirement("R34")
def test_a_token_ended_by_its_user_is_refused_from_then_on(account):
    client, other = logged_in(account), logged_in(account)
    assert client.delete(f"{API}/tokens/current/").status_code == 204
    assert client.get(f"{API}/me/").status_code == 401
    assert other.get(f"{API}/me/").status_code == 200


def test_a_session_has_no_token_to_end(coordinator):
    client = APIClient()
    client.force_login(coordinator)
    assert problem(client.delete(f"{API}/tokens/current/")) == (409, "no-token")


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer \xe9", "bearer unknown"])
def test_a_token_that_is_none_is_refused(header):
    response = APIClient().get(f"{API}/me/", HTTP_AUTHORIZATION=header)
    assert problem(response) == (401, "authentication-failed")


@pytest.mark.requirement("R36")
def test_five_wrong_passwords_lock_even_the_right_one_out(account):
    for _ in range(5):
        log_in("clara", "guess" * 3)
    response = log_in("clara", PASSWORD)
    assert problem(response) == (429, "throttled")
    assert response["Retry-After"] == "900"


@pytest.mark.requirement("R36")
def test_log_ins_of_many_names_are_throttled():
    statuses = [log_in(f"name{n}", "guess").status_code for n in range(21)]
    assert statuses == [401] * 20 + [429]


def test_the_token_is_kept_as_a_digest_alone(account):
    token = log_in("clara", PASSWORD).json()["token"]
    assert ApiToken.objects.get(user=account).digest == hashlib.sha256(token.encode()).hexdigest()


def test_me_names_the_roles_held_today(site, client):
    assert client.get(f"{API}/me/").json()["roles"] == [
        {
            "role": "coordinator",
            "label": "Coordinator",
            "trial": site.trial.identifier,
            "site": site.code,
            "starts_on": "2026-01-01",
            "ends_on": None,
        }
    ]


# Errors


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("get", "/nowhere/", None, (404, "not-found")),
        ("post", "/nowhere", None, (404, "not-found")),
        ("get", "/patients/999999/", None, (404, "not-found")),
        ("get", f"/patients/{10**30}/", None, (404, "not-found")),
        ("get", "/trials/%00/", None, (404, "not-found")),
        ("delete", "/patients/", None, (405, "method-not-allowed")),
        ("options", "/patients/", None, (405, "method-not-allowed")),
        ("post", "/patients/", b'{"site":', (400, "malformed")),
        ("post", "/patients/", b'{"site": NaN}', (400, "malformed")),
        ("post", "/patients/", b"[" * 100_000, (400, "malformed")),
        ("post", "/patients/", b"\xff\xfe", (400, "malformed")),
        ("post", "/patients/", b"[]", (422, "invalid")),
        ("post", "/patients/", b"{}", (422, "invalid")),
        ("get", "/queries/?patient=abc", None, (422, "invalid")),
        ("get", "/audit/?row=%00", None, (403, "forbidden")),
        ("post", "/patients/", b" " * (4 * 2**20 + 1), (413, "too-big")),
    ],
)
def test_every_refusal_is_json_with_a_code(client, method, path, body, expected):
    response = client.generic(method.upper(), API + path, body or b"", "application/json")
    assert response["Content-Type"] == "application/json"
    assert problem(response) == expected


def test_another_content_type_is_refused(client):
    response = client.generic("POST", f"{API}/patients/", b"site=1", "text/plain")
    assert problem(response) == (415, "unsupported-media-type")


@pytest.mark.requirement("R44")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"CONTENT_LENGTH": f"{2**40}"}, (413, "too-big")),
        ({"CONTENT_LENGTH": "9" * 5000}, (413, "too-big")),
        ({"HTTP_CONTENT_ENCODING": "gzip"}, (415, "unsupported-encoding")),
    ],
    ids=["length", "number", "gzip"],
)
def test_a_body_that_nobody_reads_is_refused_before_it_is_read(client, headers, expected):
    path = f"{API}/transmittals/1/files/"
    kind = "multipart/form-data; boundary=edge"
    assert problem(client.generic("POST", path, b"", kind, **headers)) == expected
    # Of pages and before anybody logged in: the token of a form would be looked for in it.
    page = Client(enforce_csrf_checks=True).generic("POST", "/login/", b"", kind, **headers)
    assert (page.status_code, page["Content-Type"]) == (expected[0], "text/html; charset=utf-8")


def test_a_fault_is_answered_without_its_trace(scan, coordinator):
    """A picture whose file is gone from the archive."""
    picture = records.make_measured(scan, by=coordinator).pictures.get()
    storage.archive.remove(picture.sha256)
    client = logged_in(factories.make_user(Role.READER, trial=scan.patient.trial))
    client.raise_request_exception = False
    response = client.get(f"{API}/pictures/{picture.pk}/")
    assert problem(response) == (500, "server-error")
    assert "Traceback" not in response.content.decode()


def test_a_refusal_of_the_rules_carries_its_code(client, scan):
    body = {"planned_scan": scan.planned_scan_id, "planned_at": "2026-03-02T12:00Z"}
    response = client.post(f"{API}/patients/{scan.patient_id}/scans/", body)
    assert problem(response) == (409, "already-scheduled")


def test_who_explained_the_trial_is_a_user_of_the_site_or_named(client, scan, coordinator):
    path = f"{API}/patients/{scan.patient_id}/consents/"
    form = scan.patient.site.consent_versions.first()
    given = {
        "version": form.version,
        "language": form.language,
        "signed_at": "2026-03-01",
        "signatory": "patient",
    }
    nobody = client.post(path, given)
    assert (nobody.status_code, nobody.json()["field"]) == (422, "obtained_by")
    stranger = client.post(path, given | {"obtained_by_user": factories.make_user().pk})
    assert (stranger.status_code, stranger.json()["field"]) == (422, "obtained_by_user")
    with factories.framed():
        coordinator.delegations.update(starts_on="2026-03-02")
    made = client.post(path, given | {"obtained_by_user": coordinator.pk}).json()
    assert (made["obtained_by"], made["obtained_by_user"]) == (str(coordinator), coordinator.pk)
    deviation = Deviation.objects.get(rule="consent-without-delegation")
    assert deviation.values["found"] == str(coordinator)


def test_a_scan_gets_another_time_with_a_reason_and_not_without(client, scan):
    path = f"{API}/scans/{scan.pk}/reschedule/"
    when = {"planned_at": "2026-03-05T09:30+01:00"}
    refused = client.post(path, when)
    assert (refused.status_code, refused.json()["field"]) == (422, "reason")
    moved = client.post(path, when | {"reason": "glucose too high"}).json()
    assert datetime.fromisoformat(moved["planned_at"]) == datetime(2026, 3, 5, 8, 30, tzinfo=UTC)


def test_a_screening_ends_once_and_nothing_is_recorded_after_it(client, site, coordinator):
    path = f"{API}/patients/{factories.make_patient(site, by=coordinator).pk}"
    ended = client.post(f"{path}/end-screening/", {"reason": "eGFR 22"})
    assert (ended.status_code, ended.json()["state"]) == (200, "screen_failed")
    again = client.post(f"{path}/end-screening/", {"reason": "eGFR 22"})
    assert problem(again) == (409, "not-in-screening")
    late = client.post(f"{path}/evidence/", fact("weight", 70, "kg", "2026-03-02"))
    assert problem(late) == (409, "screening-ended")


def test_a_shape_that_is_wrong_names_every_field(client, scan):
    body = {"assayed_activity_mbq": "nan", "assayed_at": "2026-03-02T12:00", "weight_kg": "heavy"}
    response = client.post(f"{API}/scans/{scan.pk}/injection/", body)
    assert response.status_code == 422
    found = response.json()
    assert found["field"] == "assayed_activity_mbq"
    assert found["errors"] == {
        "assayed_activity_mbq": ["A valid number is required."],
        "assayed_at": ["Give the time with its zone, as 2026-03-02T08:15+01:00."],
        "injected_at": ["This field is required."],
        "weight_kg": ["A valid number is required."],
    }


def test_a_value_the_service_refuses_names_its_field(client, site):
    body = {"site": site.pk, "sex_at_birth": "X", "birth": "1961"}
    response = client.post(f"{API}/patients/", body)
    assert (response.status_code, response.json()["field"]) == (422, "sex_at_birth")


@pytest.mark.parametrize(
    "value",
    [
        [{"name": "a\0b"}],
        {"a\0b": 1},
        "\ud800",
        json.loads("[" * 50 + "]" * 50),
    ],
    ids=["NUL", "NUL in a key", "half a character", "deep"],
)
def test_values_the_database_cannot_keep_are_refused(client, scan, value):
    body = {
        "variable": "therapy.anticancer",
        "value": value,
        "observed_at": "2026",
        "is_study_specific": False,
        "source": "medication history",
    }
    path = f"{API}/patients/{scan.patient_id}/evidence/"
    response = client.generic("POST", path, json.dumps(body), "application/json")
    assert (response.status_code, response.json()["field"]) == (422, "value")


@pytest.mark.parametrize("table", ["trials_user", "trials_apitoken", "trials_trial", "no_table"])
def test_a_query_is_about_a_row_of_a_patient_and_no_other_table(site, table):
    monitor = logged_in(factories.make_user(Role.MONITOR, trial=site.trial))
    body = {"subject_table": table, "subject_pk": 1, "text": "why?"}
    response = monitor.post(f"{API}/queries/", body)
    assert (response.status_code, response.json()["field"]) == (422, "subject_table")


# Sessions


@pytest.mark.requirement("R39")
def test_a_session_writes_only_with_its_csrf_token(coordinator, site):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(coordinator)
    body = {"site": site.pk, "sex_at_birth": "F", "birth": "1961"}
    refused = browser.post(f"{API}/patients/", body, content_type="application/json")
    assert problem(refused) == (403, "forbidden")
    assert not site.patients.exists()


def test_a_session_with_its_csrf_token_writes(coordinator, site):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(coordinator)
    browser.cookies["csrftoken"] = "c" * 32
    body = {"site": site.pk, "sex_at_birth": "F", "birth": "1961"}
    response = browser.post(
        f"{API}/patients/",
        body,
        content_type="application/json",
        headers={"X-CSRFToken": "c" * 32},
    )
    assert response.status_code == 201
    assert site.patients.get().birth == "1961"


# Uploads


@pytest.fixture
def upload(client, scan):
    """The path of a transmittal being received."""
    opened = client.post(f"{API}/scans/{scan.pk}/transmittals/")
    assert opened.status_code == 201
    return f"{API}/transmittals/{opened.json()['id']}/"


def send(client, path, *contents: bytes):
    files = [SimpleUploadedFile(f"{n}.dcm", content) for n, content in enumerate(contents)]
    return client.post(f"{path}files/", {"files": files}, format="multipart")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.requirement("R78")
def test_files_arrive_in_parts_and_only_the_missing_ones_are_asked_for(client, upload):
    assert send(client, upload, b"one", b"two").json() == {"received": 2}
    wanted = [sha256(b"one"), sha256(b"three"), sha256(b"three"), sha256(b"two")]
    asked = client.post(f"{upload}missing/", {"sha256s": wanted})
    assert asked.json() == {"missing": [sha256(b"three")], "held": 2}


@pytest.mark.parametrize(
    ("state", "is_known"),
    [("released", True), ("accepted", True), ("quarantined", True), ("rejected", False)],
)
def test_what_was_sent_for_a_scan_before_is_not_asked_for_again(
    client, scan, upload, state, is_known
):
    send(client, upload, b"one")
    with factories.framed():
        row = scan.transmittals.get()
        row.files.update(state=state)
        scan.transmittals.update(state="released")
    again = client.post(f"{API}/scans/{scan.pk}/transmittals/").json()["id"]
    asked = client.post(
        f"{API}/transmittals/{again}/missing/", {"sha256s": [sha256(b"one")]}
    ).json()
    assert asked == {"missing": [] if is_known else [sha256(b"one")], "held": 0}


def test_what_was_refused_beside_released_images_is_not_asked_for_again(client, scan, upload):
    send(client, upload, b"image", b"letter")
    with factories.framed():
        row = scan.transmittals.get()
        row.files.filter(sha256=sha256(b"image")).update(state="released")
        row.files.filter(sha256=sha256(b"letter")).update(state="rejected")
        scan.transmittals.update(state="released")
    again = client.post(f"{API}/scans/{scan.pk}/transmittals/").json()["id"]
    digests = [sha256(b"image"), sha256(b"letter")]
    asked = client.post(f"{API}/transmittals/{again}/missing/", {"sha256s": digests}).json()
    assert asked == {"missing": [], "held": 0}


def test_what_was_sent_for_another_scan_is_asked_for(client, scan, upload, site, coordinator):
    send(client, upload, b"one")
    other = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
    path = client.post(f"{API}/scans/{other.pk}/transmittals/").json()["id"]
    asked = client.post(f"{API}/transmittals/{path}/missing/", {"sha256s": [sha256(b"one")]})
    assert asked.json()["missing"] == [sha256(b"one")]


def test_an_upload_opened_twice_is_the_same(client, scan, upload):
    again = client.post(f"{API}/scans/{scan.pk}/transmittals/").json()["id"]
    assert upload == f"{API}/transmittals/{again}/"


def test_the_same_file_sent_twice_is_kept_once(client, upload):
    send(client, upload, b"one", b"one")
    send(client, upload, b"one")
    assert client.get(upload).json()["files"] == {"received": 1}


def test_an_empty_file_is_kept_for_the_inspection_to_refuse(client, upload):
    assert send(client, upload, b"").json() == {"received": 1}
    files = client.get(f"{upload}files/").json()["results"]
    assert [(file["sha256"], file["size"]) for file in files] == [(sha256(b""), 0)]


def test_an_upload_without_files_is_refused(client, upload):
    response = client.post(f"{upload}files/", {"other": "x"}, format="multipart")
    assert (response.status_code, response.json()["field"]) == (422, "files")


def test_a_text_field_is_no_file(client, upload):
    response = client.post(f"{upload}files/", {"files": "text"}, format="multipart")
    assert response.status_code == 422


def test_a_file_above_the_limit_is_refused(client, upload, monkeypatch):
    monkeypatch.setattr(receiving, "MAXIMUM_FILE_BYTES", 10)
    assert send(client, upload, b"x" * 10).status_code == 200
    response = send(client, upload, b"x" * 11)
    assert (response.status_code, response.json()["field"]) == (422, "files")


def test_more_files_than_a_batch_holds_are_refused_as_json(client, upload):
    response = send(client, upload, *[b"%d" % n for n in range(201)])
    assert problem(response) == (400, "malformed")


def test_json_instead_of_files_is_refused(client, upload):
    response = client.post(f"{upload}files/", {"files": []}, format="json")
    assert problem(response) == (415, "unsupported-media-type")


def test_a_broken_multipart_body_is_refused(client, upload):
    response = client.generic("POST", f"{upload}files/", b"--x", "multipart/form-data")
    assert problem(response) == (400, "malformed")


def test_an_upload_is_complete_with_files_alone(client, upload):
    assert problem(client.post(f"{upload}complete/")) == (409, "no-files")


def test_after_completion_nothing_more_is_received(client, upload):
    send(client, upload, b"one")
    completed = client.post(f"{upload}complete/").json()
    assert (completed["state"], completed["job"]["state"]) == ("received", "queued")
    assert problem(send(client, upload, b"two")) == (409, "not-receiving")
    assert client.post(f"{upload}complete/").status_code == 200


def test_a_transmittal_of_another_site_does_not_exist(upload, site):
    elsewhere = factories.make_site(site.trial)
    stranger = logged_in(factories.make_user(Role.COORDINATOR, trial=site.trial, site=elsewhere))
    assert problem(send(stranger, upload, b"one")) == (404, "not-found")
    assert problem(stranger.get(upload)) == (404, "not-found")


def test_a_name_that_carries_a_patient_is_not_kept(client, upload):
    named = SimpleUploadedFile("DOE^JANE.dcm", b"one")
    client.post(f"{upload}files/", {"files": [named]}, format="multipart")
    shown = client.get(upload).content + client.get(f"{upload}files/").content
    assert b"DOE" not in shown


def test_nothing_is_uploaded_for_a_patient_who_withdrew(client, scan, upload, coordinator):
    with factories.framed():
        scan.patient.state = Patient.State.WITHDRAWN
        scan.patient.save(update_fields=["state"])
    response = client.post(f"{API}/scans/{scan.pk}/transmittals/")
    assert problem(response) == (409, "withdrawn")


# Lists


def listed(client, path: str, **parameters):
    response = client.get(f"{API}{path}", parameters)
    assert response.status_code == 200, response.content
    return response.json()


def test_a_list_comes_in_pages(client, site, coordinator):
    for _ in range(3):
        factories.make_patient(site, by=coordinator)
    first = listed(client, "/patients/", limit=2)
    assert (first["count"], len(first["results"]), first["previous"]) == (3, 2, None)
    second = client.get(first["next"]).json()
    assert (len(second["results"]), second["next"]) == (1, None)


def test_a_list_holds_the_rows_of_the_scope_and_no_others(client, site, coordinator):
    mine = factories.make_patient(site, by=coordinator)
    factories.make_patient(factories.make_site(site.trial))
    factories.make_patient(factories.make_site(factories.make_trial()))
    assert [row["id"] for row in listed(client, "/patients/")["results"]] == [mine.pk]


LISTS = [
    "/trials/",
    "/patients/",
    "/patients/{patient}/consents/",
    "/patients/{patient}/evidence/",
    "/patients/{patient}/assessments/",
    "/patients/{patient}/scans/",
    "/transmittals/",
    "/series/",
    "/queries/",
    "/deviations/",
    "/audit/",
    "/jobs/",
    "/readings/",
]


def costs(user, patient: Patient) -> tuple[dict[str, int], dict[str, int]]:
    """Rows and database queries of every list, as `user` gets them."""
    rows, spent = {}, {}
    for path in LISTS:
        client = APIClient()
        client.force_authenticate(User.objects.get(pk=user.pk))
        with CaptureQueriesContext(connection) as captured:
            rows[path] = listed(client, path.format(patient=patient.pk))["count"]
        spent[path] = len(captured)
    return rows, spent


def test_lists_cost_as_many_queries_for_three_rows_as_for_one(site):
    user = records.everyone(site.trial)
    one = records.make_record(site, by=user)
    rows, spent = costs(user, one.patient)
    for _ in range(2):
        records.make_record(site, by=user)
        records.add_more(one, by=user)
        records.grant_everything(user, trial=factories.make_trial())
    more_rows, still_spent = costs(user, one.patient)
    assert all(more_rows[path] >= rows[path] + 2 for path in LISTS)
    assert still_spent == spent


# A patient's way


EVIDENCE = [
    ("sex_at_birth", "M", ""),
    ("birth_date", "1961-04", ""),
    ("egfr", 75, "mL/min/1.73 m2"),
    ("histology.confirmed", True, ""),
    ("diagnosis.group", "MM", ""),
    ("lesions.measurable_count", 2, ""),
    ("therapy.anticancer", [], ""),
    ("unable_to_tolerate_scan", False, ""),
    ("ecog", 1, ""),
]


@pytest.fixture
def demo():
    """The trial of the demonstration, with a site."""
    text = (ROOT / "trials" / "definitions" / "demo.yaml").read_text()
    trial = protocols.load_trial(text, by=jobs.system_user()).trial
    return factories.make_site(trial)


def posted(client, path: str, body: dict | None = None):
    response = client.post(f"{API}{path}", body)
    assert response.status_code in {200, 201}, response.content
    return response.json()


def fact(variable: str, value, unit: str, observed_at: str) -> dict:
    return {
        "variable": variable,
        "value": value,
        "unit": unit,
        "observed_at": observed_at,
        "is_study_specific": False,
        "source": "medical record",
    }


def test_a_patient_goes_all_the_way_by_the_api(demo):
    """Screening, consent, evidence, verdict, enrolment, scan, glucose, injection."""
    site = logged_in(factories.make_user(Role.COORDINATOR, trial=demo.trial, site=demo))
    now = timezone.now().replace(microsecond=0)
    yesterday = f"{now - timedelta(days=1):%Y-%m-%d}"

    trial = site.get(f"{API}/trials/DEMO/").json()
    assert [one["id"] for one in trial["sites"]] == [demo.pk]
    plan = next(one for one in trial["planned_scans"] if one["identifier"] == "fdg")

    patient = posted(site, "/patients/", {"site": demo.pk, "sex_at_birth": "M", "birth": "1961-04"})
    path = f"/patients/{patient['id']}"
    consent = {
        "version": "1.0",
        "language": "en",
        "signed_at": yesterday,
        "signatory": "patient",
        "obtained_by": "I. Investigator",
        "copy_given": True,
    }
    posted(site, f"{path}/consents/", consent)
    assert problem(site.post(f"{API}{path}/enrol/")) == (409, "assess-first")

    for variable, value, unit in EVIDENCE:
        posted(site, f"{path}/evidence/", fact(variable, value, unit, yesterday))
    assessment = posted(site, f"{path}/assessments/", {"gate": "enrolment"})
    assert assessment["verdict"] == "eligible", assessment["results"]
    assert problem(site.post(f"{API}{path}/enrol/")) == (409, "not-signed")
    leader = logged_in(demo.principal_investigator)
    posted(leader, f"/assessments/{assessment['id']}/sign/", {"password": factories.PASSWORD})
    assert problem(site.post(f"{API}{path}/enrol/")) == (409, "no-cohort")
    conditions = listed(site, f"{path}/enrolment-conditions/")["results"]
    assert {one["code"] for one in conditions if not one["is_met"]} == {"no-cohort"}
    assert posted(site, f"{path}/enrol/", {"cohort": "LYMPHOMA"})["state"] == "enrolled"
    monitor = logged_in(factories.make_user(Role.MONITOR, trial=demo.trial, site=demo))
    replayed = monitor.get(f"{API}/assessments/{assessment['id']}/replay/").json()
    assert (replayed["is_same"], replayed["differences"]) == (True, [])
    (row,) = listed(monitor, "/board/?trial=DEMO")["results"]
    assert (row["verdict"], row["is_signed"], row["stands"]) == ("eligible", True, True)
    assert {cell["word"] for cell in row["cells"]} == {"satisfied", "not applicable", ""}

    scan = posted(
        site,
        f"{path}/scans/",
        {"planned_scan": plan["id"], "planned_at": (now + timedelta(hours=1)).isoformat()},
    )
    before = {"gate": "pre_injection", "scheduled_scan": scan["id"]}
    assert posted(site, f"{path}/assessments/", before)["verdict"] == "not_evaluable"
    glucose = fact("glucose", 5.5, "mmol/L", now.isoformat())
    posted(site, f"{path}/evidence/", glucose | {"scheduled_scan": scan["id"]})
    assert posted(site, f"{path}/assessments/", before)["verdict"] == "eligible"

    injection = posted(
        site,
        f"/scans/{scan['id']}/injection/",
        {
            "assayed_activity_mbq": 300,
            "assayed_at": now.isoformat(),
            "injected_at": now.isoformat(),
            "residual_activity_mbq": 0,
            "residual_at": now.isoformat(),
            "weight_kg": 80,
        },
    )
    assert injection["net_activity_mbq"] == pytest.approx(300.0)
    assert site.get(f"{API}/scans/{scan['id']}/").json()["state"] == "injected"


def test_evidence_is_corrected_and_the_old_value_stays(client, scan):
    path = f"/patients/{scan.patient_id}/evidence/"
    first = posted(client, path, fact("weight", 70, "kg", "2026-03-01"))
    better = {
        "value": 71,
        "unit": "kg",
        "observed_at": "2026-03-01",
        "source": "medical record",
        "reason": "read wrong",
    }
    second = posted(client, f"/evidence/{first['id']}/correct/", better)
    shown = {
        row["id"]: (row["value"], row["superseded_by"]) for row in listed(client, path)["results"]
    }
    assert shown == {first["id"]: (70, second["id"]), second["id"]: (71, None)}
    again = client.post(f"{API}/evidence/{first['id']}/correct/", better)
    assert problem(again) == (409, "already-corrected")


# Who sees what


@pytest.fixture
def record(site, coordinator):
    """A record whose site has a name that may not be seen everywhere."""
    with factories.framed():
        site.name = "Canary Hospital"
        site.save(update_fields=["name"])
    return records.make_record(site, by=records.everyone(site.trial))


@pytest.fixture
def reader(site):
    return logged_in(factories.make_user(Role.READER, trial=site.trial))


def names(record) -> list[str]:
    """What would tell a blinded reader who, where or when."""
    return [
        record.patient.identifier,
        record.patient.birth,
        record.site.name,
        f"{NOON:%Y-%m-%d}",
        f"{record.run.computed_at:%Y-%m-%d}",
        record.series.series_instance_uid,
    ]


def test_a_reading_is_a_number_and_its_measurement(reader, record):
    reading = reader.get(f"{API}/readings/{record.series.reading_identifier}/").json()
    assert set(reading) == {"reading_identifier", "counts", "quantification"}
    assert [lesion["number"] for lesion in reading["quantification"]["lesions"]] == [1]


def test_nothing_a_reader_gets_names_patient_site_or_day(reader, record):
    lesion = record.run.lesions.get()
    paths = [
        "/readings/",
        f"/readings/{record.series.reading_identifier}/",
        f"/lesions/{lesion.pk}/derivation/suvmax/",
        f"/lesions/{lesion.pk}/derivation/tbr/",
    ]
    for path in paths:
        response = reader.get(API + path)
        assert response.status_code == 200
        assert [name for name in names(record) if name in response.content.decode()] == []


def test_the_names_a_reader_must_not_see_are_there_for_others(site, record):
    """So that the test above could fail."""
    everyone = logged_in(records.everyone(site.trial))
    lesion = record.run.lesions.get()
    shown = everyone.get(f"{API}/lesions/{lesion.pk}/derivation/suvmax/").content.decode()
    shown += everyone.get(f"{API}/patients/").content.decode()
    assert {f"{NOON:%Y-%m-%d}", record.patient.identifier} <= {
        name for name in names(record) if name in shown
    }


def test_a_reader_places_a_region_and_each_lesion_gets_its_ratio(reader, record):
    path = f"{API}/readings/{record.series.reading_identifier}/"
    body = {"kind": "blood_pool", "centre_mm": [20.0, 20.0, 15.0], "radius_mm": 6.0}
    region = reader.post(f"{path}regions/", body).json()
    (lesion,) = reader.get(path).json()["quantification"]["lesions"]
    # Background 1000 and lesion 20 000 in all of its voxels, stored under one slope.
    (ratio,) = lesion["ratios"]
    assert (ratio["region"], ratio["status"]) == (region["id"], "placed")
    assert (ratio["tbr"], ratio["tbr_mean"]) == pytest.approx((20.0, 20.0), rel=1e-6)
    assert ratio["tbr_peak"] == pytest.approx(lesion["suvpeak"] / region["suvmean"])


def test_a_region_outside_the_image_is_refused_at_its_field(reader, record):
    body = {"kind": "liver", "centre_mm": [9000.0, 0.0, 0.0], "radius_mm": 6.0}
    path = f"{API}/readings/{record.series.reading_identifier}/regions/"
    response = reader.post(path, body)
    assert (response.status_code, response.json()["field"]) == (422, "centre_mm")


def test_a_series_shows_its_numbers_to_roles_that_may_see_them(site, record):
    path = f"{API}/series/{record.series.pk}/"
    shown = {
        role: logged_in(factories.make_user(role, trial=site.trial)).get(path).json()
        for role in (Role.TECHNOLOGIST, Role.MONITOR)
    }
    assert shown[Role.TECHNOLOGIST]["quantification"] is None
    assert shown[Role.MONITOR]["quantification"]["suvmax"] == record.run.suvmax


def test_a_picture_is_served_as_it_lies_in_the_archive(reader, record):
    picture = record.run.pictures.get()
    response = reader.get(f"{API}/pictures/{picture.pk}/")
    assert response["Content-Type"] == "image/png"
    assert sha256(response.content) == picture.sha256


@pytest.mark.requirement("R11")
def test_the_trail_of_a_site_is_of_its_patients_alone(site, record):
    elsewhere = factories.make_site(site.trial)
    factories.make_patient(elsewhere)
    mine, theirs = (
        logged_in(factories.make_user(Role.INVESTIGATOR, trial=site.trial, site=place))
        for place in (site, elsewhere)
    )
    patients_seen = {row["patient"] for row in listed(mine, "/audit/", limit=500)["results"]}
    assert patients_seen == set(site.patients.values_list("pk", flat=True))
    assert listed(theirs, "/audit/", patient=record.patient.pk)["count"] == 0


@pytest.mark.requirement("R11")
def test_the_trail_is_found_by_table_and_row(site, record):
    auditor = logged_in(factories.make_user(Role.AUDITOR, trial=site.trial))
    (event,) = listed(
        auditor,
        "/audit/",
        trial=site.trial.identifier,
        table="trials_injection",
        row=record.injection.pk,
    )["results"]
    assert (event["action"], event["operation"]) == ("injection.recorded", "I")
    assert event["after"]["assayed_activity_mbq"] == 150.0


def test_the_trail_hides_what_would_undo_the_pseudonyms(site, record):
    auditor = logged_in(factories.make_user(Role.AUDITOR, trial=site.trial))
    found = listed(auditor, "/audit/", table="trials_patient", row=record.patient.pk)
    (event,) = [one for one in found["results"] if one["operation"] == "I"]
    assert event["after"]["birth"] == record.patient.birth
    assert "date_shift_days" not in event["after"]


# The description


def test_the_description_is_the_one_kept_beside_the_code(client):
    served = yaml.safe_load(client.get(f"{API}/schema/").content)
    kept = yaml.safe_load((ROOT / "config" / "openapi.yaml").read_text())
    assert served == kept


def test_every_operation_has_a_name_a_tag_and_words(client):
    paths = yaml.safe_load((ROOT / "config" / "openapi.yaml").read_text())["paths"]
    operations = [one for item in paths.values() for one in item.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names) >= 49
    assert [one["operationId"] for one in operations if not one.get("description")] == []
    assert [one["operationId"] for one in operations if len(one["tags"]) != 1] == []
