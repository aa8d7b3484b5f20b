"""CSV from columns, held against csvtext, which writes the same cell by cell with Python's csv."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import csvtext
from reporting.datasets import Column, Dataset, Privacy, Type
from reporting.formats import csv
from reporting.formats.staged import BATCH_ROWS, Stage

KINDS = (Type.TEXT, Type.NUMBER, Type.FLAG, Type.MOMENT, Type.PARTIAL_DATE, Type.INTEGER)
ZONES = [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=9))]
# Of some zones it is the year before that.
EARLIEST = datetime(1, 1, 2)  # noqa: DTZ001  hypothesis adds the zone
# Texts that mean something to a reader of CSV or to a spreadsheet, and digits of other alphabets.
TELLING = st.text(alphabet="=+-@\t\r\n＝＋－＠',\"; 0123٣.eE\0µ", max_size=6)
NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**80), 2**80)
    | st.floats(0, 1e4).map(lambda value: round(value, 2))
    | st.sampled_from([1e-4, 9.999999999999999e-5, 1e10, 9999999999.999998, 1e16, -0.0, 5e-324])
)
VALUES: dict[Type, st.SearchStrategy] = {
    Type.TEXT: st.text(alphabet=st.characters(codec="utf-8")) | TELLING,
    Type.NUMBER: NUMBERS,
    Type.FLAG: st.booleans(),
    Type.MOMENT: st.datetimes(timezones=st.sampled_from(ZONES), min_value=EARLIEST),
    Type.PARTIAL_DATE: st.sampled_from(["2026", "2026-03", "2026-03-02", "2026-03-02T08:15+01:00"]),
    Type.INTEGER: st.integers(-(2**63), 2**63 - 1),
}
ROWS = st.lists(st.tuples(*(st.none() | st.just("") | VALUES[kind] for kind in KINDS)), max_size=40)


def dataset(*kinds: Type) -> Dataset:
    columns = tuple(
        Column(f"c{place}", "A column", kind, Privacy.TECHNICAL) for place, kind in enumerate(kinds)
    )
    return Dataset("made", "Made", "none", "a test", "trials_trial", ("c0",), columns)


def of_columns(about: Dataset, rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    yield csv.header(about.columns)
    for batch in Stage(about).batches(rows):
        yield csv.text(about.columns, batch).to_pybytes()


def of_cells(about: Dataset, rows: Sequence[Sequence[Any]]) -> bytes:
    return b"".join(csvtext.lines(about.columns, rows))


@pytest.mark.requirement("R115", "R118")
@given(ROWS)
def test_the_bytes_are_those_of_cell_by_cell(rows):
    about = dataset(*KINDS)
    assert b"".join(of_columns(about, rows)) == of_cells(about, rows)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_one_column_that_has_empty_cells(kind):
    about = dataset(kind)
    assert b"".join(of_columns(about, [(None,), ("",)])) == of_cells(about, [(None,), ("",)])


def test_every_sign_that_starts_a_formula_is_guarded_before_anything():
    about = dataset(Type.TEXT)
    rows = [(sign + rest,) for sign in csvtext.FORMULA_START for rest in ("1", "1+1", "x", "", "٣")]
    assert b"".join(of_columns(about, rows)) == of_cells(about, rows)


def test_more_rows_than_one_batch():
    about = dataset(Type.INTEGER, Type.TEXT)
    rows = [(number, f"a,{number}") for number in range(2 * BATCH_ROWS + 3)]
    assert b"".join(of_columns(about, rows)) == of_cells(about, rows)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Type.NUMBER, float("nan")),
        (Type.NUMBER, float("-inf")),
        (Type.NUMBER, "1.5"),
        (Type.NUMBER, True),
        (Type.INTEGER, 1.0),
        (Type.INTEGER, True),
        (Type.FLAG, 1),
        (Type.TEXT, 5),
        (Type.TEXT, b"liver"),
        (Type.MOMENT, datetime(2026, 3, 2, 8, 15)),  # noqa: DTZ001  what is refused
        (Type.MOMENT, "2026-03-02"),
        (Type.PARTIAL_DATE, "2.3.2026"),
        (Type.PARTIAL_DATE, "2026-03-02\n"),
    ],
)
def test_what_no_cell_takes_is_refused_in_the_same_words(kind, value):
    about, rows = dataset(kind, Type.INTEGER), [(None, 6), (value, 7), (None, 8)]
    with pytest.raises(csvtext.CellError) as said:
        list(csvtext.lines(about.columns, rows))
    with pytest.raises(csvtext.CellError) as found:
        list(of_columns(about, rows))
    assert str(found.value) == str(said.value)
    assert "row 7: column c0 holds" in str(found.value)


def test_a_row_of_another_length_is_refused_in_the_same_words():
    for rows in ([(1, 2, 3)], [(1, 2), (1,)]):
        with pytest.raises(csvtext.CellError, match="expected 2 values in a row, got"):
            list(of_columns(dataset(Type.INTEGER, Type.INTEGER), rows))


def test_an_integer_that_no_column_of_arrow_holds_is_refused_with_its_rows():
    with pytest.raises(csvtext.CellError, match=r"rows 5 to 5: .*too large"):
        list(of_columns(dataset(Type.INTEGER, Type.INTEGER), [(2**63, 5)]))
