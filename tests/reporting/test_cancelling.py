"""An export under way: how far it is, called off, begun again; nothing half made is left."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction

from reporting import progress, storage
from reporting.models import Export
from reporting.progress import Parts, Progress
from reporting.services import exports, freezing
from tests import factories
from tests.reporting.freezing import held, unordered
from trials.models import AuditEvent, Job
from trials.services import jobs
from trials.services.errors import Forbidden, Refused

HTMX = {"HX-Request": "true"}


def test_parts_are_told_as_they_begin_and_with_their_rows():
    told: list[Progress] = []
    parts = Parts(2, told.append)
    parts.begin("lesions")
    assert list(parts.counted(range(501))) == list(range(501))
    parts.begin("sdtm")
    parts.within("sdtm AE")
    assert told == [
        Progress(1, 2, "lesions"),
        Progress(1, 2, "lesions", 500),
        Progress(1, 2, "lesions", 501),
        Progress(2, 2, "sdtm"),
        Progress(2, 2, "sdtm AE"),
    ]
    assert [progress.read(one.line) for one in told] == told


def until(holds) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "waited half a minute in vain"
        time.sleep(0.05)


@contextmanager
def stopped_at_lesions():
    """Whoever reads lesions waits here; datasets are read in the order of their names."""
    has, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            connection.cursor().execute("lock table imaging_lesion in access exclusive mode")
            has.set()
            go_on.wait(60)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert has.wait(60)
    try:
        yield
    finally:
        go_on.set()
        thread.join()


def working(claim: jobs.Claim) -> threading.Thread:
    """A worker that freezes what a claim names."""

    def work() -> None:
        exports.freeze(claim)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def stored() -> set[str]:
    return {one.name for one in storage.exports.entries()}


@pytest.mark.requirement("R134")
def test_an_export_shows_how_far_it_is_and_stops_when_it_is_cancelled(made, client):
    export, before = unordered(made), stored()
    claim = held(export)
    with factories.framed():
        Export.objects.filter(pk=export.pk).update(job=claim.job)
    client.force_login(made.statistician)
    page, address = f"/exports/{export.pk}/", f"/api/v1/exports/{export.pk}/"
    with stopped_at_lesions():
        worker = working(claim)
        until(lambda: ": lesions," in Job.objects.get(pk=claim.job).progress)
        far = client.get(address).json()["progress"]
        shown = client.get(page, headers=HTMX).content.decode()
        assert client.post(f"{page}cancel/").status_code == 302
    worker.join()
    assert far["what"] == "lesions"
    assert f'max="{far["parts"]}" value="{far["number"]}" aria-label="Parts of the export"' in shown
    export.refresh_from_db()
    assert (export.state, export.cancelled_by, export.sha256) == (
        "cancelled",
        made.statistician,
        "",
    )
    assert Job.objects.get(pk=claim.job).state == Job.State.DONE
    assert stored() == before
    assert f"by {made.statistician}" in client.get(page).content.decode()
    event = AuditEvent.objects.get(action="export.cancelled", row=str(export.pk))
    assert (event.actor, event.after["state"]) == (made.statistician.pk, "cancelled")

    assert client.post(f"{address}resume/").json()["state"] == "requested"
    exports.freeze(held(Export.objects.get(pk=export.pk)))
    export.refresh_from_db()
    # A worker of the site may have been faster.
    until(lambda: Export.objects.get(pk=export.pk).state == "frozen")
    assert client.post(f"{address}cancel/").status_code == 409


def test_an_export_cancelled_while_its_last_file_is_stored_leaves_no_file(made):
    export, before = unordered(made), stored()
    claim = held(export)
    frozen = freezing.frozen(export, lambda _: None)
    assert stored() != before
    exports.cancel(export, by=made.statistician)
    exports._keep(claim, export, frozen)
    export.refresh_from_db()
    assert (export.state, export.manifest, stored()) == ("cancelled", {}, before)


def test_a_worker_that_breaks_off_while_it_writes_keeps_nothing_and_another_begins_anew(made):
    export, before = unordered(made), stored()

    def tell(far: Progress) -> None:
        if far.what == "lesions":
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        freezing.frozen(export, tell)
    assert stored() == before
    exports.freeze(held(export))
    export.refresh_from_db()
    assert export.state == "frozen"
    assert len(stored() - before) == 1


def test_who_may_not_order_exports_may_not_cancel_or_resume_one(made):
    export = unordered(made)
    for act in (exports.cancel, exports.resume):
        with pytest.raises(Forbidden):
            act(export, by=made.coordinator)
    with pytest.raises(Refused, match="only a cancelled or failed one"):
        exports.resume(export, by=made.statistician)
