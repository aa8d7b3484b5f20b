"""CSV as exports write it, read back by the standard library."""

from __future__ import annotations

import csv
import io
import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import csvtext
from reporting.datasets import Column, Privacy, Type


def column(kind: Type, name: str = "x") -> Column:
    return Column(name, "A column", kind, Privacy.TECHNICAL)


def written(kind: Type, value) -> str:
    return csvtext.cell(column(kind), value)


def read_back(kind: Type, value) -> str:
    """The cell as the standard library reads it, in a row between two others."""
    columns = [column(Type.INTEGER, "a"), column(kind, "b"), column(Type.INTEGER, "c")]
    text = b"".join(csvtext.lines(columns, [(1, value, 2)])).decode("utf-8")
    header, row = csv.reader(io.StringIO(text, newline=""))
    assert (header, row[0], row[2]) == (["a", "b", "c"], "1", "2")
    return row[1]


@pytest.mark.requirement("R115")
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_reads_back_to_the_very_same_bits(value):
    cell = read_back(Type.NUMBER, value)
    assert struct.pack("<d", float(cell)) == struct.pack("<d", value)


@pytest.mark.requirement("R118")
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1))
def test_every_text_reads_back_unchanged(text):
    assert csvtext.unguarded(read_back(Type.TEXT, text)) == text


# The characters OWASP lists for CSV injection, and their wide forms.
@pytest.mark.requirement("R118")
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_a_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe(start):
    assert written(Type.TEXT, f"{start}SUM(A1)") == f"'{start}SUM(A1)"


@pytest.mark.parametrize("text", ["-5.2", "+3", "-1e-5", "12"])
def test_a_number_in_a_text_stays_a_number(text):
    assert written(Type.TEXT, text) == text


@pytest.mark.parametrize("text", ["-5.2-1", "-1+cmd|' /C calc'!A0", "+3()"])
def test_what_only_begins_like_a_number_is_guarded(text):
    assert written(Type.TEXT, text) == f"'{text}"


def test_negative_numbers_are_never_touched():
    assert written(Type.NUMBER, -1.5) == "-1.5"


@pytest.mark.parametrize("kind", Type)
def test_a_missing_value_is_an_empty_cell(kind):
    assert read_back(kind, None) == ""


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Type.NUMBER, float("nan")),
        (Type.NUMBER, float("inf")),
        (Type.NUMBER, "1.5"),
        (Type.NUMBER, True),
        (Type.INTEGER, 1.5),
        (Type.INTEGER, True),
        (Type.FLAG, 1),
        (Type.TEXT, 5),
        (Type.MOMENT, datetime(2026, 3, 2, 8, 15)),  # noqa: DTZ001  what is refused
        (Type.MOMENT, "2026-03-02"),
        (Type.PARTIAL_DATE, "2.3.2026"),
        (Type.PARTIAL_DATE, "2026-03-02 08:15"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_the_name_of_its_column(kind, value):
    with pytest.raises(csvtext.CellError, match="column x holds"):
        written(kind, value)


def test_a_moment_is_written_in_utc():
    berlin = timezone(timedelta(hours=1))
    assert written(Type.MOMENT, datetime(2026, 3, 2, 0, 30, tzinfo=berlin)) == (
        "2026-03-01T23:30:00.000000Z"
    )
    assert written(Type.MOMENT, datetime(2026, 3, 2, 8, 15, 0, 250, tzinfo=UTC)) == (
        "2026-03-02T08:15:00.000250Z"
    )


@pytest.mark.parametrize("text", ["2026", "2026-03", "2026-03-02", "2026-03-02T08:15:00+01:00"])
def test_a_partial_date_stays_as_precise_as_it_is(text):
    assert written(Type.PARTIAL_DATE, text) == text


def test_flags_are_y_and_n():
    assert (written(Type.FLAG, True), written(Type.FLAG, False)) == ("Y", "N")


def test_lines_end_as_rfc_4180_says_and_quotes_stand_only_where_needed():
    columns = [column(Type.TEXT, "a"), column(Type.TEXT, "b")]
    found = b"".join(csvtext.lines(columns, [('say "no", twice', "µg")]))
    assert found == 'a,b\r\n"say ""no"", twice",µg\r\n'.encode()


def test_a_row_of_another_length_is_refused():
    with pytest.raises(csvtext.CellError, match="expected 1 values in a row, got 2"):
        list(csvtext.lines([column(Type.TEXT)], [("a", "b")]))
