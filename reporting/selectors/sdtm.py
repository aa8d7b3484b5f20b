"""What SDTM is made from: the rows of the operational datasets of one reading, by name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from reporting import profiles
from reporting.datasets import DATASETS
from reporting.datasets.case_report_forms import FormTable
from reporting.profiles import Profile
from reporting.sdtm import FormRows, Source, Version
from reporting.selectors import form_rows, rows
from trials.models import Trial

# Of no patient, or of the conduct of the trial and not of what was found.
LEFT_OUT = frozenset(
    {"queries", "tracer_movements", "monitoring_visits", "action_items", "reader_agreement"}
)


def source(trial: Trial, as_of: datetime) -> Source:
    """The rows that SDTM takes, read within the transaction of whoever asks."""
    versions = trial.versions.order_by("number").values_list("number", "label", "definition")
    return Source(
        study=trial.identifier,
        as_of=as_of,
        versions=[Version(*one) for one in versions],
        tables={
            name: [
                dict(zip(dataset.column_names, row, strict=True)) for row in rows.of(dataset, trial)
            ]
            for name, dataset in DATASETS.items()
            if name not in LEFT_OUT
        },
        forms={
            name: FormRows(table, _of_form(table, trial))
            for name, table in form_rows.tables(trial).items()
        },
    )


def _of_form(table: FormTable, trial: Trial) -> list[dict[str, Any]]:
    """The rows of a form, without what leaves under no profile."""
    leaves = set(profiles.plan(Profile.FULL, table.dataset).dataset.column_names)
    names = table.dataset.column_names
    return [
        {name: value for name, value in zip(names, row, strict=True) if name in leaves}
        for row in form_rows.of(table, trial)
    ]
