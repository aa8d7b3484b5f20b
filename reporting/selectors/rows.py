"""The rows of each dataset: one query a dataset, however many rows there are.

A dataset's source says where each of its columns is read. Rows are read through a cursor of
the server, so that memory does not grow with the trial.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reporting.datasets import Dataset
from reporting.selectors.sources import SOURCES
from reporting.selectors.sources.base import Computed, Source, computed
from trials.models import Trial, Withdrawal

CHUNK = 2000
# How far a withdrawal has to reach for nothing of the patient to be used any more.
NO_MORE_USE = (Withdrawal.Extent.USE, Withdrawal.Extent.DESTROY)


def of(dataset: Dataset, trial: Trial) -> Iterator[list[Any]]:
    """The rows of a dataset, each with its values in the order of the columns."""
    readers = _readers(dataset)
    lookups = _lookups(readers)
    places = [tuple(lookups.index(lookup) for lookup in reader.lookups) for reader in readers]
    calls = [reader.function for reader in readers]
    for row in selected(dataset, trial).iterator(chunk_size=CHUNK):
        yield [
            call(*(row[place] for place in taken))
            for call, taken in zip(calls, places, strict=True)
        ]


def selected(dataset: Dataset, trial: Trial) -> Any:
    """What is read for a dataset: one query, a look-up a column."""
    rows = _in_use(dataset, SOURCES[dataset.name], trial)
    return rows.values_list(*_lookups(_readers(dataset)))


def _readers(dataset: Dataset) -> list[Computed]:
    source = SOURCES[dataset.name]
    return [_reader(dataset, source, name) for name in dataset.column_names]


def _lookups(readers: list[Computed]) -> list[str]:
    return list(dict.fromkeys(lookup for reader in readers for lookup in reader.lookups))


def _in_use(dataset: Dataset, source: Source, trial: Trial) -> Any:
    """The rows whose patients let them be used; a patient stays in the list of patients alone."""
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
