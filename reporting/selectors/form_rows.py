"""The rows of the tables of case report forms: one for each completed form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import F, Prefetch
from django.db.models.functions import Collate

from reporting.datasets import case_report_forms
from reporting.datasets.case_report_forms import FormTable
from reporting.selectors.rows import CHUNK, NO_MORE_USE
from trials.models import FormEntry, ItemValue, Trial

# With the number of the version that asked a value last which the entry's own asks no more.
VALUES = ItemValue.objects.annotate(asked_by=F("asked_version__number"))


def tables(trial: Trial) -> dict[str, FormTable]:
    """A table for every form that a version of the trial asked, be it empty."""
    return case_report_forms.tables(dict(trial.versions.values_list("number", "definition")))


def of(
    table: FormTable, trial: Trial, *, by_patient: bool = False, chunk: int = CHUNK
) -> Iterator[list[Any]]:
    """The rows of a table, each with its values in the order of the columns.

    By patient as `reporting.selectors.rows.of` orders them.
    """
    patient = "patient__identifier"
    rows = (
        FormEntry.objects.filter(
            patient__trial=trial, form=table.form, state=FormEntry.State.COMPLETE
        )
        .exclude(patient__withdrawals__extent__in=NO_MORE_USE)
        .select_related("patient__site", "version")
        .defer("version__definition", "version__text")
        .prefetch_related(Prefetch("values", VALUES))
        .order_by(Collate(patient, "C") if by_patient else patient, "visit", "repeat", "pk")
    )
    for entry in rows.iterator(chunk_size=chunk):
        values = {one.item: one for one in entry.values.all()}
        identifier = entry.patient.identifier
        head = [trial.identifier, f"{trial.identifier}-{identifier}", entry.patient.site.code]
        yield [
            *head,
            identifier,
            entry.visit,
            entry.repeat,
            entry.version.label,
            *(_cell(place, values, entry.version.number) for place in table.places),
            *([entry.changed_unblinded_at] if table.is_of_panel else []),
            entry.completed_at,
            table.dataset.table,
            entry.pk,
        ]


def _cell(place: case_report_forms.Place, values: dict, version: int) -> Any:
    row = values.get(place.item)
    if row is None or (row.asked_by or version) not in place.versions:
        return None
    return place.read(row.entered)
