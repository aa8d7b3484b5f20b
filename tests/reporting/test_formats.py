"""Formats of an export, read back by programs that others wrote: ReadStat, polars, a schema."""

from __future__ import annotations

import csv
import io
import json
import math
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import polars
import pyarrow.parquet
import pyreadstat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import csvtext, storage
from reporting.datasets import DATASETS, Column, Dataset, Privacy, Type
from reporting.formats import FORMATS, About, Change
from reporting.formats.names import LONGEST_XPT_NAME, shortened
from reporting.formats.staged import BATCH_ROWS, Stage, Staged
from reporting.formats.xpt import ascii_of, ibm_doubles
from reporting.models import Export
from reporting.services import exports
from reporting.services.bundle import Bundle
from trials.services import jobs
from trials.services.errors import Invalid

MOMENT = datetime(2026, 3, 2, 8, 15, 0, 250_000, tzinfo=UTC)
OPERATIONAL = [one for one in FORMATS.values() if not one.standard]
ABOUT = About(study="NCT05093335", export=12, as_of=MOMENT, software="0.1.0")


def column(name: str, type: Type, **rest: Any) -> Column:
    return Column(name, f"Label of {name}", type, Privacy.TECHNICAL, **rest)


EVERY_TYPE = Dataset(
    "every_type",
    "A column of each type",
    "none",
    "a test",
    "none",
    ("number_of_row",),
    (
        column("number_of_row", Type.INTEGER),
        column("suv", Type.NUMBER, unit="g/mL"),
        column("comment_of_reader", Type.TEXT),
        column("is_met", Type.FLAG, codes=(("Y", "Yes"), ("N", "No"))),
        column("injected_at", Type.MOMENT),
        column("diagnosed", Type.PARTIAL_DATE),
    ),
)
ROWS = [
    (1, 7.910699999999999, "liver", True, MOMENT, "2026-03"),
    (2, None, None, None, None, None),
    (3, -1 / 3, "", False, MOMENT + timedelta(days=1), "2026-03-02"),
    (2**53, 1e-10, "=1+1", True, MOMENT, "2026"),
]


def staged(folder: Path, rows: Sequence[Sequence[Any]], dataset: Dataset = EVERY_TYPE) -> Staged:
    stage = Stage(dataset, folder / "rows.arrow")
    assert sum(batch.num_rows for batch in stage.batches(rows)) == len(rows)
    return stage.staged()


def written(
    folder: Path, name: str, rows: Sequence[Sequence[Any]] = ROWS, dataset: Dataset = EVERY_TYPE
) -> tuple[Path, list[Change]]:
    target = folder / f"every.{FORMATS[name].suffix}"
    with target.open("wb") as file:
        changes = FORMATS[name].write(staged(folder, rows, dataset), file, ABOUT)
    return target, changes


def columns_of(found: dict[str, list]) -> list[list]:
    return list(found.values())


def test_parquet_holds_every_value_with_its_type_and_says_label_and_unit(tmp_path):
    path, changes = written(tmp_path, "parquet")
    found = polars.read_parquet(path)
    assert found["suv"].to_list() == [row[1] for row in ROWS]
    assert found["comment_of_reader"].to_list() == ["liver", None, None, "=1+1"]
    assert found["is_met"].to_list() == [True, None, False, True]
    assert found["injected_at"].to_list() == [row[4] for row in ROWS]
    assert found["number_of_row"].to_list() == [1, 2, 3, 2**53]
    field = pyarrow.parquet.read_schema(path).field("suv")
    assert (field.metadata[b"label"], field.metadata[b"unit"]) == (b"Label of suv", b"g/mL")
    assert changes == []


def test_a_transport_file_is_read_back_equal_by_readstat(tmp_path):
    path, changes = written(tmp_path, "xpt")
    found, about = pyreadstat.read_xport(str(path), output_format="dict")
    names = shortened(EVERY_TYPE.column_names, LONGEST_XPT_NAME)
    assert list(found) == [name.upper() for name in names.values()]
    number, suv, comment, met, injected, diagnosed = columns_of(found)
    assert number == [1, 2, 3, 2**53]
    assert suv == [row[1] for row in ROWS]
    assert comment == ["liver", "", "", "=1+1"]
    assert met == ["Y", "", "N", "Y"]
    assert injected[0] == "2026-03-02T08:15:00.250000Z"
    assert diagnosed == ["2026-03", "", "2026-03-02", "2026"]
    assert about.file_label == "A column of each type"
    assert about.column_labels[1] == "Label of suv"
    assert changes == []


def test_what_a_transport_file_cannot_hold_is_said_with_the_whole_value(tmp_path):
    long, accented, blanks = "x" * 250, "≥ 5 µg, Müller", "liver  "
    rows = [(1, 1e-90, long, True, MOMENT, "2026"), (2, 2.0, accented, True, MOMENT, "2026")]
    rows += [(3, 3.0, blanks, True, MOMENT, "2026")]
    path, changes = written(tmp_path, "xpt", rows)
    found, _ = pyreadstat.read_xport(str(path), output_format="dict")
    assert columns_of(found)[2] == ["x" * 200, ">= 5 ug, Muller", "liver"]
    assert [(one.row, one.column, one.what, one.value) for one in changes] == [
        (1, "suv", "written as zero", "1e-90"),
        (1, "comment_of_reader", "cut at 200 bytes", long),
        (2, "comment_of_reader", "written in ASCII", accented),
        (3, "comment_of_reader", "without the blanks at its end", blanks),
    ]


@pytest.mark.parametrize(
    ("value", "written_as"),
    [
        # The worked examples of "IBM hexadecimal floating-point", Wikipedia, and TS-140's missing.
        (-118.625, "c276a00000000000"),
        (1.0, "4110000000000000"),
        (0.0, "0000000000000000"),
        (0.1, "401999999999999a"),
        (math.nan, "2e00000000000000"),
    ],
)
def test_ibm_doubles_are_those_of_the_published_examples(value, written_as):
    assert ibm_doubles(np.array([value])).tobytes().hex() == written_as


@given(st.lists(st.floats(allow_nan=False, min_value=-7e75, max_value=7e75), min_size=1))
def test_every_double_of_the_range_survives_as_an_ibm_double(values):
    wanted = [0.0 if abs(value) < 16.0**-65 else value for value in values]
    assert [from_ibm(bytes(one)) for one in ibm_doubles(np.array(values))] == wanted


def from_ibm(content: bytes) -> float:
    bits = int.from_bytes(content, "big")
    sign = -1.0 if bits >> 63 else 1.0
    return sign * math.ldexp(bits & (2**56 - 1), 4 * ((bits >> 56 & 0x7F) - 64) - 56)


def test_a_number_beyond_the_format_is_refused():
    with pytest.raises(ValueError, match=r"1e\+76 is beyond"):
        ibm_doubles(np.array([1e76]))


def test_a_value_that_a_format_cannot_hold_at_all_stops_the_export_by_name(tmp_path):
    row = (2**53 + 1, 1e76, "liver", True, MOMENT, "2026")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        bundle = Bundle(archive)
        with pytest.raises(csvtext.CellError, match=r"none, as SAS transport file"):
            bundle.add_dataset(EVERY_TYPE, iter([row]), [FORMATS["xpt"]], ABOUT)


def test_dataset_json_is_valid_by_the_schema_of_cdisc_and_holds_every_value(
    tmp_path, reference_data
):
    path, _ = written(tmp_path, "dataset-json")
    found = json.loads(path.read_bytes())
    schema = json.loads((reference_data / "../cdisc/schema/dataset.schema.json").read_text())
    jsonschema.Draft201909Validator(schema).validate(found)
    assert found["records"] == len(found["rows"]) == len(ROWS)
    assert list(found)[-1] == "rows"
    assert found["rows"][0] == [
        1,
        7.910699999999999,
        "liver",
        "Y",
        "2026-03-02T08:15:00.250000Z",
        "2026-03",
    ]
    assert found["rows"][1] == [2, None, None, None, None, None]
    assert found["columns"][0]["keySequence"] == 1


def test_spss_and_stata_are_read_back_equal_with_their_labels(tmp_path):
    for name, read in (("spss", pyreadstat.read_sav), ("stata", pyreadstat.read_dta)):
        path, changes = written(tmp_path, name)
        found, about = read(str(path), output_format="dict")
        assert list(found) == list(EVERY_TYPE.column_names)
        assert found["suv"] == [row[1] for row in ROWS]
        assert found["comment_of_reader"] == ["liver", "", "", "=1+1"]
        assert found["is_met"] == ["Y", "", "N", "Y"]
        assert found["injected_at"][0] == MOMENT.replace(tzinfo=None)
        assert about.column_names_to_labels["suv"] == "Label of suv"
        assert changes == []
    _, about = pyreadstat.read_sav(str(tmp_path / "every.sav"), output_format="dict")
    assert about.variable_value_labels["is_met"] == {"Y": "Yes", "N": "No"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_dataset_without_rows_has_its_columns_in_every_format(tmp_path, name):
    path, changes = written(tmp_path, name, rows=[])
    assert changes == []
    assert len(names_in(path)) == len(EVERY_TYPE.columns)


def names_in(path: Path) -> list[str]:
    match path.suffix:
        case ".parquet":
            return polars.read_parquet(path).columns
        case ".xpt":
            return list(pyreadstat.read_xport(str(path), output_format="dict")[0])
        case ".sav":
            return list(pyreadstat.read_sav(str(path), output_format="dict")[0])
        case ".dta":
            return list(pyreadstat.read_dta(str(path), output_format="dict")[0])
    return [one["name"] for one in json.loads(path.read_bytes())["columns"]]


def test_rows_beyond_one_batch_keep_their_order(tmp_path):
    count = BATCH_ROWS + 3
    rows = [(number, number / 7, f"text {number}", True, MOMENT, "2026") for number in range(count)]
    path, _ = written(tmp_path, "xpt", rows)
    found, _ = pyreadstat.read_xport(str(path), output_format="dict")
    number, suv, comment, *_ = columns_of(found)
    assert number == list(range(count))
    assert suv == [row[1] for row in rows]
    assert comment[-1] == f"text {count - 1}"


def test_short_names_are_unique_and_fit_in_every_dataset():
    for dataset in DATASETS.values():
        names = shortened(dataset.column_names, LONGEST_XPT_NAME)
        short = [name.upper() for name in names.values()]
        assert len(set(short)) == len(short)
        assert max(map(len, short)) <= 8
    assert len(set(shortened(DATASETS, LONGEST_XPT_NAME).values())) == len(DATASETS)


@given(st.text())
def test_any_text_becomes_ascii(text):
    assert ascii_of(text).isascii()


def test_an_export_holds_the_same_rows_in_every_format(made, tmp_path):
    archive = frozen_in_all(made)
    for name in ("patients", "lesions", "evidence", "series"):
        wanted = csv_rows(archive, name)
        for one in OPERATIONAL:
            path = tmp_path / f"{name}.{one.suffix}"
            path.write_bytes(archive.read(one.path(name)))
            found = [[text(value) for value in row] for row in rows_in(path)]
            assert len(found) == len(wanted), one.path(name)
            for cells, expected in zip(found, wanted, strict=True):
                assert all(map(same, cells, expected)), (one.path(name), cells, expected)


def frozen_in_all(made) -> zipfile.ZipFile:
    export = exports.request(
        made.trial,
        reason="all formats",
        by=made.statistician,
        formats=[one.name for one in OPERATIONAL],
    )
    jobs.run(export.job)
    export.refresh_from_db()
    assert export.state == Export.State.FROZEN, export.message
    assert export.manifest["formats"] == ["csv", *(one.name for one in OPERATIONAL)]
    return zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256)))


def csv_rows(archive: zipfile.ZipFile, name: str) -> list[list[str]]:
    dataset = DATASETS[name]
    lines = csv.reader(archive.read(dataset.path).decode().splitlines())
    next(lines)
    types = [one.type for one in dataset.columns]
    return [
        [text(plain(cell, type)) for cell, type in zip(line, types, strict=True)] for line in lines
    ]


def plain(cell: str, type: Type) -> Any:
    """What a cell of the CSV stands for."""
    if type in {Type.INTEGER, Type.NUMBER} and cell:
        return float(cell)
    return csvtext.unguarded(cell) if type is Type.TEXT else cell


def same(one: str, other: str) -> bool:
    """Whether two cells are equal, moments to the millisecond that Stata keeps.

    SPSS counts seconds since 1582 in a double, which is 2 us coarse today: a moment at
    .923999 comes back as .924, so that digits cut off at the millisecond would differ.
    """
    if one == other:
        return True
    try:
        apart = datetime.fromisoformat(one) - datetime.fromisoformat(other)
    except ValueError:
        return False
    return "T" in one and abs(apart) <= timedelta(milliseconds=1)


def text(value: Any) -> str:
    """A value as all formats can say it, its words and numbers alike."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, datetime):
        value = value.replace(tzinfo=None).isoformat(timespec="microseconds")
    if isinstance(value, int | float):
        return repr(float(value))
    is_moment = len(value) > 20 and value[10] == "T" and value[4] == "-"
    return value.removesuffix("Z")[:26] if is_moment else value


def test_cells_are_the_same_within_a_millisecond_and_not_beyond():
    moment = "2026-11-29T19:52:28.923999"
    assert same(moment, "2026-11-29T19:52:28.924000")
    assert same("1015.0", "1015.0")
    assert not same(moment, "2026-11-29T19:52:28.925000")
    assert not same("2026-11-29", "2026-11-30")
    assert not same("1015.0", "1015.1")
    assert not same("", moment)


def rows_in(path: Path) -> list[tuple]:
    match path.suffix:
        case ".parquet":
            return polars.read_parquet(path).rows()
        case ".json":
            return json.loads(path.read_bytes())["rows"]
    read = {".xpt": pyreadstat.read_xport, ".sav": pyreadstat.read_sav, ".dta": pyreadstat.read_dta}
    found, _ = read[path.suffix](str(path), output_format="dict")
    return list(zip(*found.values(), strict=True))


def test_the_same_rows_give_the_same_bytes_at_another_time(tmp_path):
    for name in FORMATS:
        first = written(tmp_path, name)[0].read_bytes()
        # The formats of ReadStat keep seconds.
        time.sleep(1.1 if name == "spss" else 0)
        assert written(tmp_path, name)[0].read_bytes() == first


def test_an_unknown_format_is_refused_by_name(made):
    with pytest.raises(Invalid, match="No format is called sas7bdat"):
        exports.request(made.trial, reason="a test", by=made.statistician, formats=["sas7bdat"])


def test_names_that_stata_or_spss_keep_for_themselves_become_others(tmp_path):
    words = ("in", "using", "str5", "by", "with", "suv")
    dataset = replace(
        EVERY_TYPE, keys=("in",), columns=tuple(column(one, Type.TEXT) for one in words)
    )
    for name, read in (("stata", pyreadstat.read_dta), ("spss", pyreadstat.read_sav)):
        path, _ = written(tmp_path, name, [("1", "2", "3", "4", "5", "6")], dataset)
        found, _ = read(str(path), output_format="dict")
        assert len(found) == len(words)
        assert found["suv"] == ["6"]


@pytest.mark.parametrize("name", ["xpt", "spss", "stata"])
def test_an_integer_between_two_doubles_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="9007199254740993"):
        written(tmp_path, name, [(2**53 + 1, 1.0, "", True, MOMENT, "2026")])
