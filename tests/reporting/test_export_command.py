"""`manage.py export`: an export from a script, by the rules of the page."""

from __future__ import annotations

import threading
import time
import zipfile

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from reporting.models import Export, ExportDownload
from tests import factories
from trials.roles import Role
from trials.services import jobs


def work_for(trial) -> threading.Thread:
    """A worker for the next export of a trial."""

    def work() -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if row := Export.objects.filter(trial=trial, job__isnull=False).first():
                jobs.run(row.job)
                break
            time.sleep(0.05)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_the_file_that_is_written_holds_the_formats_asked_for(made, tmp_path, capsys):
    thread = work_for(made.trial)
    path = tmp_path / "a.zip"
    call_command(
        "export",
        made.trial.identifier,
        username=made.statistician.username,
        reason="interim analysis",
        formats=["xpt"],
        to=path,
    )
    thread.join()
    with zipfile.ZipFile(path) as archive:
        assert "xpt/lesions.xpt" in archive.namelist()
        assert "stata/lesions.dta" not in archive.namelist()
    export = Export.objects.get(trial=made.trial)
    assert ExportDownload.objects.get(export=export).by == made.statistician
    assert f"Export {export.pk} is ordered." in capsys.readouterr().out


def test_it_refuses_in_plain_words(made, tmp_path):
    known = {"username": made.statistician.username, "reason": "a test"}
    with pytest.raises(CommandError, match="There is no trial 'NONE'"):
        call_command("export", "NONE", **known)
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        call_command("export", made.trial.identifier, username="nobody", reason="a test")
    with pytest.raises(CommandError, match="is there already"):
        call_command("export", made.trial.identifier, **known, to=tmp_path)
    with pytest.raises(CommandError, match=r"does not include export\.create"):
        call_command(
            "export", made.trial.identifier, username=made.coordinator.username, reason="a test"
        )
    assert not Export.objects.filter(trial=made.trial).exists()


def test_an_unblinded_export_is_agreed_to_by_somebody_else(made, capsys):
    said = {"username": made.statistician.username, "reason": "interim"}
    call_command("export", made.trial.identifier, **said, unblinded="asked by the safety board")
    export = Export.objects.get(trial=made.trial)
    assert f"It waits for a second person: --approve {export.pk}." in capsys.readouterr().out
    with pytest.raises(CommandError, match="second person"):
        call_command("export", made.trial.identifier, **said, approve=export.pk)
    second = factories.make_user(Role.DATA_MANAGER, trial=made.trial)
    agreed = {"username": second.username, "reason": "the board asked"}
    with pytest.raises(CommandError, match="There is no export 99999999 of"):
        call_command("export", made.trial.identifier, **agreed | {"approve": 99999999})
    call_command("export", made.trial.identifier, **agreed, approve=export.pk)
    export.refresh_from_db()
    assert (export.state, export.decided_by, export.decision_reason) == (
        "requested",
        second,
        "the board asked",
    )
    assert export.job
