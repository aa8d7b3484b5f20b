"""What SDTM is made from: the rows of the operational datasets of one reading, by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from reporting import profiles
from reporting.blinding import Blinding
from reporting.datasets import DATASETS, Dataset
from reporting.datasets.case_report_forms import FormTable
from reporting.datasets.tells import TELLS
from reporting.profiles import Profile
from reporting.sdtm import FormRows, Source, Version
from reporting.sdtm.assessments import READ
from reporting.selectors import form_rows, rows
from trials.models import Trial

# Of no patient, or of the conduct of the trial and not of what was found.
LEFT_OUT = frozenset(
    {
        "queries",
        "batches",
        "tracer_movements",
        "accountability_reviews",
        "monitoring_visits",
        "action_items",
        "reader_agreement",
        "conformance",
        "hypotheses",
    }
)


# Patients that are in memory at once, and rows of each dataset that a cursor brings at once.
PATIENTS_AT_A_TIME, CHUNK, FORMS_AT_A_TIME = 50, 250, 100


def of_trial(trial: Trial, as_of: datetime, blinding: Blinding) -> Source:
    """What SDTM takes that is of no patient."""
    versions = trial.versions.order_by("number").values_list("number", "label", "definition")
    return Source(
        study=trial.identifier,
        as_of=as_of,
        versions=[Version(*one) for one in versions],
        tables={},
        forms={},
        readers=frozenset(_readers(trial, blinding)),
    )


def of_patients(trial: Trial, source: Source, blinding: Blinding) -> Iterator[Source]:
    """The rows that SDTM takes, those of some patients at a time, in the order of USUBJID.

    Read within the transaction of whoever asks, each dataset once, side by side. A row of which
    something is kept back is none of them: its variables have no gaps. What a whole trial conceals
    can't be left out so; who asks has seen to that.
    """
    datasets = {
        name: _Patients(of_dataset(dataset, trial, blinding))
        for name, dataset in DATASETS.items()
        if name not in LEFT_OUT
    }
    tables = form_rows.tables(trial)
    forms = {name: _Patients(_of_form(one, trial, blinding)) for name, one in tables.items()}
    people = datasets.pop("patients")
    while some := people.next(PATIENTS_AT_A_TIME):
        last = some[-1]["usubjid"]
        yield replace(
            source,
            tables={"patients": some, **{name: one.until(last) for name, one in datasets.items()}},
            forms={name: FormRows(tables[name], one.until(last)) for name, one in forms.items()},
        )


class _Patients:
    """Rows in the order of their patients."""

    def __init__(self, rows: Iterator[dict[str, Any]]) -> None:
        self._rows = rows
        self._first = next(rows, None)

    def until(self, usubjid: str) -> list[dict[str, Any]]:
        """The next rows, as far as they are of this patient or one before."""
        found = []
        while self._first is not None and self._first["usubjid"] <= usubjid:
            found.append(self._first)
            self._first = next(self._rows, None)
        return found

    def next(self, number: int) -> list[dict[str, Any]]:
        """The next rows, so many of them."""
        found = []
        while self._first is not None and len(found) < number:
            found.append(self._first)
            self._first = next(self._rows, None)
        return found


def _readers(trial: Trial, blinding: Blinding) -> Iterator[int]:
    """All who read anything of the trial."""
    for name in READ:
        dataset = DATASETS[name]
        # What a row keeps back its other columns say too.
        veil = blinding.veil(dataset, TELLS[name])
        few = replace(
            dataset, columns=tuple(one for one in dataset.columns if one.name in _OF_READER)
        )
        found = rows.of(few, trial, is_unblinded=blinding.is_unblinded)
        place = few.column_names.index("reader")
        for row in replace(veil, original=few).open_rows(found):
            yield row[place]


_OF_READER = frozenset({"usubjid", "reader"})


def of_dataset(dataset: Dataset, trial: Trial, blinding: Blinding) -> Iterator[dict[str, Any]]:
    """The rows of a dataset in the order of their patients, those of which nothing is kept back."""
    veil = blinding.veil(dataset, TELLS[dataset.name])
    found = rows.of(
        dataset, trial, is_unblinded=blinding.is_unblinded, by_patient=True, chunk=CHUNK
    )
    names = dataset.column_names
    return (dict(zip(names, row, strict=True)) for row in veil.open_rows(found))


def _of_form(table: FormTable, trial: Trial, blinding: Blinding) -> Iterator[dict[str, Any]]:
    """The rows of a form, without what leaves under no profile."""
    leaves = set(profiles.plan(Profile.FULL, table.dataset).dataset.column_names)
    names = table.dataset.column_names
    veil = blinding.veil(table.dataset, table.tells)
    found = form_rows.of(table, trial, by_patient=True, chunk=FORMS_AT_A_TIME)
    return (
        {name: value for name, value in zip(names, row, strict=True) if name in leaves}
        for row in veil.open_rows(found)
    )
