"""An export made once more from the audit trail: the same bytes, whatever became of the rows."""

from __future__ import annotations

import io
import time
import zipfile
from io import StringIO

import pytest
from django.core.management import call_command

from reporting import storage
from reporting.models import Export, ExportRebuild
from reporting.services import exports, rebuilding, rebuilds, snapshots
from tests import factories
from tests.reporting import cohort
from tests.reporting.freezing import held, unordered
from trials.models import AuditEvent, Deviation, Evidence, Patient, Site
from trials.services import jobs
from trials.services.errors import Forbidden, Refused


@pytest.fixture
def frozen(made):
    """An export in all formats that no worker of the site can take."""
    export = unordered(made)
    with factories.framed():
        export.formats = ["parquet", "xpt", "odm"]
        export.save()
    exports.freeze(held(export))
    export.refresh_from_db()
    assert export.state == "frozen", export.message
    return export


def edit(made) -> None:
    """Edits, twice of one row, and rows that came since; a site that is called otherwise."""
    with factories.framed():
        deviation = Deviation.objects.filter(patient__trial=made.trial).first()
        for text in ("once", "twice"):
            Deviation.objects.filter(pk=deviation.pk).update(text=text)
        Evidence.objects.filter(patient__trial=made.trial).update(unit="µmol/L")
        Patient.objects.filter(trial=made.trial).update(state="withdrawn")
        Site.objects.filter(pk=made.site.pk).update(code="changed")
    cohort.add_patient(made)


@pytest.mark.requirement("R113")
def test_an_export_is_rebuilt_byte_for_byte_after_edits_and_additions(made, frozen):
    edit(made)
    found = rebuilds.rebuilt(frozen, by=made.statistician)
    assert {"data/deviations.csv", "xpt/evidence.xpt", "manifest.json"} <= {
        one.path for one in found
    }
    assert [one.path for one in found if not one.is_same] == []


def test_what_is_not_in_the_trail_is_refused_by_name(made, frozen):
    instant = snapshots.Instant(frozen.as_of, frozen.audit_event, frozen.manifest["snapshot"])
    refused = pytest.raises(Refused, match=r"trials_job.* is not in the audit trail")
    with refused, rebuilding.as_it_stood(instant):
        made.trial.jobs.exists()


def test_who_may_not_export_may_not_rebuild(made, frozen):
    with pytest.raises(Forbidden):
        rebuilds.rebuilt(frozen, by=made.coordinator)


def worked(made, order) -> ExportRebuild:
    """The rebuild that `order` asks for, done by a worker here or on the site."""
    order()
    row = ExportRebuild.objects.get(export__trial=made.trial)
    jobs.run(row.job)
    deadline = time.monotonic() + 30
    while row.state == "requested" and time.monotonic() < deadline:
        row.refresh_from_db()
        time.sleep(0.05)
    return row


def test_the_page_orders_a_rebuild_and_keeps_who_asked_and_that_all_is_the_same(
    made, frozen, client
):
    edit(made)
    client.force_login(made.statistician)
    address = f"/exports/{frozen.pk}/"
    row = worked(made, lambda: client.post(f"{address}rebuilds/"))
    assert (row.state, row.requested_by, row.message) == ("done", made.statistician, "")
    page = client.get(address).content.decode()
    assert "Same bytes" in page
    assert f"all {len(row.files)} files" in page
    assert [
        (one.action, one.actor == made.statistician.pk)
        for one in AuditEvent.objects.filter(
            table="reporting_exportrebuild", row=str(row.pk)
        ).order_by("pk")
    ] == [
        ("export.rebuild_requested", True),
        ("export.rebuild_requested", True),
        ("export.rebuilt", False),
    ]


def test_the_api_says_of_a_file_that_differs_how_many_rows(made, frozen, client):
    """As if the trail had lost an event: the frozen file has a text that nothing tells of."""
    client.force_login(made.statistician)
    with zipfile.ZipFile(io.BytesIO(storage.exports.read(frozen.sha256))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    header, first, *others = files["data/deviations.csv"].splitlines(keepends=True)
    files["data/deviations.csv"] = b"".join([header, *others])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with factories.framed():
        frozen.sha256, frozen.size = storage.exports.write([file.getvalue()])
        frozen.save()
    address = f"/api/v1/exports/{frozen.pk}/rebuilds/"
    worked(made, lambda: client.post(address))
    (shown,) = client.get(address).json()["results"]
    assert first
    assert (shown["state"], shown["is_same"], shown["requested_by"]) == (
        "done",
        False,
        made.statistician.username,
    )
    differing = [one for one in shown["files"] if one["was"] != one["made"]]
    assert [(one["path"], one["what"]) for one in differing] == [
        ("data/deviations.csv", "1 row added")
    ]


def test_one_rebuild_of_an_export_is_under_way_at_a_time(made, frozen):
    with factories.framed():
        ExportRebuild.objects.create(export=frozen, requested_by=made.statistician)
    with pytest.raises(Refused, match="is being rebuilt"):
        rebuilds.request(frozen, by=made.statistician)


def test_what_cannot_be_rebuilt_is_kept_as_failed_with_the_reason(made, frozen):
    with factories.framed():
        Export.objects.filter(pk=frozen.pk).update(as_of=None)
        row = ExportRebuild.objects.create(export=frozen, requested_by=made.statistician)
    claim = held(frozen)
    claim.arguments["rebuild"] = row.pk
    rebuilds.rebuild(claim)
    row.refresh_from_db()
    assert (row.state, row.message) == ("failed", "This export names no instant.")


def test_the_command_says_that_all_files_are_the_same(made, frozen):
    edit(made)
    out = StringIO()
    call_command(
        "export",
        made.trial.identifier,
        rebuild=frozen.pk,
        username=made.statistician.username,
        stdout=out,
    )
    assert f"Export {frozen.pk}: all " in out.getvalue()
    assert ExportRebuild.objects.get(export=frozen).requested_by == made.statistician
