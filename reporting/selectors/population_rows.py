"""The rows of the dataset of populations: those that the pages and the flow are made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from reporting.datasets.populations import POPULATIONS
from reporting.flow import Row
from reporting.selectors import populations
from trials.models import Trial


def of(trial: Trial) -> Iterator[list[Any]]:
    """The rows of a trial, without those of who withdrew the use of what was collected."""
    found = populations.lean_record(trial)
    signers = {
        one.review.pk: one.signature.signed_by_id
        for one in found.standings.values()
        if one.signature
    }
    for row in in_use(found):
        yield _cells(row, signers)


def in_use(found: populations.Record) -> Iterator[Row]:
    """The units whose patients let their data be used."""
    barred = {one["patient"] for one in found.facts if one["use_withdrawn"]}
    return (row for row in found.each_row() if row.patient not in barred)


def _cells(row: Row, signers: dict[int, int]) -> list[Any]:
    return [
        row.trial,
        f"{row.trial}-{row.identifier}",
        row.site,
        row.identifier,
        row.population,
        row.label,
        row.level,
        row.scan,
        row.is_in,
        row.proposed,
        row.decided,
        row.why,
        " ".join(dict.fromkeys(one.condition for one in row.reasons)),
        row.is_proposed_rule,
        row.review,
        row.standing,
        "; ".join(row.changes),
        signers.get(row.review) if row.review else None,
        datetime.fromisoformat(row.signed_at) if row.signed_at else None,
        POPULATIONS.table,
        row.patient,
    ]
