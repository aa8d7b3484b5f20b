"""Files of an export read by R, as a statistician does: haven (ReadStat) and foreign's own code.

Every cell is held to the CSV of the same export; what a transport file can't hold as it is must
stand in its list of changes.
"""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path

from reporting import adam, csvtext, sdtm, storage
from reporting.adam.finishing import dataset as analysis_dataset
from reporting.adam.populations import Populations
from reporting.datasets import DATASETS, Column, Dataset, Type
from reporting.formats import FORMATS, About
from reporting.formats.names import LONGEST_XPT_NAME, shortened
from reporting.formats.staged import Stage
from reporting.models import Export
from reporting.sdtm.tables import dataset as domain_dataset
from reporting.services import exports
from tests.commands import said
from tests.reporting import sdtm_trial
from trials.services import jobs

SCRIPT = Path(__file__).parent / "r" / "read_back.R"
READ = ("xpt", "spss", "stata")
NUMBERS = {Type.INTEGER, Type.NUMBER}
SECONDS_TO_1970 = 315_619_200


def read_by_r(rscript: str, folder: Path) -> None:
    said([rscript, "--vanilla", str(SCRIPT), str(folder)], timeout=300)


def lines(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def table(archive: zipfile.ZipFile, path: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(archive.read(path).decode(), newline="")))


def test_r_reads_the_cells_of_the_csv_in_every_file_of_an_export(made, tmp_path, rscript):
    archive = frozen(made)
    datasets = {one: DATASETS[one] for one in DATASETS if DATASETS[one].path in archive.namelist()}
    for name in READ:
        for one in datasets:
            path = FORMATS[name].path(one)
            (tmp_path / f"{one}.{FORMATS[name].suffix}").write_bytes(archive.read(path))
    read_by_r(rscript, tmp_path)
    assert len(datasets) > 20
    compared = 0
    for name in READ:
        changed = changes(archive, FORMATS[name].folder)
        for one, dataset in datasets.items():
            path = tmp_path / f"{one}.{FORMATS[name].suffix}"
            wanted = table(archive, dataset.path)
            assert_labels(path, name, dataset)
            programs = ["haven", *(["foreign"] if name == "xpt" and len(wanted) > 1 else [])]
            for program in programs:
                found = lines(Path(f"{path}.{program}.csv"))
                where = f"{name} {one} by {program}"
                compared += compare(found[1:], wanted[1:], dataset, changed, where)
    assert compared > 1_000


def frozen(made) -> zipfile.ZipFile:
    export = exports.request(
        made.trial, reason="to be read by R", by=made.statistician, formats=READ
    )
    jobs.run(export.job)
    export.refresh_from_db()
    assert export.state == Export.State.FROZEN, export.message
    return zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256)))


def changes(archive: zipfile.ZipFile, folder: str) -> set[tuple[str, int, str]]:
    path = f"{folder}/changed.csv"
    if path not in archive.namelist():
        return set()
    return {(one[0], int(one[1]), one[2]) for one in table(archive, path)[1:]}


def assert_labels(path: Path, name: str, dataset: Dataset) -> None:
    found = lines(Path(f"{path}.labels.csv"))[1:]
    names = list(dataset.column_names)
    if name == "xpt":
        names = [one.upper() for one in shortened(names, LONGEST_XPT_NAME).values()]
    assert [one[0] for one in found] == names, path.name
    for (_, label), column in zip(found, dataset.columns, strict=True):
        # A transport file has 40 characters for it, Stata 80.
        assert label, (path.name, column.name)
        assert column.label.startswith(label[:30]) or not column.label.isascii()


def compare(found, wanted, dataset: Dataset, changed, where: str) -> int:
    """How many cells that hold something are the same; all of them must be."""
    assert len(found) == len(wanted), where
    count = 0
    for row, (got, line) in enumerate(zip(found, wanted, strict=True), 1):
        for column, cell, want in zip(dataset.columns, got, line, strict=True):
            if (dataset.name, row, column.name) in changed:
                continue
            assert is_same(cell, want, column), (where, row, column.name, cell, want)
            count += want != ""
    return count


def is_same(cell: str, want: str, column: Column) -> bool:
    type_ = column.type
    if not want or not cell:
        return cell == want
    # By their formats of SAS haven takes days and seconds since 1960 for what they are.
    if column.sas_format == "DATE9." and "-" in cell:
        return date.fromisoformat(cell) == date(1960, 1, 1) + timedelta(days=int(want))
    if column.sas_format.startswith("DATETIME") and "." in cell:
        return float(cell) + SECONDS_TO_1970 == float(want)
    if type_ in NUMBERS:
        return float(cell) == float(want)
    if type_ is Type.MOMENT and not cell.endswith("Z"):
        # Milliseconds are what Stata has.
        return abs(float(cell) - datetime.fromisoformat(want).timestamp()) < 0.001
    return cell == (csvtext.unguarded(want) if type_ is Type.TEXT else want)


def test_r_reads_the_records_of_sdtm_and_adam_in_their_transport_files(tmp_path, rscript):
    domains = sdtm.domains(sdtm_trial.made())
    made = [(domain_dataset(one), one) for one in domains if one.rows]
    found = adam.datasets(domains, Populations((), ()))
    made += [(analysis_dataset(one), one) for one in found if one.rows]
    changed = set()
    for dataset, of in made:
        stage = Stage(dataset, tmp_path / "rows.arrow")
        for _ in stage.batches(of.rows):
            pass
        with (tmp_path / f"{of.name}.xpt").open("wb") as file:
            changes_of = FORMATS["xpt"].write(stage.staged(), file, ABOUT)
        changed |= {(one.dataset, one.row, one.column) for one in changes_of}
    # The dose of a CT has a dot between its units, and a deviation's text ends with a blank.
    assert changed == {("CO", 5, "COVAL"), ("SUPPDV", 5, "QVAL")}
    read_by_r(rscript, tmp_path)
    compared = 0
    for dataset, of in made:
        for program in ("haven", "foreign"):
            header, *cells = lines(tmp_path / f"{of.name}.xpt.{program}.csv")
            assert header == [one.name for one in of.variables]
            wanted = [["" if cell is None else str(cell) for cell in row] for row in of.rows]
            compared += compare(cells, wanted, dataset, changed, f"{of.name} by {program}")
    assert compared > 1_000


ABOUT = About(study="DEMO", export=1, as_of=sdtm_trial.NOW, software="0.1.0")
