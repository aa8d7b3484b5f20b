"""The pages and the API of exports: order, wait, look, download; for whom, and for whom not."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile

import pytest

from reporting.models import Export
from reporting.services import exports, opening
from tests import factories
from tests.reporting import cohort
from tests.reporting.freezing import frozen, held, unordered
from trials.models import Job
from trials.roles import Role

pytestmark = pytest.mark.usefixtures("committed_db")

HTMX = {"HX-Request": "true"}


@pytest.fixture
def statistician(client, made):
    """The browser of the statistician."""
    client.force_login(made.statistician)
    return client


def test_a_statistician_orders_an_export_and_is_led_to_it(statistician, made):
    answer = statistician.post("/exports/new/", {"trial": made.trial.pk, "reason": "interim"})
    export = Export.objects.get(trial=made.trial)
    assert (answer.status_code, answer["Location"]) == (302, f"/exports/{export.pk}/")
    assert Job.objects.get(pk=export.job).arguments == {"export": export.pk}


def test_an_order_without_a_reason_is_shown_again_with_what_is_missing(statistician, made):
    answer = statistician.post("/exports/new/", {"trial": made.trial.pk, "reason": "--"})
    assert answer.status_code == 422
    assert b"Say what the export is for" in answer.content
    assert not Export.objects.filter(trial=made.trial).exists()


def test_only_trials_of_the_user_can_be_chosen(statistician, made):
    other = factories.make_trial()
    answer = statistician.post("/exports/new/", {"trial": other.pk, "reason": "curious"})
    assert answer.status_code == 422
    assert not Export.objects.filter(trial=other).exists()


def test_a_waiting_export_looks_again_by_itself_and_a_frozen_one_does_not(statistician, made):
    export = unordered(made)
    address = f"/exports/{export.pk}/"
    assert b'hx-trigger="every 1s"' in statistician.get(address, headers=HTMX).content
    exports.freeze(held(export))
    page = statistician.get(address, headers=HTMX).content
    assert b"hx-trigger" not in page
    assert f'href="{address}download/"'.encode() in page


def test_the_page_of_an_export_shows_digests_codebook_and_how_to_cite(statistician, made):
    export = frozen(made)
    page = statistician.get(f"/exports/{export.pk}/").content.decode()
    assert export.sha256 in page
    assert export.manifest["files"][2]["sha256"] in page
    assert f"audit event {export.audit_event}" in page
    assert ">net_activity_mbq</code>" in page


def test_a_failed_export_says_why(statistician, made):
    export = unordered(made)
    with factories.framed():
        Export.objects.filter(pk=export.pk).update(state="failed", message="The disk is full.")
    assert b"The disk is full." in statistician.get(f"/exports/{export.pk}/").content


@pytest.mark.requirement("R115")
def test_a_download_is_the_file_that_was_frozen_and_opens_with_the_standard_library(
    statistician, made
):
    export = frozen(made)
    answer = statistician.get(f"/exports/{export.pk}/download/")
    content = answer.getvalue()
    assert hashlib.sha256(content).hexdigest() == export.sha256
    assert answer["Content-Disposition"].endswith(f'-export-{export.pk}.zip"')
    assert b"Who has it" in statistician.get(f"/exports/{export.pk}/").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        text = archive.read("data/lesions.csv").decode()
    lesions = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [float(row["suvmax"]) for row in lesions] == [12.25, 6.0, 12.25, 6.0]


def test_there_is_nothing_to_download_before_it_is_frozen(statistician, made):
    assert statistician.get(f"/exports/{unordered(made).pk}/download/").status_code == 409


def test_a_coordinator_has_no_exports(client, made):
    export = frozen(made)
    client.force_login(made.coordinator)
    addresses = ["", "new/", f"{export.pk}/", f"{export.pk}/download/"]
    # A role at one site does not reach what holds every site, so that a single one is not there.
    assert [client.get(f"/exports/{path}").status_code for path in addresses] == [
        403,
        403,
        404,
        404,
    ]


def test_a_monitor_of_all_sites_is_refused(client, made):
    export = frozen(made)
    client.force_login(factories.make_user(Role.MONITOR, trial=made.trial))
    assert client.get(f"/exports/{export.pk}/download/").status_code == 403


def test_an_auditor_may_look_but_not_order(client, made):
    export = frozen(made)
    client.force_login(factories.make_user(Role.AUDITOR, trial=made.trial))
    assert client.get(f"/exports/{export.pk}/download/").status_code == 200
    assert client.get("/exports/new/").status_code == 403


def test_an_export_of_another_trial_is_not_there(client, made):
    export = frozen(made)
    stranger = factories.make_user(Role.STATISTICIAN, trial=factories.make_trial())
    client.force_login(stranger)
    found = [client.get(f"/exports/{export.pk}/{path}").status_code for path in ("", "download/")]
    assert found == [404, 404]


@pytest.mark.parametrize("size", [1, 3])
def test_the_list_takes_as_many_queries_for_one_export_as_for_three(
    size, made, statistician, django_assert_max_num_queries
):
    for _ in range(size):
        unordered(made)
    with django_assert_max_num_queries(7):
        page = statistician.get("/exports/").content
    assert page.count(b"a test") == size


# ------------------------------------------------------------------------------------- the API


def test_the_api_orders_shows_and_gives_the_file(statistician, made):
    body = {"trial": made.trial.identifier, "reason": "for the DSMB"}
    answer = statistician.post("/api/v1/exports/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["state"]) == (201, "requested")
    export = frozen(made)
    shown = statistician.get(f"/api/v1/exports/{export.pk}/").json()
    assert (shown["state"], shown["manifest"]) == ("frozen", export.manifest)
    given = statistician.get(f"/api/v1/exports/{export.pk}/download/")
    assert given["Content-Type"] == "application/zip"
    assert hashlib.sha256(given.getvalue()).hexdigest() == shown["sha256"]


def test_the_api_refuses_an_order_without_reason_at_its_field(statistician, made):
    body = {"trial": made.trial.identifier, "reason": "-"}
    answer = statistician.post("/api/v1/exports/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["field"]) == (422, "reason")


def test_the_api_does_not_know_a_trial_out_of_scope(statistician):
    body = {"trial": factories.make_trial().identifier, "reason": "curious"}
    answer = statistician.post("/api/v1/exports/", body, content_type="application/json")
    assert answer.status_code == 404


def test_the_api_lists_the_exports_of_the_users_trials(statistician, made):
    unordered(cohort.make_cohort(0))
    mine = unordered(made)
    answer = statistician.get("/api/v1/exports/").json()
    assert [row["id"] for row in answer["results"]] == [mine.pk]


def test_the_api_says_that_a_waiting_export_has_no_file(statistician, made):
    answer = statistician.get(f"/api/v1/exports/{unordered(made).pk}/download/")
    assert (answer.status_code, answer.json()["code"]) == (409, "not-frozen")


def test_the_page_of_an_export_links_each_file_and_the_first_rows_of_each_dataset(
    statistician, made
):
    export = frozen(made)
    page = statistician.get(f"/exports/{export.pk}/").content.decode()
    for file in export.manifest["files"]:
        assert f'href="/exports/{export.pk}/files/{file["path"]}"' in page
    answer = statistician.get(f"/exports/{export.pk}/files/data/lesions.csv")
    (listed,) = [f for f in export.manifest["files"] if f["path"] == "data/lesions.csv"]
    assert hashlib.sha256(answer.getvalue()).hexdigest() == listed["sha256"]
    assert f'href="/exports/{export.pk}/datasets/lesions/"' in page


def test_the_first_rows_of_a_dataset_stand_below_label_and_unit(statistician, made):
    export = frozen(made)
    page = statistician.get(f"/exports/{export.pk}/datasets/lesions/").content.decode()
    assert '<code>suvmax</code> <span class="preview-unit">g/mL</span>' in page
    archive = zipfile.ZipFile(io.BytesIO(opening.download(export, by=made.statistician)))
    rows = list(csv.DictReader(io.StringIO(archive.read("data/lesions.csv").decode(), newline="")))
    assert all(f'<td class="text-end">{row["suvmax"]}</td>' in page for row in rows)
    assert f"/api/v1/exports/{export.pk}/datasets/lesions/?format=csv" in page


def test_a_dataset_without_rows_says_so(client, committed_db):
    nobody = cohort.make_cohort(0)
    client.force_login(nobody.statistician)
    page = client.get(f"/exports/{frozen(nobody).pk}/datasets/lesions/")
    assert b"No rows" in page.content


def test_who_looked_at_first_rows_is_kept(statistician, made):
    export = frozen(made)
    statistician.get(f"/exports/{export.pk}/datasets/lesions/")
    assert export.downloads.get().by == made.statistician
    assert statistician.get(f"/exports/{export.pk}/datasets/none/").status_code == 404
