"""The rows of each dataset: one query a dataset, however many rows there are.

A dataset's source says where each of its columns is read. Rows are read through a cursor of
the server, so that memory does not grow with the trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import F
from django.db.models.functions import Collate

from reporting.datasets import Dataset
from reporting.selectors.sources import OPENED, SOURCES
from reporting.selectors.sources.base import Computed, Source, computed
from trials.models import Trial, Withdrawal

CHUNK = 500
# How far a withdrawal has to reach for nothing of the patient to be used any more.
NO_MORE_USE = (Withdrawal.Extent.USE, Withdrawal.Extent.DESTROY)


def of(
    dataset: Dataset,
    trial: Trial,
    *,
    is_unblinded: bool = False,
    by_patient: bool = False,
    chunk: int = CHUNK,
    ends: Mapping[str, datetime] | None = None,
) -> Iterator[list[Any]]:
    """The rows of a dataset, each with its values in the order of the columns.

    Unblinded they hold what the trial conceals. By patient those of one come together, patients in
    the order in which Python sorts their identifiers, so that rows of several datasets meet.
    """
    readers = _readers(dataset, is_unblinded=is_unblinded)
    lookups = _lookups(readers)
    places = [tuple(lookups.index(lookup) for lookup in reader.lookups) for reader in readers]
    calls = [reader.function for reader in readers]
    found = selected(dataset, trial, ends=ends)
    if by_patient:
        order = found.query.order_by
        found = found.order_by(Collate(F(SOURCES[dataset.name].columns["patient"]), "C"), *order)
    for row in found.iterator(chunk_size=chunk):
        yield [
            call(*(row[place] for place in taken))
            for call, taken in zip(calls, places, strict=True)
        ]


def selected(dataset: Dataset, trial: Trial, *, ends: Mapping[str, datetime] | None = None) -> Any:
    """What is read for a dataset: one query, a look-up a column."""
    rows = _in_use(dataset, SOURCES[dataset.name], trial, ends)
    return rows.values_list(*_lookups(_readers(dataset)))


def _readers(dataset: Dataset, *, is_unblinded: bool = False) -> list[Computed]:
    source = SOURCES[dataset.name]
    if is_unblinded:
        source = OPENED.get(dataset.name, source)
    return [_reader(dataset, source, name) for name in dataset.column_names]


def _lookups(readers: list[Computed]) -> list[str]:
    return list(dict.fromkeys(lookup for reader in readers for lookup in reader.lookups))


def _in_use(
    dataset: Dataset, source: Source, trial: Trial, ends: Mapping[str, datetime] | None
) -> Any:
    """The rows whose patients let them be used; a patient stays in the list of patients alone."""
    if ends is not None and source.rows_until is not None:
        rows = source.rows_until(trial, ends)
    else:
        rows = source.rows(trial)
    patient = source.columns.get("patient", "")
    if dataset.name == "patients" or not isinstance(patient, str) or not patient:
        return rows
    path = patient.removesuffix("identifier")
    return rows.exclude(**{f"{path}withdrawals__extent__in": NO_MORE_USE})


def _reader(dataset: Dataset, source: Source, name: str) -> Computed:
    if name == "record_table":
        return computed(lambda: dataset.table)
    lookup = source.columns.get(name, "pk" if name == "record_pk" else name)
    return lookup if isinstance(lookup, Computed) else computed(_same, lookup)


def _same(value: Any) -> Any:
    return value
