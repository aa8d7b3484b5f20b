"""Two exports held against each other: from made-up files, and from exports of one trial."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest
from django.urls import reverse

from reporting import differences
from reporting.differences import Changed
from reporting.models import ExportDownload
from reporting.services import opening
from tests.factories import framed
from tests.reporting import cohort
from tests.reporting.freezing import frozen
from trials.models import Deviation
from trials.services.errors import Refused

CODEBOOK = """dataset,column,type,unit,is_key
scans,scan,integer,,Y
scans,mbq,number,{unit},N
patients,patient,text,,Y
notes,note,integer,,Y
notes,words,text,,N
"""


def made_up(unit: str = "MBq", **tables: str) -> zipfile.ZipFile:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("codebook.csv", CODEBOOK.format(unit=unit))
        for name, text in tables.items():
            archive.writestr(f"data/{name}.csv", text)
    return zipfile.ZipFile(file)


def between(before: zipfile.ZipFile, after: zipfile.ZipFile) -> list[differences.Difference]:
    return list(differences.between(before, after))


def test_rows_are_told_apart_by_their_key_wherever_they_stand():
    before = made_up(scans="scan,mbq\r\n1,150.0\r\n2,151.0\r\n3,\r\n")
    after = made_up(scans="scan,mbq\r\n4,99.0\r\n3,149.5\r\n1,150.0\r\n")
    (found,) = between(before, after)
    assert (found.added, found.removed) == ([("4",)], [("2",)])
    assert found.changed == [Changed(("3",), "mbq", "", "149.5")]
    assert (found.rows_changed, found.is_new, found.is_gone) == (1, False, False)
    assert between(before, before) == []


def test_columns_that_came_or_went_are_named_and_others_still_compared():
    before = made_up(scans="scan,mbq,route\r\n1,150.0,iv\r\n")
    after = made_up(scans="scan,mbq,batch\r\n1,151.0,B7\r\n")
    (found,) = between(before, after)
    assert (found.columns_added, found.columns_removed) == (("batch",), ("route",))
    assert [one.column for one in found.changed] == ["mbq"]


def test_a_dataset_that_came_or_went_has_all_its_rows_added_or_removed():
    before = made_up(scans="scan,mbq\r\n1,150.0\r\n")
    after = made_up(patients="patient\r\n7\r\n")
    came, went = between(before, after)
    assert (came.name, came.is_new, came.added) == ("patients", True, [("7",)])
    assert (went.name, went.is_gone, went.removed) == ("scans", True, [("1",)])


def test_a_line_says_where_and_what():
    before = made_up(scans="scan,mbq\r\n1,150.0\r\n2,9.0\r\n")
    after = made_up(scans="scan,mbq\r\n1,151.0\r\n3,9.0\r\n")
    assert list(differences.lines(differences.between(before, after))) == [
        ("scans", "scan=3", "row added", "", "", ""),
        ("scans", "scan=2", "row removed", "", "", ""),
        ("scans", "scan=1", "value changed", "mbq", "150.0", "151.0"),
    ]


def edit(made) -> None:
    """A patient more, and another text of a deviation."""
    cohort.add_patient(made)
    with framed():
        row = Deviation.objects.filter(patient__trial=made.trial).order_by("pk").first()
        Deviation.objects.filter(pk=row.pk).update(text="written otherwise")


def test_two_exports_of_a_trial_differ_in_what_was_done_between_them(made, client):
    older = frozen(made)
    edit(made)
    newer = frozen(made)
    found = {one.name: one for one in opening.differences(newer, older, by=made.statistician)}
    assert (len(found["patients"].added), found["patients"].removed) == (1, [])
    assert [(one.column, one.after) for one in found["deviations"].changed] == [
        ("text", "written otherwise")
    ]
    client.force_login(made.statistician)
    path = f"{reverse('export_differences', args=[newer.pk])}?since={older.pk}"
    page = client.get(path).content.decode()
    assert "deviations" in page
    # Values leave with the file alone, which is kept of who took it.
    assert "written otherwise" not in page
    assert not ExportDownload.objects.filter(export=newer).exists()
    file = client.get(f"{reverse('export_differences_file', args=[newer.pk])}?since={older.pk}")
    rows = list(csv.DictReader(file.content.decode().splitlines()))
    assert {"dataset": "deviations", "after": "written otherwise"}.items() <= next(
        row for row in rows if row["change"] == "value changed"
    ).items()
    taken = ExportDownload.objects.filter(by=made.statistician).values_list("export", flat=True)
    assert {newer.pk, older.pk} <= set(taken)
    counts = client.get(f"/api/v1/exports/{newer.pk}/differences/?since={older.pk}").json()
    assert {"dataset": "patients", "rows_added": 1, "rows_removed": 0}.items() <= next(
        one for one in counts if one["dataset"] == "patients"
    ).items()


def test_exports_of_two_trials_are_not_compared(made):
    other = cohort.make_cohort(1)
    ours, theirs = frozen(made), frozen(other)
    with pytest.raises(Refused, match="of one trial"):
        opening.differences(ours, theirs, by=made.statistician)


def test_a_column_that_is_described_otherwise_is_told_though_no_value_changed():
    before = made_up(scans="scan,mbq\r\n1,150.0\r\n")
    after = made_up(scans="scan,mbq\r\n1,150.0\r\n", unit="kBq")
    (found,) = between(before, after)
    assert (found.described_otherwise, found.changed) == (("mbq",), [])


def test_rows_that_share_a_key_are_all_told():
    before = made_up(scans="scan,mbq\r\n1,150.0\r\n1,151.0\r\n")
    after = made_up(scans="scan,mbq\r\n1,150.0\r\n")
    (found,) = between(before, after)
    assert found.removed == [("1", "2")]
    assert [line[1] for line in differences.lines([found])] == ["scan=1; row 2 of this key"]


def test_a_long_text_and_one_like_a_formula_are_told_as_they_are():
    before = made_up(notes="note,words\r\n1,'=1+1\r\n")
    after = made_up(notes=f"note,words\r\n1,{'x' * 200_000}\r\n")
    (found,) = between(before, after)
    ((one,)) = found.changed
    assert (one.before, len(one.after)) == ("=1+1", 200_000)


def test_a_later_export_is_no_earlier_one(made):
    older, newer = frozen(made), frozen(made)
    with pytest.raises(Refused, match="is the later one"):
        opening.differences(older, newer, by=made.statistician)
