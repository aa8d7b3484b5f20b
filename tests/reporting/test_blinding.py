"""Blind and unblinded exports: what is kept back, who agrees to open it, and what it then holds."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connections
from django.urls import reverse

from imaging.models import Read
from reporting import blinding, storage
from reporting.blinding import Blinding, Kept
from reporting.datasets import DATASETS, Column, Dataset, Privacy, Type
from reporting.datasets.case_report_forms import tables
from reporting.datasets.populations import POPULATIONS
from reporting.datasets.tells import TELLS, Tag
from reporting.models import Export
from reporting.reports import REPORTS
from reporting.selectors import blinding as selectors
from reporting.services import exports, opening, populations, rebuilds, reports, unblinding
from tests import factories
from tests.reporting.freezing import held
from trials.models import AuditEvent, FormEntry, Job, PanelUnblinding, Patient
from trials.roles import Role
from trials.services.errors import Forbidden, Invalid, Refused

EVERY = {**DATASETS, POPULATIONS.name: POPULATIONS}
CONCEALED = Blinding(concealed=selectors.OF_ALLOCATION)
OPEN = Blinding()
ROWS = Dataset(
    "truths",
    "Truths",
    "RS",
    "a truth",
    "trials_formentry",
    ("usubjid",),
    (
        Column("usubjid", "Patient", Type.TEXT, Privacy.IDENTIFIER),
        Column("arm", "Arm", Type.TEXT, Privacy.ALLOCATION),
        Column("truth", "Truth", Type.TEXT, Privacy.HEALTH, missing="undecided"),
        Column("name", "Name", Type.TEXT, Privacy.IDENTIFIER),
    ),
)
TOLD = {
    "usubjid": frozenset(),
    "arm": frozenset({Tag.ARM}),
    "truth": frozenset({Tag.REFERENCE}),
    "name": frozenset({Tag.PERSON}),
}
TWO = [["T-1", "A", "PRESENT", "Canary"], ["T-2", "B", "ABSENT", "Canary"]]


def test_every_column_of_every_dataset_says_what_it_can_tell():
    pinned = Path(__file__).with_name("columns.txt").read_text().splitlines()
    named = [line.split(":")[0].split(" ") for line in pinned]
    named += [[POPULATIONS.name, column] for column in POPULATIONS.column_names]
    assert [one for one in named if one[1] not in TELLS.get(one[0], {})] == []
    spare = {name: set(told) - set(EVERY[name].column_names) for name, told in TELLS.items()}
    # Of no patient: neither the trial's sites nor its supply.
    assert {name for found in spare.values() for name in found} <= {"usubjid", "patient", "site"}


def test_a_column_that_nobody_declared_is_refused_by_name():
    new = Column("new", "New", Type.TEXT, Privacy.TECHNICAL)
    wider = replace(ROWS, columns=(*ROWS.columns, new))
    for one in (OPEN, CONCEALED, Blinding(is_unblinded=True)):
        with pytest.raises(blinding.UndeclaredError, match="column new of truths"):
            one.veil(wider, TOLD)


@pytest.mark.parametrize("name", EVERY)
def test_every_dataset_has_its_keys_whatever_is_concealed(name):
    everything = Blinding(concealed=frozenset(Tag))
    assert set(EVERY[name].keys) <= set(
        everything.veil(EVERY[name], TELLS[name]).dataset.column_names
    )


def test_what_is_concealed_is_left_out_unless_unblinded_and_a_person_always():
    def left(one):
        veil = one.veil(ROWS, TOLD)
        return veil.dataset.column_names, list(veil.rows(TWO))

    assert left(OPEN)[0] == ("usubjid", "arm", "truth")
    assert left(CONCEALED) == (("usubjid", "truth"), [["T-1", "PRESENT"], ["T-2", "ABSENT"]])
    assert left(replace(CONCEALED, is_unblinded=True)) == left(OPEN)


def test_what_is_kept_from_who_still_decides_is_empty_for_those_patients_alone():
    one = Blinding(of_patients={Tag.REFERENCE: frozenset({"T-1"})})
    veil = one.veil(ROWS, TOLD)
    assert [row[2] for row in veil.rows(TWO)] == [None, "ABSENT"]
    assert [(found.column, found.act) for found in veil.veiled] == [
        ("truth", Kept.EMPTY),
        ("name", Kept.OUT),
    ]
    assert [row[0] for row in veil.open_rows(TWO)] == ["T-2"]
    (gap,) = (column for column in veil.dataset.columns if column.name == "truth")
    assert gap.missing == f"undecided; {blinding.BLIND}"


def test_what_is_said_about_a_hidden_decision_is_hidden_and_of_other_rows_nothing():
    one = Blinding(
        of_patients={Tag.REFERENCE: frozenset({"T-1"})},
        subjects=frozenset({("trials_formentry", 7)}),
    )
    names = DATASETS["deviations"].column_names
    rows = [
        [
            {
                "usubjid": "T-1",
                "text": "said",
                "about_table": "trials_formentry",
                "about_pk": pk,
            }.get(name)
            for name in names
        ]
        for pk in (7, 8)
    ]
    veil = one.veil(DATASETS["deviations"], TELLS["deviations"])
    assert [row[names.index("text")] for row in veil.rows(rows)] == [None, "said"]


def test_an_item_of_the_truth_panel_tells_the_truth_and_a_text_anything():
    items = [
        {"identifier": "verdict", "label": "Verdict", "type": "yes_no", "missing": ["ND"]},
        {"identifier": "note", "label": "Note", "type": "text"},
    ]
    forms = [
        {"identifier": "truth", "label": "Truth", "role": "panel", "items": items},
        {"identifier": "vitals", "label": "Vital signs", "items": items},
    ]
    found = tables({1: {"forms": forms}})
    truth, vitals = found["form_truth"], found["form_vitals"]
    assert truth.tells["verdict"] == truth.tells["verdict_missing"] == {Tag.REFERENCE}
    assert (vitals.tells["verdict"], vitals.tells["note"]) == (frozenset(), {Tag.FREE_TEXT})
    for one in (truth, vitals):
        assert set(one.dataset.column_names) <= set(one.tells)


# With a record


@pytest.fixture
def concealed(made):
    """The cohort's trial, whose allocations are concealed from now on."""
    with factories.framed():
        for version in made.trial.versions.all():
            stated = version.definition["randomisation"] | {"masking": "concealed"}
            version.definition = version.definition | {"randomisation": stated}
            version.save(update_fields=["definition"])
    return made


def manager(made):
    return factories.make_user(Role.DATA_MANAGER, trial=made.trial)


def ordered(made, **options) -> Export:
    return exports.request(made.trial, reason="interim", by=made.statistician, **options)


def files_of(export: Export) -> dict[str, bytes]:
    exports.freeze(held(export))
    export.refresh_from_db()
    assert export.state == "frozen", export.message
    with zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def cells(files: dict[str, bytes], name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files[f"data/{name}.csv"].decode())))


def test_an_open_trial_keeps_nothing_back(made):
    manifest = json.loads(files_of(ordered(made))["manifest.json"])
    assert (manifest["is_unblinded"], manifest["blind_because"], manifest["veiled"]) == (
        False,
        [],
        [],
    )


def test_a_concealed_allocation_leaves_by_no_column_of_a_blinded_export(concealed):
    files = files_of(ordered(concealed))
    manifest = json.loads(files["manifest.json"])
    assert "allocation is concealed" in manifest["blind_because"][0]
    out = {(one["dataset"], one["column"]) for one in manifest["veiled"]}
    assert {("allocations", "sequence"), ("scans", "tracer"), ("scans", "half_life_s")} <= out
    assert "tracer" not in cells(files, "scans")[0]
    data = b"".join(content for name, content in files.items() if name.startswith("data/"))
    assert [word for word in (b"XY1", b"XY2", b"PTF", b"HYPERLINK") if word in data] == []
    with pytest.raises(Invalid, match="the allocation of this trial is concealed"):
        ordered(concealed, formats=["sdtm-xpt"])


def test_an_unblinded_export_waits_for_a_second_person_and_then_holds_the_sequence(concealed):
    export = ordered(concealed, unblinding_reason="for the data safety board")
    assert (export.state, export.job) == ("waiting", None)
    exports.freeze(held(export))
    with pytest.raises(Refused) as refused:
        unblinding.approve(export, reason="I need it", by=concealed.statistician)
    assert refused.value.code == "own-order"
    with pytest.raises(Forbidden):
        unblinding.approve(export, reason="let it", by=concealed.coordinator)
    second = manager(concealed)
    with pytest.raises(Invalid):
        unblinding.approve(export, reason=" . ", by=second)
    unblinding.approve(export, reason="the board asked", by=second)
    export.refresh_from_db()
    assert Job.objects.get(pk=export.job).arguments == {"export": export.pk}
    files = files_of(export)
    assert {one["sequence"] for one in cells(files, "allocations")} <= {"XY1", "XY2"}
    assert {one["tracer"] for one in cells(files, "scans")} != {""}
    manifest = json.loads(files["manifest.json"])
    assert (manifest["is_unblinded"], manifest["veiled"]) == (True, [])
    told = manifest["unblinding"]
    assert (told["reason"], told["decided_by"], told["decision_reason"]) == (
        "for the data safety board",
        second.username,
        "the board asked",
    )
    assert all(one.is_same for one in rebuilds.rebuilt(export, by=concealed.statistician))
    trail = AuditEvent.objects.filter(table="reporting_export", row=str(export.pk))
    acts = list(trail.order_by("pk").values_list("action", "reason"))
    assert ("export.unblinding_approved", "the board asked") in acts
    # Of those who may see exports, who may not be unblinded does not get it.
    with pytest.raises(Forbidden):
        opening.download(export, by=factories.make_user(Role.MONITOR, trial=concealed.trial))


def test_a_report_of_a_concealed_trial_tells_no_tracer_until_an_export_is_unblinded(
    concealed, client
):
    by, blinded = concealed.statistician, ordered(concealed)
    files_of(blinded)
    opened = ordered(concealed, unblinding_reason="for the data safety board")
    unblinding.approve(opened, reason="the board asked", by=manager(concealed))
    files_of(opened)

    def made_of(export) -> dict[str, str]:
        """What became of each report: the code of its refusal, or nothing."""
        found = {}
        for name in REPORTS:
            try:
                content = reports.make(concealed.trial, name, by=by, export=export).content
                rows = [row for table in content.tables for row in table.printed()]
                assert not re.search("PTF|FDG|Pentixafor", str(rows)) or export == opened
                found[name] = ""
            except Refused as error:
                found[name] = error.code
        return found

    now, then, after = made_of(None), made_of(blinded), made_of(opened)
    assert now == then
    assert {name for name, code in now.items() if code} >= {"injections", "safety"}
    assert set(now.values()) == {"", "concealed"}
    assert now["screening"] == now["eligibility"] == ""
    assert set(after.values()) == {""}
    assert {name for name, code in now.items() if code} <= {
        one.name for one in REPORTS.values() if one.tells_tracer
    }
    listed = {one.report.name: one for one in reports.listed(concealed.trial, by=by)}
    assert listed["injections"].export == opened
    # The page of an export says beforehand what opening each report says.
    of_export = {one.report.name: one for one in reports.of_export(blinded, by=by)}
    refused = {name: one for name, one in of_export.items() if not one.is_open}
    empty = {
        name
        for name, code in then.items()
        if not code and reports.make(concealed.trial, name, by=by, export=blinded).content.why_empty
    }
    assert set(refused) - empty == {name for name, code in then.items() if code}
    assert {one.export for one in refused.values()} == {opened}
    assert refused["injections"].why.startswith(reports.CONCEALED)
    assert "tracer" in refused["injections"].why.removeprefix(reports.CONCEALED)
    assert all(one.is_open for one in reports.of_export(opened, by=by))
    client.force_login(by)
    page = client.get(reverse("export", args=[blinded.pk])).content.decode()
    there = re.findall(r"reports/(\w+)/\?export=(\d+)", page)
    assert ("screening", str(blinded.pk)) in there
    assert ("injections", str(opened.pk)) in there
    assert ("injections", str(blinded.pk)) not in there
    told = client.get(f"/api/v1/exports/{blinded.pk}/reports/").json()
    assert {one["name"]: one["export"] for one in told if not one["is_open"]} == dict.fromkeys(
        refused, opened.pk
    )
    assert (listed["screening"].export, listed["screening"].is_open) == (None, True)
    monitor = factories.make_user(Role.MONITOR, trial=concealed.trial)
    listed = {one.report.name: one for one in reports.listed(concealed.trial, by=monitor)}
    assert (listed["injections"].is_open, listed["injections"].why) == (False, reports.CONCEALED)


def test_who_saw_what_an_unblinded_export_holds_does_no_blind_review(concealed, client):
    export = ordered(concealed, unblinding_reason="for the data safety board")
    unblinding.approve(export, reason="the board asked", by=manager(concealed))
    files_of(export)
    by = concealed.statistician
    client.force_login(by)
    page = reverse("report", args=[concealed.trial.identifier, "injections"])
    assert client.get(page).status_code == 403
    assert populations.seen_unblinded(concealed.trial, by) == ""
    assert client.get(page, {"export": export.pk}).status_code == 200
    assert "unblinded export" in populations.seen_unblinded(concealed.trial, by)
    looker = manager(concealed)
    client.force_login(looker)
    figure = reverse("report_figure", args=[concealed.trial.identifier, "injections", 1])
    assert client.get(figure, {"export": export.pk}).status_code == 200
    assert "unblinded export" in populations.seen_unblinded(concealed.trial, looker)
    other = manager(concealed)
    assert populations.seen_unblinded(concealed.trial, other) == ""
    opening.download(export, by=other)
    assert "took an unblinded export" in populations.seen_unblinded(concealed.trial, other)


def test_a_declined_export_is_never_made_and_its_orderer_may_take_it_back(made):
    export = ordered(made, unblinding_reason="curious")
    unblinding.decline(export, reason="no plan says so", by=made.statistician)
    with pytest.raises(Refused) as refused:
        unblinding.approve(export, reason="let it", by=manager(made))
    assert refused.value.code == "decided-already"
    exports.freeze(held(export))
    export.refresh_from_db()
    assert (export.state, export.sha256) == ("declined", "")
    blind = ordered(made)
    with pytest.raises(Refused, match="blinded one"):
        unblinding.approve(blind, reason="let it", by=manager(made))


def test_of_two_who_agree_at_once_one_is_told_of_the_other(made):
    export = ordered(made, unblinding_reason="for the board")
    managers, ready, said = [manager(made), manager(made)], threading.Barrier(2), []

    def agree(one):
        ready.wait(60)
        try:
            unblinding.approve(Export.objects.get(pk=export.pk), reason="agreed", by=one)
            said.append("approved")
        except Refused as refusal:
            said.append(refusal.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=agree, args=(one,)) for one in managers]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sorted(said) == ["approved", "decided-already"]
    assert Job.objects.filter(arguments={"export": export.pk}).count() == 1


def test_the_truth_of_a_patient_is_kept_back_until_the_panel_is_told(made):
    patient = Patient.objects.filter(trial=made.trial).first()
    with factories.framed():
        entry = FormEntry.objects.create(
            patient=patient,
            version=patient.site.version_in_force,
            form="truth_of_patient",
            is_of_panel=True,
            begun_by=made.coordinator,
        )
    found = selectors.of(made.trial, is_unblinded=False)
    name = f"{made.trial.identifier}-{patient.identifier}"
    assert found.unseen(Tag.REFERENCE) == {name}
    assert ("trials_formentry", entry.pk) in found.subjects
    assert selectors.of(made.trial, is_unblinded=True).unseen(Tag.REFERENCE) == frozenset()
    with factories.framed():
        PanelUnblinding.objects.create(
            patient=patient, reason="end of the trial", unblinded_by=made.statistician
        )
    assert not selectors.of(made.trial, is_unblinded=False).stands


def test_what_readers_are_blind_to_is_kept_back_while_they_read(made):
    rule = {"readers": 2, "blinded_to": ["other-readers", "other-tracer"], "source": []}
    read = Read.objects.filter(
        quantification__series__imaging_study__scheduled_scan__patient__trial=made.trial
    ).first()
    patient = read.quantification.series.imaging_study.scheduled_scan.patient
    other = manager(made)
    with factories.framed():
        for version in made.trial.versions.all():
            version.definition = version.definition | {"reads": rule}
            version.save(update_fields=["definition"])
        Read.objects.create(
            quantification=read.quantification, reader=other, state=Read.State.DRAFT
        )
    found = selectors.of(made.trial, is_unblinded=False)
    kept = {f"{made.trial.identifier}-{patient.identifier}"}
    assert {tag: set(of) for tag, of in found.of_patients.items()} == {
        Tag.READER: kept,
        Tag.OTHER_MODALITY: kept,
    }


# Pages


def test_a_second_person_finds_the_order_agrees_and_is_led_to_it(client, made):
    export, second = ordered(made, unblinding_reason="for the board"), manager(made)
    address = reverse("export_decide", args=[export.pk])
    client.force_login(made.statistician)
    assert "take back" in client.get(reverse("exports_waiting")).content.decode()
    own = client.post(address, {"decision": "approve", "reason": "mine"})
    assert own.status_code == 409
    assert "a second person who may unblind has to agree" in own.content.decode()
    client.force_login(second)
    page = client.get(reverse("exports_waiting")).content.decode()
    assert (address in page, "for the board" in page) == (True, True)
    answer = client.post(address, {"decision": "approve", "reason": "the board asked"})
    assert answer["Location"] == reverse("export", args=[export.pk])
    shown = client.get(answer["Location"]).content.decode()
    assert "Unblinded, because: for the board" in shown
    assert f"by {second}: the board asked" in shown
    assert "Nothing waits" in client.get(reverse("exports_waiting")).content.decode()


def test_over_the_api_an_order_is_decided_once(client, made):
    client.force_login(made.statistician)
    body = {"trial": made.trial.identifier, "reason": "interim", "unblinding_reason": "the board"}
    order = client.post(reverse("api_exports"), body, content_type="application/json").json()
    assert (order["state"], order["is_unblinded"]) == ("waiting", True)
    client.force_login(manager(made))
    (listed,) = client.get(reverse("api_exports_waiting")).json()["results"]
    assert listed["id"] == order["id"]
    address = reverse("api_export_decision", args=[order["id"]])
    said = {"decision": "decline", "reason": "no plan says so"}
    assert client.post(address, said, content_type="application/json").json()["state"] == "declined"
    again = client.post(address, said, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "decided-already")
