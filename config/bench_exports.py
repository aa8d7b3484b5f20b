"""A million rows in every format of an export, beside pandas and pyreadstat in the same run.

`python -m config.bench_exports`, and a part of `make bench`. Both ways begin with the same rows:
ours as a reader of the database yields them, theirs in the table that a script would have made of
them. Before anything is timed, what each wrote of the first rows is read back and compared. The
ways take turns; the ratio of their medians counts, the goal in seconds stands beside it. Below,
how CSV grows with its rows.
"""

from __future__ import annotations

import io
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import pandas
import pyarrow.parquet
import pyreadstat

from config import bench
from reporting.datasets import Column, Dataset, Privacy, Type
from reporting.formats import FORMATS, About, csv
from reporting.formats.staged import Stage, Staged

ROWS = 1_000_000
COMPARED_ROWS = 2000
ROUNDS = 3
SIZES = (125_000, 250_000, 500_000, 1_000_000)
ABOUT = About(study="BENCH", export=1, as_of=datetime(2026, 3, 2, tzinfo=UTC), software="bench")
# Seconds of a million rows that each is to stay under.
GOALS = {"csv": 2.0, "xpt": 6.0, "dataset-json": 6.0, "parquet": 1.0}

Rows = list[tuple[Any, ...]]
Writes = Callable[[BinaryIO], object]


def _column(name: str, type: Type) -> Column:
    return Column(name, name.title(), type, Privacy.TECHNICAL, missing="not measured")


LESIONS = Dataset(
    name="lesions",
    label="Lesions",
    domain="",
    grain="a lesion",
    table="lesions",
    keys=("patient", "lesion"),
    columns=(
        _column("patient", Type.TEXT),
        _column("lesion", Type.INTEGER),
        _column("site", Type.TEXT),
        _column("suvmax", Type.NUMBER),
        _column("volume", Type.NUMBER),
        _column("visit", Type.TEXT),
    ),
)


class Discarded(io.RawIOBase):
    """Takes bytes and keeps none: what is measured is the writing, not the disk."""

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        return len(content)


@dataclass(frozen=True)
class Case:
    """The same rows, as they come from the database, as we stage them, and as a table of pandas."""

    rows: Rows
    staged: Staged
    table: pandas.DataFrame


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tt-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        require_equal(case_of(COMPARED_ROWS, folder / "few"), folder)
        case = case_of(ROWS, folder / "many")
        print(
            f"\n{ROWS:,} rows x 6 columns{'':29}{'ours':>11}{'instead':>11}{'ratio':>8}{'goal':>18}"
        )
        missed = [name for name in GOALS if not is_met(name, case, folder)]
        print(f"\n{'':54}{'seconds':>26}{'exponent':>10}")
        # From the rows on, so that checking and staging are in it.
        bench.growth("CSV, by rows", SIZES, lambda n: to_csv(case.rows[:n]))
    if missed:
        print(f"\nMISSED: {', '.join(missed)}")
    return 0


def case_of(count: int, path: Path) -> Case:
    rows = invented(count)
    stage = Stage(LESIONS, path)
    for _ in stage.batches(rows):
        pass
    return Case(rows, stage.staged(), pandas.DataFrame(rows, columns=LESIONS.column_names))


def invented(count: int) -> Rows:
    """Lesions of patients of ten each; one measurement in fifty is missing."""
    chance = random.Random(20260302)  # noqa: S311  no secret
    sites = ("liver", "lymph node, axillary", "bone", "spleen")
    return [
        (
            f"101-{number // 10:06}",
            number % 10 + 1,
            sites[number % 4],
            None if number % 50 == 0 else chance.uniform(1.0, 60.0),
            chance.uniform(0.1, 300.0),
            "BASELINE" if number % 2 else "FOLLOW-UP 1",
        )
        for number in range(count)
    ]


def is_met(name: str, case: Case, folder: Path) -> bool:
    """Print a format beside what one would use instead; whether it keeps to its goal."""
    what, ours, instead = ways(name, case, folder)
    times: dict[Callable[[], object], list[float]] = {ours: [], instead: []}
    for _ in range(ROUNDS):
        for way, found in times.items():
            found.append(bench.seconds(way))
    mine, other = (statistics.median(found) for found in times.values())
    goal = GOALS[name] * len(case.rows) / ROWS
    said = f"< {goal:g} s {'met' if mine < goal else 'MISSED'}"
    print(f"{what:54}{mine:>9.2f} s{other:>9.2f} s{other / mine:>8.2f}{said:>18}", flush=True)
    return mine < goal


def ways(
    name: str, case: Case, folder: Path
) -> tuple[str, Callable[[], object], Callable[[], object]]:
    """What is compared, ours and the other."""
    if name == "csv":
        return (
            "CSV from rows, against pandas",
            lambda: to_csv(case.rows),
            lambda: pandas.DataFrame(case.rows, columns=LESIONS.column_names).to_csv(
                _text(), index=False
            ),
        )
    label, instead = {
        "xpt": ("XPT version 5, against pyreadstat", by_pyreadstat),
        "dataset-json": ("Dataset-JSON, against rows of pandas' JSON", by_pandas_json),
        "parquet": ("Parquet, against pandas (pyarrow)", by_pandas_parquet),
    }[name]
    return (
        label,
        lambda: FORMATS[name].write(case.staged, cast(BinaryIO, Discarded()), ABOUT),
        lambda: instead(case.table, folder / f"theirs.{name}"),
    )


def to_csv(rows: Rows, target: BinaryIO | None = None) -> None:
    """As the bundle writes it, from rows to bytes."""
    file = target or cast(BinaryIO, Discarded())
    file.write(csv.header(LESIONS.columns))
    for batch in Stage(LESIONS).batches(rows):
        file.write(csv.text(LESIONS.columns, batch))


def _text() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(Discarded()))


def by_pyreadstat(table: pandas.DataFrame, path: Path) -> None:
    pyreadstat.write_xport(table, str(path), file_format_version=5, table_name="LESIONS")


def by_pandas_json(table: pandas.DataFrame, path: Path) -> None:
    table.to_json(path, orient="values")


def by_pandas_parquet(table: pandas.DataFrame, path: Path) -> None:
    table.to_parquet(path, compression="zstd")


def require_equal(case: Case, folder: Path) -> None:
    """Before anything is timed: what we wrote reads back as what they wrote."""
    text = io.BytesIO()
    to_csv(case.rows, text)
    text.seek(0)
    found = {"csv": pandas.read_csv(text)}
    for name in ("xpt", "parquet"):
        path = folder / f"ours.{name}"
        with path.open("wb") as file:
            FORMATS[name].write(case.staged, file, ABOUT)
        found[name] = _read(name, path)
    by_pyreadstat(case.table, folder / "theirs.xpt")
    for name, table in (*found.items(), ("pyreadstat", _read("xpt", folder / "theirs.xpt"))):
        table.columns = table.columns.str.lower()
        pandas.testing.assert_frame_equal(table, case.table, check_dtype=False, obj=name)


def _read(name: str, path: Path) -> pandas.DataFrame:
    if name == "xpt":
        return pyreadstat.read_xport(str(path))[0]
    return pyarrow.parquet.read_table(path).to_pandas()


if __name__ == "__main__":
    sys.exit(main())
