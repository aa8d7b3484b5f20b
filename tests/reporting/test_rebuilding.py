"""An export made once more from the audit trail: the same bytes, whatever became of the rows."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from reporting.services import exports, rebuilding, snapshots
from tests import factories
from tests.reporting import cohort
from tests.reporting.freezing import held, unordered
from trials.models import Deviation, Evidence, Patient, Site
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
    found = exports.rebuilt(frozen, by=made.statistician)
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
        exports.rebuilt(frozen, by=made.coordinator)


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
