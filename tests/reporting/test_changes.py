"""An earlier export with the changes since it is the later one, row by row and cell by cell."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections import Counter

import pytest

from reporting import changes, storage
from reporting.models import Export, ExportDownload
from reporting.services import exports, increments
from tests.factories import framed
from tests.reporting import cohort
from tests.reporting.freezing import frozen, held, unordered
from tests.reporting.test_differences import made_up
from trials.models import Deviation
from trials.services.errors import Refused

Rows = list[dict[str, str]]


def read(content: bytes) -> tuple[list[str], Rows]:
    reader = csv.DictReader(io.StringIO(content.decode(), newline=""))
    return list(reader.fieldnames or ()), list(reader)


def applied(base: Rows, lines: Rows, columns: list[str], keys: list[str]) -> Rows:
    """What README.md of the changes says to do, with nothing of ours."""
    rows, counts = {}, Counter()
    for row in base:
        key = tuple(row[one] for one in keys)
        counts[key] += 1
        rows[(*key, str(counts[key]))] = {name: row.get(name, "") for name in columns}
    for line in lines:
        key = (*(line[one] for one in keys), line["row_of_key"])
        if line["change"] == "removed":
            del rows[key]
        else:
            assert (key in rows) == (line["change"] == "changed")
            rows[key] = {name: line[name] for name in columns}
    return sorted(rows.values(), key=lambda row: list(row.values()))


def in_order(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: list(row.values()))


def made_of(before: zipfile.ZipFile, after: zipfile.ZipFile, name: str) -> tuple[Rows, Rows]:
    """The rows of a dataset made by its changes, and as the later export has them."""
    found = changes.of(name, before, after)
    _, base = read(before.read(f"data/{name}.csv"))
    columns, wanted = read(after.read(f"data/{name}.csv"))
    _, lines = read(found.content)
    return applied(base, lines, columns, list(found.keys)), in_order(wanted)


def test_a_tombstone_has_the_key_alone_and_changed_rows_are_whole():
    before = made_up(scans="scan,mbq\r\n1,150.0\r\n2,151.0\r\n3,\r\n")
    after = made_up(scans="scan,mbq\r\n4,99.0\r\n3,149.5\r\n1,150.0\r\n")
    (found,) = changes.between(before, after)
    assert found.content == (
        b"change,row_of_key,scan,mbq\r\nremoved,1,2,\r\nadded,1,4,99.0\r\nchanged,1,3,149.5\r\n"
    )
    made, wanted = made_of(before, after, "scans")
    assert made == wanted
    assert list(changes.between(before, before)) == []


def test_rows_that_share_a_key_columns_that_come_and_go_and_formulas_are_made_too():
    before = made_up(
        notes="note,words,old\r\n1,a,x\r\n1,b,x\r\n1,c,x\r\n2,'=1+1,x\r\n",
        scans="scan,mbq\r\n1,150.0\r\n",
    )
    after = made_up(
        notes='note,words,new\r\n1,a,\r\n1,c,7\r\n2,"\'=2+2, ""so""",\r\n',
        scans="scan,mbq\r\n1,150.0\r\n",
    )
    made, wanted = made_of(before, after, "notes")
    assert made == wanted
    assert [one.name for one in changes.between(before, after)] == ["notes"]


def test_a_dataset_under_another_key_is_replaced_and_one_that_went_is_all_tombstones():
    before = made_up(scans="scan,mbq\r\n1,150.0\r\n", notes="note,words\r\n5,a\r\n")
    after = made_up(scans="scan,mbq\r\n1,150.0\r\n")
    (gone,) = changes.between(before, after)
    assert (gone.is_gone, gone.lines) == (True, (("removed", "1", "5", ""),))
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("codebook.csv", "dataset,column,type,is_key\r\nscans,mbq,number,Y\r\n")
        archive.writestr("data/scans.csv", "mbq\r\n150.0\r\n")
    (replaced,) = changes.between(made_up(scans="scan,mbq\r\n1,9\r\n"), zipfile.ZipFile(other))
    assert (replaced.is_replaced, replaced.lines) == (True, (("added", "1", "150.0"),))


def edit(made) -> None:
    """A patient more, and another text that looks like a formula."""
    cohort.add_patient(made)
    with framed():
        rows = Deviation.objects.filter(patient__trial=made.trial).order_by("pk")
        Deviation.objects.filter(pk=rows[0].pk).update(text='=cmd|"/c calc", and more')


def test_every_dataset_of_an_export_is_made_of_an_earlier_one_and_the_changes(made, client):
    older = frozen(made)
    edit(made)
    newer = frozen(made)
    client.force_login(made.statistician)
    answer = client.get(f"/exports/{newer.pk}/changes.zip?since={older.pk}")
    names = f"exports-{older.pk}-to-{newer.pk}.zip"
    assert names in answer["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(files["changes.json"])
    assert (told["from"]["sha256"], told["to"]["sha256"]) == (older.sha256, newer.sha256)
    listed = {one["name"]: one for one in told["datasets"]}
    assert {"patients", "deviations"} <= set(listed)
    for one in told["datasets"]:
        assert hashlib.sha256(files[one["path"]]).hexdigest() == one["sha256"]
    before, after = (
        zipfile.ZipFile(io.BytesIO(storage.exports.read(one.sha256))) for one in (older, newer)
    )
    for path in (one for one in after.namelist() if one.startswith("data/")):
        columns, wanted = read(after.read(path))
        _, base = read(before.read(path))
        name = path.removeprefix("data/").removesuffix(".csv")
        if name not in listed:
            assert base == wanted
            continue
        _, lines = read(files[f"changes/{name}.csv"])
        assert applied(base, lines, columns, listed[name]["keys"]) == in_order(wanted), name
    # And back: what came is taken away by its key.
    backwards = changes.of("patients", after, before)
    assert (backwards.count("removed"), backwards.count("added")) == (1, 0)

    address = f"/api/v1/exports/{newer.pk}/changes"
    counts = {one["dataset"]: one for one in client.get(f"{address}/?since={older.pk}").json()}
    assert (counts["patients"]["rows_added"], counts["patients"]["rows_removed"]) == (1, 0)
    one = client.get(f"{address}/patients.csv?since={older.pk}")
    assert one.content == files["changes/patients.csv"]
    assert client.get(f"{address}/nothing.csv?since={older.pk}").status_code == 404
    taken = ExportDownload.objects.filter(by=made.statistician).values_list("export", flat=True)
    assert {newer.pk, older.pk} <= set(taken)


def test_changes_between_two_privacy_profiles_are_refused(made):
    older, newer = frozen(made), unordered(made)
    with framed():
        Export.objects.filter(pk=newer.pk).update(privacy="limited")
    exports.freeze(held(newer))
    newer.refresh_from_db()
    with pytest.raises(Refused, match="under the profile full"):
        increments.since(newer, older, by=made.statistician)
