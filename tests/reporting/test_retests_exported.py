"""Test and retest in an export: cut off between the two, and made again from the audit trail."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date

import pytest

from imaging.models import Instance, Quantification
from reporting import cut_off, storage
from reporting.datasets import DATASETS
from reporting.models import Export
from reporting.services import exports, rebuilds, reports
from tests import factories
from tests.factories import NOON
from tests.reporting import retested
from tests.reporting.freezing import held
from trials.models import Injection, Job, PlannedScan, ScheduledScan
from trials.retests import REFUSALS

DAY = NOON.date()
RULE = cut_off.PENDING["retests"]
OF_THE_RETEST = {
    "second_scan", "cautions", "interval_hours", "uptake_difference_minutes",
    "activity_difference", "second_reconstruction", "record_pk",
}  # fmt: skip


@pytest.fixture
def made(committed_db):
    """Two patients with a test and a retest each; no work is left behind for other tests."""
    made = retested.make_retested()
    yield made
    Job.objects.filter(actor=made.statistician).update(state=Job.State.DONE)


def frozen(made, day: date | None = None) -> Export:
    export = exports.request(made.trial, reason="interim", by=made.statistician, cut_off=day)
    exports.freeze(held(export))
    export.refresh_from_db()
    assert export.state == "frozen", export.message
    return export


def text(export: Export, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256))) as archive:
        return archive.read(f"data/{name}.csv").decode()


def cells(export: Export, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(export, name))))


def test_every_column_of_a_row_of_two_scans_is_kept_told_or_empty_by_name():
    for name, rule in cut_off.PENDING.items():
        every = set(DATASETS[name].column_names)
        assert {rule.first, rule.second} <= every
        assert rule.kept.isdisjoint(rule.told)
        assert rule.kept | set(rule.told) | OF_THE_RETEST == every
        # The codebook says why a cell that is emptied is empty.
        emptied = [one for one in DATASETS[name].columns if one.name in OF_THE_RETEST]
        assert [one.name for one in emptied if not one.missing] == []
    assert RULE.told["refusals"] in REFUSALS


def test_a_cut_off_between_test_and_retest_keeps_the_test_and_says_that_the_retest_is_awaited(made):
    export = frozen(made, DAY)
    scans = [row["scan"] for row in cells(export, "scans")]
    rows = cells(export, "retests")
    assert [row["first_scan"] for row in rows] == scans
    for row in rows:
        assert (row["is_comparable"], row["refusals"]) == ("N", "not-yet")
        assert row["first_reconstruction"] == "OSEM, 4 x 4 x 3 mm"
        assert (row["first_planned"], row["second_planned"]) == (retested.TEST, retested.RETEST)
        assert {name for name, cell in row.items() if not cell} >= OF_THE_RETEST
    (counted,) = (
        one for one in export.manifest["cut_off"]["datasets"] if one["dataset"] == "retests"
    )
    assert (counted["left_out"], counted["pending"]) == (0, 2)


def test_nothing_that_came_of_the_retest_changes_a_byte_of_the_row_before_it(made):
    before = text(frozen(made, DAY), "retests")
    later = ScheduledScan.objects.filter(
        patient__trial=made.trial, planned_scan__identifier=retested.RETEST
    )
    with factories.framed():
        Injection.objects.filter(scheduled_scan__in=later).update(assayed_activity_mbq=190.0)
        Quantification.objects.filter(
            series__imaging_study__scheduled_scan__in=later
        ).update(uptake_minutes=12.0)  # fmt: skip
        Instance.objects.filter(
            series__imaging_study__scheduled_scan__in=later
        ).update(header={"reconstruction_method": "TOF"})  # fmt: skip
    assert text(frozen(made, DAY), "retests") == before
    # The retests themselves did change.
    assert "TOF" in text(frozen(made, retested.LATER.date()), "retests")


def test_a_cut_off_after_the_retest_has_both_and_one_before_the_test_neither(made):
    after = cells(frozen(made, retested.LATER.date()), "retests")
    assert [row["refusals"] for row in after] == ["", "uptake-time-differs reconstruction-differs"]
    assert all(row["second_scan"] for row in after)
    assert cells(frozen(made, date(2026, 2, 20)), "retests") == []


def test_the_report_of_a_frozen_export_counts_the_retests_that_are_awaited(made):
    export = frozen(made, DAY)
    content = reports.make(made.trial, "repeatability", by=made.statistician, export=export).content
    first = content.tables[0]
    assert (first.n, first.missing) == (0, ((REFUSALS["not-yet"], 2),))
    assert all(row[4] is None for row in first.rows)


def edit(made) -> None:
    """What a retest is judged by, changed on either side, and a rule that is another."""
    every = ScheduledScan.objects.filter(patient__trial=made.trial)
    with factories.framed():
        for activity in (120.0, 170.0):
            Injection.objects.filter(scheduled_scan__in=every).update(assayed_activity_mbq=activity)
        Quantification.objects.filter(
            series__imaging_study__scheduled_scan__in=every
        ).update(uptake_minutes=75.0, is_current=False)  # fmt: skip
        Instance.objects.filter(
            series__imaging_study__scheduled_scan__in=every
        ).update(header={"reconstruction_method": "TOF"})  # fmt: skip
        plan = PlannedScan.objects.get(version__trial=made.trial, identifier=retested.RETEST)
        plan.retest = {**plan.retest, "of": "another"}
        plan.save()


@pytest.mark.parametrize("day", [None, DAY], ids=["whole", "cut off"])
def test_an_export_with_retests_is_made_again_byte_for_byte_after_edits(made, day):
    export = frozen(made, day)
    edit(made)
    found = rebuilds.rebuilt(export, by=made.statistician)
    assert "data/retests.csv" in [one.path for one in found]
    assert [one.path for one in found if not one.is_same] == []
    assert text(frozen(made, day), "retests") != text(export, "retests")
