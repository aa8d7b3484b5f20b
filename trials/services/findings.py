"""What signed reads found, as results of the trial: handed over at the signature, superseded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from trials import finding_tests
from trials.models import Finding, ScheduledScan, ScopedModel, User
from trials.services import patients


@dataclass(frozen=True)
class Result:
    """One result before the record knows it: a number in the unit of its test, or a word.

    `of` is the row that the number is of; a `lesion` has a number, and a location where the
    evaluator gave one.
    """

    test: str
    of: ScopedModel
    number: float | None = None
    text: str = ""
    method: str = ""
    lesion: int | None = None
    location: str = ""


def record(
    scan: ScheduledScan,
    results: Iterable[Result],
    *,
    source: ScopedModel,
    by: User,
    at: datetime,
    run: int,
    software_version: str,
    role: Finding.Role = Finding.Role.READER,
) -> list[Finding]:
    """Keep the results of a signed row. Inside the action whose act is the signature."""
    patients.hold_still(scan.patient)
    return Finding.objects.bulk_create(
        Finding(
            patient=scan.patient,
            scheduled_scan=scan,
            test=one.test,
            lesion_number=one.lesion,
            location=one.location,
            number=_finite(one),
            text=one.text,
            unit=finding_tests.TESTS[one.test].unit,
            method=one.method,
            source_table=source._meta.db_table,
            source_pk=source.pk,
            subject_table=one.of._meta.db_table,
            subject_pk=one.of.pk,
            run=run,
            software_version=software_version,
            evaluator=by,
            role=role,
            found_at=at,
        )
        for one in results
    )


def supersede(source: ScopedModel) -> None:
    """The results of a signed row hold no more. Inside the action that puts others there."""
    Finding.objects.filter(
        source_table=source._meta.db_table, source_pk=source.pk, superseded_at=None
    ).update(superseded_at=timezone.now())


def _finite(one: Result) -> float | None:
    if one.number is not None and not math.isfinite(one.number):
        raise ValueError(f"{one.test} is {one.number}: a result is a finite number")
    return one.number
