"""Rows of datasets for reports, read now: a query a dataset, or whether there is a row at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from reporting.datasets import DATASETS
from reporting.datasets.populations import POPULATIONS
from reporting.reports.rows import Row
from reporting.selectors import form_rows, population_rows, rows
from trials.models import FormEntry, Trial

FORM = "form_"


def read(trial: Trial, names: Collection[str]) -> dict[str, list[Row]]:
    """The rows of datasets by name; a form that no version of the trial asks has none."""
    forms = form_rows.tables(trial) if any(one.startswith(FORM) for one in names) else {}
    found: dict[str, list[Row]] = {}
    for name in names:
        if name in DATASETS:
            dataset, values = DATASETS[name], rows.of(DATASETS[name], trial)
        elif name in forms:
            dataset, values = forms[name].dataset, form_rows.of(forms[name], trial)
        elif name == POPULATIONS.name:
            dataset, values = POPULATIONS, population_rows.of(trial)
        else:
            continue
        found[name] = list(_named(dataset.column_names, values))
    return found


def _named(names: tuple[str, ...], values: Iterator[list]) -> Iterator[Row]:
    for row in values:
        yield dict(zip(names, row, strict=True))


def filled(trial: Trial, names: Collection[str]) -> set[str]:
    """Which of the datasets have a row; a query for each, and one for all forms together."""
    forms = {name.removeprefix(FORM) for name in names if name.startswith(FORM)}
    entered = FormEntry.objects.filter(
        patient__trial=trial, form__in=forms, state=FormEntry.State.COMPLETE
    )
    found = {f"{FORM}{form}" for form in entered.order_by().values_list("form", flat=True)}
    for name in names:
        if name in DATASETS and rows.selected(DATASETS[name], trial).order_by().exists():
            found.add(name)
    return found
