"""The ledger of transmittals: what every step of the intake does with its row."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Field, Model
from django.utils import timezone
from psycopg import sql

from imaging.models import Instance, ReceivedFile, Transmittal
from imaging.services import clearing
from trials.models import ScheduledScan, User
from trials.services import jobs

State = Transmittal.State
SAY_SECONDS = 1.0
# Rows of one statement: some megabytes.
BATCH = 500


def move(transmittal: Transmittal, state: State, *, code: str = "", message: str = "") -> None:
    transmittal.state, transmittal.code, transmittal.message = state, code, message
    transmittal.moved_at = timezone.now()
    transmittal.save(update_fields=["state", "code", "message", "completed_at", "moved_at"])


def reject(transmittal: Transmittal, files: list[ReceivedFile], *, actor: User) -> None:
    """Nothing of it could be accepted."""
    code, message = _why_nothing(files)
    move(transmittal, State.REJECTED, code=code, message=message)
    clearing.order(transmittal, actor=actor)


def _why_nothing(files: list[ReceivedFile]) -> tuple[str, str]:
    codes = Counter((file.code, file.message) for file in files)
    # Of several as often the same one is told, whatever was sent first.
    (code, message), count = min(codes.items(), key=lambda one: (-one[1], one[0]))
    if code == "already-released" and count == len(files):
        return (
            "nothing-new",
            f"Nothing new: the archive holds all {count} images already.",
        )
    return (
        code,
        f"No file could be accepted. Most often ({count} of {len(files)}): {message}",
    )


def save_files(files: Iterable[ReceivedFile], fields: Iterable[str]) -> None:
    """Write these fields of many files in one statement; what is large or many stays linear.

    Django's own `bulk_update` makes an expression of each value: a second for 200 files.
    """
    columns = [ReceivedFile._meta.get_field(name) for name in ("id", *fields)]
    names = [sql.Identifier(one.column) for one in columns[1:]]
    values = sql.SQL(", ").join(sql.SQL("{0} = new.{0}").format(name) for name in names)
    update = sql.SQL("update imaging_receivedfile as old set {} from {} where old.id = new.id")
    with connection.cursor() as cursor:
        cursor.execute(update.format(values, _new(columns)), [_as_json(files, columns)])


def add_files(files: Sequence[ReceivedFile]) -> None:
    """Write new rows of one transmittal, and give each its key."""
    keys = dict(_insert(ReceivedFile, files, returning="returning sha256, id"))
    for file in files:
        file.pk = keys[file.sha256]
        file._state.adding, file._state.db = False, connection.alias


def add_instances(instances: Sequence[Instance]) -> None:
    """Write new rows, a batch in one statement; their keys are not told."""
    for start in range(0, len(instances), BATCH):
        _insert(Instance, instances[start : start + BATCH])


def _insert(
    model: type[Model], rows: Sequence[Model], *, returning: str = ""
) -> list[tuple[Any, ...]]:
    """Write new rows in one statement; what it returns.

    Django's own `bulk_create` looks at each value of each row by itself, and makes a literal of
    it: up to half a millisecond a row, while a sender waits.
    """
    columns = [one for one in model._meta.concrete_fields if not one.primary_key]
    names = sql.SQL(", ").join(sql.Identifier(one.column) for one in columns)
    insert = sql.SQL("insert into {table} ({names}) select {names} from {new} {returning}").format(
        table=sql.Identifier(model._meta.db_table),
        names=names,
        new=_new(columns),
        returning=sql.SQL(returning),
    )
    with connection.cursor() as cursor:
        cursor.execute(insert, [_as_json(rows, columns)])
        return cursor.fetchall() if returning else []


def _new(columns: Sequence[Field]) -> sql.Composed:
    """Rows out of one parameter, with the types that the model gives the columns."""
    kinds = (
        sql.SQL("{} {}").format(sql.Identifier(one.column), sql.SQL(one.rel_db_type(connection)))
        for one in columns
    )
    return sql.SQL("jsonb_to_recordset(%s::jsonb) as new ({})").format(sql.SQL(", ").join(kinds))


def _as_json(rows: Iterable[Model], columns: Sequence[Field]) -> str:
    return json.dumps([{one.column: getattr(row, one.attname) for one in columns} for row in rows])


def load(claim: jobs.Claim) -> Transmittal:
    return loaded(claim.arguments["transmittal"])


def loaded(key: int) -> Transmittal:
    """A transmittal with what the steps of the intake ask of it."""
    return Transmittal.objects.select_related(
        "site__trial",
        "scheduled_scan__patient__trial",
        "scheduled_scan__patient__site",
        "scheduled_scan__planned_scan",
    ).get(pk=key)


def nothing_to_do(claim: jobs.Claim) -> None:
    with jobs.fenced(claim):
        pass


class Progress:
    """Says how far a job is, to whoever waits; about once a second, however fast it is."""

    def __init__(self, claim: jobs.Claim, what: str, total: int) -> None:
        self._claim, self._what, self._total = claim, what, total
        self._said_at = time.monotonic()

    def say(self, number: int) -> None:
        now = time.monotonic()
        if number == self._total or now - self._said_at >= SAY_SECONDS:
            self._said_at = now
            jobs.report(self._claim, f"{self._what} {number} of {self._total}")


def about(transmittal: Transmittal) -> dict[str, int]:
    """What the trail says an act on it was about; no patient as long as no scan is named."""
    if transmittal.scheduled_scan is None:
        return {"trial": transmittal.site.trial_id}
    return about_scan(transmittal.scheduled_scan)


def about_scan(scan: ScheduledScan) -> dict[str, int]:
    return {"trial": scan.patient.trial_id, "patient": scan.patient_id}
