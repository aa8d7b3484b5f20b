"""Files and datasets of an export over HTTP, from the running site, as a script gets them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import socket
import subprocess
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pandas
import polars
import pyarrow.csv
import pyarrow.parquet
import pytest
import requests

from reporting import codebook, storage
from reporting.datasets import DATASETS, Type
from reporting.formats import FORMATS
from reporting.models import Export, ExportDownload
from reporting.services import exports
from tests import factories
from tests.reporting.cohort import Cohort, make_cohort
from tests.reporting.freezing import held
from trials import permissions
from trials.models import AuditEvent, Job, Membership, User
from trials.roles import Role
from trials.services import accounts

pytestmark = pytest.mark.usefixtures("committed_db")


@dataclass
class Script:
    """What a statistician's script has: an address, a token, an export."""

    root: str
    token: str
    export: Export
    by: User
    before: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def url(self, path: str) -> str:
        return f"{self.root}/api/v1/exports/{self.export.pk}/{path}"

    def get(self, path: str, method: str = "GET", **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(
            method, self.url(path), headers=self.headers | named, timeout=60, allow_redirects=False
        )

    def downloads(self) -> int:
        """How often the test took something: others took of the same export before."""
        return ExportDownload.objects.filter(export=self.export).count() - self.before

    def stored(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(storage.exports.read(self.export.sha256)))


def token(made: Cohort, scope: str) -> str:
    return accounts.issue_token(made.statistician, label="R", scope=scope, days=30)[0]


@pytest.fixture(scope="module")
def made(django_db_setup, django_db_blocker) -> Iterator[Cohort]:
    """Two patients for all tests; no work is left behind for others."""
    with django_db_blocker.unblock():
        made = make_cohort(2)
    yield made
    with django_db_blocker.unblock():
        Job.objects.filter(actor=made.statistician).update(state=Job.State.DONE)


@pytest.fixture(scope="module")
def frozen(made, django_db_blocker) -> Export:
    """One export for all tests, which only read it."""
    with django_db_blocker.unblock():
        with factories.framed():
            export = Export.objects.create(
                trial=made.trial,
                reason="a paper",
                requested_by=made.statistician,
                formats=["parquet", "xpt"],
            )
        exports.freeze(held(export))
    return export


@pytest.fixture
def script(made, frozen, live_stack) -> Script:
    export = Export.objects.get(pk=frozen.pk)
    before = ExportDownload.objects.filter(export=export).count()
    return Script(live_stack, token(made, "export:blinded"), export, made.statistician, before)


def test_each_file_comes_alone_with_its_digest_as_its_etag(script):
    listed = requests.get(script.url(""), headers=script.headers, timeout=60).json()["manifest"]
    assert {"data/lesions.csv", "parquet/lesions.parquet"} <= {f["path"] for f in listed["files"]}
    for file in listed["files"]:
        answer = script.get(f"files/{file['path']}")
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
        assert answer.headers["ETag"] == f'"{file["sha256"]}"'
        assert int(answer.headers["Content-Length"]) == file["bytes"] == len(answer.content)
    assert script.downloads() == len(listed["files"])


def test_manifest_and_digests_come_too_which_the_manifest_does_not_list(script):
    assert script.get("files/manifest.json").json() == script.export.manifest
    sums = script.get("files/SHA256SUMS")
    assert sums.headers["ETag"] == f'"{hashlib.sha256(sums.content).hexdigest()}"'


@pytest.mark.parametrize("path", ["data/none.csv", "data/", "../manifest.json", "%2e%2e/x"])
def test_what_is_not_in_the_export_is_not_there(script, path):
    answer = script.get(f"files/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_head_tells_size_and_tag_and_counts_as_no_download(script):
    answer = script.get("files/data/lesions.csv", "HEAD")
    (file,) = [f for f in script.export.manifest["files"] if f["path"] == "data/lesions.csv"]
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) == file["bytes"]
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert script.downloads() == 0


def test_what_is_held_already_is_not_sent_again(script):
    etag = script.get("files/data/lesions.csv", "HEAD").headers["ETag"]
    answer = script.get("files/data/lesions.csv", If_None_Match=etag)
    assert (answer.status_code, answer.content, script.downloads()) == (304, b"", 0)
    assert script.get("files/data/lesions.csv", If_Match='"other"').status_code == 412


def test_a_range_gives_these_bytes_and_one_behind_the_end_is_refused(script):
    whole = script.stored().read("data/lesions.csv")
    part = script.get("files/data/lesions.csv", Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole)}"
    end = script.get("files/data/lesions.csv", Range=f"bytes={len(whole)}-")
    assert (end.status_code, end.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")


def test_a_range_of_another_file_gets_the_whole(script):
    answer = script.get("files/data/lesions.csv", Range="bytes=10-", If_Range='"other"')
    assert (answer.status_code, answer.content) == (200, script.stored().read("data/lesions.csv"))
    same = script.get("files/data/lesions.csv", Range="bytes=10-", If_Range=answer.headers["ETag"])
    assert same.status_code == 206


def test_a_download_that_was_cut_goes_on_and_has_the_same_digest(script):
    address = urlsplit(script.url("download/"))
    with socket.create_connection((address.hostname, address.port), timeout=30) as line:
        line.sendall(
            f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Authorization: Bearer {script.token}\r\n\r\n".encode()
        )
        received = b""
        while len(received) < 3000:
            received += line.recv(1000)
    head, _, begun = received.partition(b"\r\n\r\n")
    etag = next(one.split()[1] for one in head.decode().splitlines() if one.startswith("ETag"))
    assert 0 < len(begun) < script.export.size
    rest = script.get("download/", Range=f"bytes={len(begun)}-", If_Range=etag)
    assert rest.status_code == 206
    assert hashlib.sha256(begun + rest.content).hexdigest() == script.export.sha256


def test_curl_goes_on_where_it_was(script, tmp_path):
    whole = script.stored().read("data/evidence.csv")
    file = tmp_path / "evidence.csv"
    file.write_bytes(whole[: len(whole) // 2])
    words = ["curl", "-sS", "--fail", "-C", "-", "-o", str(file)]
    words += ["-H", f"Authorization: Bearer {script.token}", script.url("files/data/evidence.csv")]
    subprocess.run(words, check=True, timeout=60)
    assert file.read_bytes() == whole


def test_every_part_that_is_taken_is_on_the_trail_with_its_name(script):
    last = AuditEvent.objects.latest("pk").pk
    script.get("files/data/lesions.csv", Range="bytes=0-9")
    script.get("datasets/lesions/?columns=usubjid,suvmax&suvmax=")
    kept = AuditEvent.objects.filter(
        action="export.downloaded",
        trial=script.export.trial_id,
        table="reporting_exportdownload",
        pk__gt=last,
    )
    assert [one.reason for one in kept.order_by("pk")] == [
        "data/lesions.csv: a paper",
        "lesions as csv; columns usubjid, suvmax; suvmax '': a paper",
    ]
    assert {one.actor for one in kept} == {script.by.pk}


def test_bytes_that_are_not_what_was_frozen_are_not_given(script):
    path = storage.exports.path(script.export.sha256)
    content = path.read_bytes()
    path.chmod(0o600)
    try:
        path.write_bytes(content[:-1] + b"x")
        answer = script.get("files/data/lesions.csv")
        assert (answer.status_code, answer.json()["code"]) == (409, "export-lost")
    finally:
        path.write_bytes(content)


# Datasets


def cells(script: Script, name: str) -> list[dict[str, str]]:
    text = script.stored().read(f"data/{name}.csv").decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_as_csv_is_the_very_file(script, name):
    answer = script.get(f"datasets/{name}/")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.content == script.stored().read(f"data/{name}.csv")


def test_columns_come_in_the_order_they_are_asked_for(script):
    answer = script.get("datasets/lesions/?columns=suvmax,usubjid")
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert rows[0] == ["suvmax", "usubjid"]
    assert rows[1:] == [[one["suvmax"], one["usubjid"]] for one in cells(script, "lesions")]


def test_rows_are_chosen_by_values_of_columns(script):
    every = cells(script, "evidence")
    patients, variable = sorted({one["patient"] for one in every}), every[0]["variable"]
    assert len(patients) > 1
    answer = script.get(f"datasets/evidence/?patient={patients[0]}&variable={variable}")
    found = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert found == [
        one for one in every if one["patient"] == patients[0] and one["variable"] == variable
    ]
    assert found
    either = script.get(
        "datasets/evidence/?columns=patient&" + "&".join(f"patient={p}" for p in patients)
    )
    assert either.text.count("\r\n") == len(every) + 1


def test_a_filter_by_no_value_finds_missing_values(script):
    every = cells(script, "evidence")
    column = next(name for name in every[0] if {bool(one[name]) for one in every} == {True, False})
    answer = script.get(f"datasets/evidence/?{column}=&format=ndjson")
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert len(found) == sum(not one[column] for one in every)
    assert {one[column] for one in found} == {None}


def test_json_ndjson_and_parquet_hold_the_same_typed_values(script):
    rows = script.get("datasets/lesions/?format=json").json()
    lines = script.get("datasets/lesions/?format=ndjson").text.splitlines()
    assert [json.loads(line) for line in lines] == rows
    parquet = polars.read_parquet(script.get("datasets/lesions/?format=parquet").content)
    assert parquet["suvmax"].to_list() == [row["suvmax"] for row in rows]
    assert parquet["usubjid"].to_list() == [row["usubjid"] for row in rows]
    expected = [float(one["suvmax"]) if one["suvmax"] else None for one in cells(script, "lesions")]
    assert parquet["suvmax"].to_list() == expected


def test_parquet_of_a_dataset_is_equal_to_the_one_in_the_export(script):
    for name in ("patients", "lesions", "evidence", "responses"):
        asked = pyarrow.parquet.read_table(
            io.BytesIO(script.get(f"datasets/{name}/?format=parquet").content)
        )
        kept = io.BytesIO(script.stored().read(FORMATS["parquet"].path(name)))
        assert asked.equals(pyarrow.parquet.read_table(kept))


def test_an_empty_dataset_has_its_columns_in_every_format(script):
    query = "datasets/lesions/?usubjid=nobody&columns=usubjid,suvmax&format="
    assert script.get(query + "csv").content == b"usubjid,suvmax\r\n"
    assert script.get(query + "json").json() == []
    assert script.get(query + "ndjson").content == b""
    assert polars.read_parquet(script.get(query + "parquet").content).columns == [
        "usubjid",
        "suvmax",
    ]


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ("columns=usubjid,suvmx", "columns", "lesions has no column suvmx; there are trial,"),
        ("columns=suvmax,suvmax", "columns", "A column is named twice."),
        ("suvmx=5", "suvmx", "lesions has no column suvmx; there are trial,"),
        ("suvmax=high", "suvmax", "suvmax holds number, which 'high' is not."),
        ("suvmax=nan", "suvmax", "suvmax holds number, which 'nan' is not."),
        ("lesion=99999999999999999999", "lesion", "lesion holds integer, which"),
        ("format=xlsx", "format", "No format is called xlsx; there are csv, parquet, json, ndjson"),
    ],
)
def test_what_is_not_there_is_refused_by_its_name(script, query, field, said):
    answer = script.get(f"datasets/lesions/?{query}")
    found = answer.json()
    assert (answer.status_code, found["field"]) == (422, field)
    assert found["message"].startswith(said)
    assert script.downloads() == 0


def test_no_column_is_named_as_what_a_query_says_otherwise():
    names = {column.name for dataset in DATASETS.values() for column in dataset.columns}
    assert not names & {"columns", "format"}


def test_an_unknown_dataset_is_not_there(script):
    assert script.get("datasets/none/").status_code == 404


def test_the_datasets_are_listed_with_their_columns_as_frozen(script):
    listed = {one["name"]: one for one in script.get("datasets/").json()}
    described = codebook.datasets(script.stored().read(codebook.JSON_PATH))
    assert list(listed) == list(described)
    suv = next(one for one in listed["lesions"]["columns"] if one["name"] == "suvmax")
    assert (suv["unit"], suv["type"]) == ("g/mL", Type.NUMBER)
    assert listed["lesions"]["rows"] == len(cells(script, "lesions"))


def test_the_same_rows_have_the_same_tag_and_others_another(script):
    tags = [
        script.get(f"datasets/lesions/?format={format}{more}", "HEAD").headers["ETag"]
        for format in ("csv", "ndjson", "parquet")
        for more in ("", "&columns=suvmax")
    ]
    assert len(set(tags)) == 6
    again = script.get("datasets/lesions/?format=parquet", If_None_Match=tags[4])
    assert again.status_code == 304


# What scripts read with


def test_pyarrow_reads_the_address(script):
    request = urllib.request.Request(  # noqa: S310  ours
        script.url("datasets/lesions/"), headers=script.headers
    )
    with urllib.request.urlopen(request, timeout=60) as stream:  # noqa: S310  ours
        table = pyarrow.csv.read_csv(stream)
    assert table["suvmax"].to_pylist() == [
        float(one["suvmax"]) if one["suvmax"] else None for one in cells(script, "lesions")
    ]


def test_polars_reads_what_comes(script):
    table = polars.read_csv(script.get("datasets/lesions/").content, infer_schema_length=None)
    assert table.height == len(cells(script, "lesions"))


def test_pandas_reads_the_address(script):
    table = pandas.read_csv(script.url("datasets/lesions/"), storage_options=script.headers)
    assert list(table["usubjid"]) == [one["usubjid"] for one in cells(script, "lesions")]
    typed = pandas.read_parquet(
        script.url("datasets/lesions/?format=parquet"), storage_options=script.headers
    )
    assert list(typed["usubjid"]) == list(table["usubjid"])


# Scopes


def test_a_token_that_reads_exports_does_nothing_else(script, made):
    for path in ("/api/v1/trials/", "/api/v1/queries/", "/dicom-web/studies"):
        answer = requests.get(script.root + path, headers=script.headers, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (403, "token-scope")
    body = {"trial": script.export.trial.identifier, "reason": "another"}
    ordered = requests.post(
        f"{script.root}/api/v1/exports/", json=body, headers=script.headers, timeout=60
    )
    told = "scope export:blinded, which does not include export.create"
    assert (ordered.status_code, ordered.json()["code"]) == (403, "token-scope")
    assert told in ordered.json()["message"]
    script.token = token(made, "export:unblinded")
    called_off = requests.post(script.url("cancel/"), json={}, headers=script.headers, timeout=60)
    assert (called_off.status_code, called_off.json()["code"]) == (403, "token-scope")
    assert "token of no scope" in called_off.json()["message"]


def test_who_lacks_the_role_is_told_of_it_and_not_of_the_token_that_lacks_a_scope():
    role, token_scope = Membership(role=Role.STATISTICIAN), "export:blinded"
    user = User()
    user.current_memberships, user.token_scope = [role], token_scope
    refused = permissions.refusal(user, "export.unblinded")
    assert (refused.code, "scope export:unblinded" in refused.message) == ("token-scope", True)
    refused = permissions.refusal(user, "injection.record")
    assert (refused.code, "Your role" in refused.message) == ("forbidden", True)


def test_an_export_that_breaks_a_blinding_needs_the_scope_that_says_so(script, made):
    manifest = script.export.manifest
    paths = ("download/", "files/data/lesions.csv", "datasets/", "datasets/lesions/")
    ours = Export.objects.filter(pk=script.export.pk)
    try:
        with factories.framed():
            ours.update(manifest=manifest | {"is_unblinded": True})
        for path in paths:
            answer = script.get(path)
            assert (answer.status_code, answer.json()["code"]) == (403, "token-scope")
        script.token = token(made, "export:unblinded")
        assert {script.get(path).status_code for path in paths} == {200}
    finally:
        with factories.framed():
            ours.update(manifest=manifest)


def test_a_token_of_a_scope_is_had_by_logging_in_and_ends_itself(script, made):
    body = {
        "username": made.statistician.username,
        "password": factories.PASSWORD,
        "scope": "export:blinded",
        "days": 30,
    }
    answer = requests.post(f"{script.root}/api/v1/tokens/", json=body, timeout=60)
    assert answer.status_code == 201, answer.text
    script.token = answer.json()["token"]
    assert script.get("datasets/lesions/").status_code == 200
    ended = requests.delete(
        f"{script.root}/api/v1/tokens/current/", headers=script.headers, timeout=60
    )
    assert (ended.status_code, script.get("datasets/lesions/").status_code) == (204, 401)


@pytest.mark.parametrize(
    "asked", [{"days": 30}, {"scope": "export:blinded", "days": 91}, {"scope": "export:all"}]
)
def test_a_token_lasts_for_days_only_within_a_scope(script, made, asked):
    body = {"username": made.statistician.username, "password": factories.PASSWORD} | asked
    answer = requests.post(f"{script.root}/api/v1/tokens/", json=body, timeout=60)
    assert answer.status_code == 422
