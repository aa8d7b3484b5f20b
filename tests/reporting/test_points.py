"""Exports of an earlier point of the audit trail, and what changed since it."""

from __future__ import annotations

import csv
import io
import threading
import time
import zipfile
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections, transaction
from django.utils import timezone

from reporting import storage
from reporting.models import Export
from reporting.services import exports, increments, points, rebuilds
from tests import factories
from tests.reporting import cohort
from tests.reporting.freezing import held, unordered
from trials.models import AuditEvent, Deviation, Patient, Withdrawal
from trials.services import jobs
from trials.services.errors import Invalid


def frozen(made, *, point=None) -> Export:
    """An export that is frozen here, and by no worker of the site."""
    export = unordered(made)
    with factories.framed():
        export.point = point or {}
        export.save()
    exports.freeze(held(export))
    export.refresh_from_db()
    assert export.state == "frozen", export.message
    return export


def files(export: Export) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256))) as archive:
        return {name: archive.read(name) for name in archive.namelist() if "/" in name}


def patients_in(export: Export, name: str) -> set[str]:
    rows = csv.DictReader(io.StringIO(files(export)[f"data/{name}.csv"].decode(), newline=""))
    return {row["usubjid"] for row in rows}


def last_event() -> int:
    return AuditEvent.objects.latest("pk").pk


def edit(made) -> None:
    with factories.framed():
        first = Deviation.objects.filter(patient__trial=made.trial).first()
        Deviation.objects.filter(pk=first.pk).update(text="another text")
    cohort.add_patient(made)


@pytest.mark.requirement("R113")
def test_it_has_the_bytes_of_the_export_that_was_frozen_then_and_changes_since_it(made):
    then = frozen(made)
    edit(made)
    back = frozen(made, point=points.named(made.trial, event=then.audit_event))
    assert files(back) == files(then)
    assert (back.audit_event, back.manifest["is_read_back"]) == (then.audit_event, True)
    now = frozen(made)
    assert back.pk > then.pk
    found = {one.name: one for one in increments.since(now, back, by=made.statistician)}
    assert found == {one.name: one for one in increments.since(now, then, by=made.statistician)}
    assert found["deviations"].count("changed") == 1
    assert found["patients"].count("added") == 1
    later = frozen(made, point=points.named(made.trial, event=now.audit_event))
    edit(made)
    rebuilt = rebuilds.rebuilt(back, by=made.statistician)
    assert [one.path for one in rebuilt if not one.is_same] == []
    assert files(later) == files(now)


def test_a_moment_is_the_last_event_until_then(made):
    edit(made)
    event = AuditEvent.objects.latest("pk")
    edit(made)
    point = points.named(made.trial, moment=event.at)
    assert point["audit_event"] == event.pk


@contextmanager
def another_transaction(work):
    """What another session does and commits only at the end of the block."""
    begun, end = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with transaction.atomic():
                work()
                begun.set()
                end.wait(30)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(30)
    yield
    end.set()
    thread.join()


def test_what_commits_after_the_point_was_named_is_after_it_whatever_its_number(made):
    """Events take numbers before they commit: by its number alone it would be lost for good."""
    first = Deviation.objects.filter(patient__trial=made.trial).first()

    def slow() -> None:
        with factories.framed():
            Deviation.objects.filter(pk=first.pk).update(text="committed late")

    with another_transaction(slow):
        with factories.framed():
            Patient.objects.filter(trial=made.trial).update(state="withdrawn")
        point = points.named(made.trial, event=last_event())
    late = AuditEvent.objects.filter(table="trials_deviation", row=str(first.pk)).latest("pk")
    assert late.pk < point["audit_event"]
    back, now = frozen(made, point=point), frozen(made)
    found = {one.name: one for one in increments.since(now, back, by=made.statistician)}
    assert found["deviations"].count("changed") == 1


def test_a_transaction_that_goes_on_after_the_point_is_wholly_after_it(made):
    with factories.framed():
        first, *_ = Deviation.objects.filter(patient__trial=made.trial)
        Deviation.objects.filter(pk=first.pk).update(text="once")
        Deviation.objects.filter(pk=first.pk).update(text="twice")
    second, one = AuditEvent.objects.filter(table="trials_deviation", row=str(first.pk))[:2]
    assert second.transaction == one.transaction
    back = frozen(made, point=points.named(made.trial, event=one.pk))
    assert b"once" not in files(back)["data/deviations.csv"]
    assert b"twice" not in files(back)["data/deviations.csv"]


def test_who_withdrew_the_use_of_their_data_since_is_not_brought_back(made):
    event = last_event()
    patient = made.trial.patients.order_by("pk").first()
    with factories.framed():
        Withdrawal.objects.create(
            patient=patient,
            extent=Withdrawal.Extent.USE,
            initiative=Withdrawal.Initiative.values[0],
            withdrawn_at="2026-03-03",
            text="wishes so",
            recorded_by=made.statistician,
        )
    back = frozen(made, point=points.named(made.trial, event=event))
    now = frozen(made)
    assert patients_in(back, "deviations") == patients_in(now, "deviations")
    assert len(patients_in(back, "deviations")) == 1
    rebuilt = rebuilds.rebuilt(back, by=made.statistician)
    assert [one.path for one in rebuilt if not one.is_same] == []


def test_points_that_are_not_there_are_refused_by_name(made):
    first = AuditEvent.objects.get(table="trials_trial", row=str(made.trial.pk), operation="I").pk
    for said, told in (
        ({"event": last_event() + 1000}, "The trail has events 1 to"),
        ({"event": first - 1}, f"its record begins with event {first}"),
        ({"event": 1, "moment": timezone.now()}, "not both"),
    ):
        with pytest.raises(Invalid, match=told):
            points.named(made.trial, **said)
    with pytest.raises(CommandError, match="--since: 'yesterday' is no moment"):
        call_command(
            "export",
            made.trial.identifier,
            username=made.statistician.username,
            reason="a look back",
            since="yesterday",
        )


def test_the_page_and_the_api_order_it(made, client):
    client.force_login(made.statistician)
    event = last_event()
    given = {"trial": made.trial.identifier, "reason": "interim look", "at_event": event}
    answer = client.post("/api/v1/exports/", given, content_type="application/json")
    assert answer.status_code == 201
    address = f"/exports/{answer.json()['id']}/"
    assert f"Audit event {event}" in client.get(address).content.decode()
    sent = {"trial": made.trial.pk, "reason": "interim look", "at_event": 10**12}
    assert "The trail has events 1 to" in client.post("/exports/new/", sent).content.decode()


def work_twice(trial) -> None:
    """A worker for the next two exports of a trial."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        rows = Export.objects.filter(trial=trial)
        for row in rows.filter(job__isnull=False, state="requested"):
            jobs.run(row.job)
        if rows.filter(state="frozen").count() == 2:
            break
        time.sleep(0.05)
    connections.close_all()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"unblinded": "a reason"}, "leave --unblinded out"),
        ({"at_event": 1}, "leave --at-event and --at-moment out"),
        ({"formats": ["parquet"]}, "leave --format out"),
        ({"since": "yesterday"}, "write it as 2026-03-31T12:00Z"),
    ],
)
def test_what_changes_can_not_be_given_with_is_refused_and_nothing_is_ordered(made, given, why):
    words = {"username": made.statistician.username, "reason": "weekly", "since": "1"} | given
    with pytest.raises(CommandError, match=why):
        call_command("export", made.trial.identifier, **words)
    assert not Export.objects.filter(trial=made.trial).exists()


def test_the_command_writes_what_changed_since_an_event(made, tmp_path):
    event = last_event()
    edit(made)
    path = tmp_path / "changes.zip"
    thread = threading.Thread(target=work_twice, args=(made.trial,))
    thread.start()
    call_command(
        "export",
        made.trial.identifier,
        username=made.statistician.username,
        reason="weekly changes",
        since=str(event),
        to=path,
    )
    thread.join()
    with zipfile.ZipFile(path) as archive:
        assert "changes/deviations.csv" in archive.namelist()
