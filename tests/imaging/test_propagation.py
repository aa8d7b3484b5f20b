"""What follows a correction: which runs, questions and deviations, and what each still says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.urls import reverse

from imaging.services import quantification, recompute, reconciliation, trying
from tests import factories, records
from tests.imaging.reconciling import given, open_rules, set_plan, work
from trials.models import AuditEvent, Deviation, Job, PlannedScan, Query, Tracer
from trials.services import injections, jobs, queries, scanners

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]


def _assembled(scan, everyone):
    """A series with its geometry, whose first measurement is ordered."""
    series = records._released(scan, by=everyone)
    with factories.framed():
        job = jobs.enqueue("imaging.assemble", actor=everyone, transmittal=series.transmittal_id)
    jobs.run(job.pk)
    return series


# Runs


def test_a_correction_during_the_very_first_run_is_measured_all_the_same(
    scan, everyone, monkeypatch
):
    injection = injections.record(scan, **given(), by=everyone)
    series = _assembled(scan, everyone)
    measure = quantification._measure

    def meanwhile(*arguments):
        injections.correct(
            injection,
            **given(weight_kg=90.0),
            reason="misread",
            by=everyone,
            is_difference_confirmed=True,
        )
        return measure(*arguments)

    monkeypatch.setattr(quantification, "_measure", meanwhile)
    jobs.run(Job.objects.get(kind="imaging.quantify").pk)
    monkeypatch.undo()
    assert not series.quantifications.exists()
    recompute.order_due()
    work()
    assert series.quantifications.get().record_version == 2
    assert series.findings.filter(rule="header-weight-differs", is_current=True).exists()


def test_a_job_that_was_given_up_long_ago_does_not_keep_a_correction_from_its_run(scan, everyone):
    injection = injections.record(scan, **given(), by=everyone)
    old = records.make_measured(scan, by=everyone)
    with factories.framed():
        parked = jobs.enqueue("imaging.quantify", actor=everyone, series=old.series_id)
        Job.objects.filter(pk=parked.pk).update(state=Job.State.PARKED)
    injections.correct(
        injection,
        **given(weight_kg=77.0),
        reason="misread",
        by=everyone,
        is_difference_confirmed=True,
    )
    (ordered,) = recompute.order_due()
    # Given up in its turn, it is not ordered again and again.
    Job.objects.filter(pk=ordered.pk).update(state=Job.State.PARKED)
    assert recompute.order_due() == []


# Questions


def _correct(injection, everyone, **changes):
    injection.refresh_from_db()
    injections.correct(
        injection, **given(**changes), reason="misread", by=everyone, is_difference_confirmed=True
    )
    recompute.order_due()
    work()


def test_other_numbers_are_asked_anew_and_the_same_ones_are_not(scan, everyone):
    injection = injections.record(scan, **given(weight_kg=90.0), by=everyone)
    records.make_measured(scan, by=everyone)
    asked = Query.objects.get(rule="header-weight-differs")
    queries.answer(asked, text="the scale says so", by=everyone)
    _correct(injection, everyone, weight_kg=90.0, comment="left arm")
    asked.refresh_from_db()
    assert (asked.state, asked.messages.count()) == ("answered", 2)
    _correct(injection, everyone, weight_kg=95.0)
    asked.refresh_from_db()
    assert (asked.state, asked.messages.count()) == ("open", 3)
    assert asked.text == "The weight in the images is 70 kg, the record says 95 kg."
    assert asked.messages.last().text == asked.text


def test_a_question_that_a_person_closed_is_not_raised_again_for_the_same_numbers(scan, everyone):
    injection = injections.record(scan, **given(weight_kg=90.0), by=everyone)
    records.make_measured(scan, by=everyone)
    asked = Query.objects.get(rule="header-weight-differs")
    queries.close(asked, text="the console was mistyped, confirmed", by=everyone)
    _correct(injection, everyone, weight_kg=90.0, comment="left arm")
    assert Query.objects.filter(rule="header-weight-differs").count() == 1
    _correct(injection, everyone, weight_kg=95.0)
    assert Query.objects.filter(rule="header-weight-differs", state="open").count() == 1


def test_a_question_that_settled_itself_is_asked_again_when_it_is_as_before(scan, everyone):
    injection = injections.record(scan, **given(weight_kg=90.0), by=everyone)
    records.make_measured(scan, by=everyone)
    _correct(injection, everyone, weight_kg=70.0)
    _correct(injection, everyone, weight_kg=90.0)
    rows = Query.objects.filter(rule="header-weight-differs").order_by("pk")
    assert [one.state for one in rows] == ["closed", "open"]


def test_a_refusal_that_is_over_leaves_no_question_and_no_message(scan, everyone):
    set_plan(scan, conformance={"severities": {"header-weight-differs": "blocking"}})
    injection = injections.record(scan, **given(weight_kg=90.0), by=everyone)
    run = records.make_measured(scan, by=everyone)
    assert "blocked-by-conformance" in open_rules(scan)
    _correct(injection, everyone, weight_kg=70.0)
    series = run.series
    series.refresh_from_db()
    assert series.quantifications.get(is_current=True).suvmax
    assert "blocked-by-conformance" not in open_rules(scan)
    assert (series.state, series.code, series.message) == ("quantified", "", "")
    transmittal = series.transmittal
    assert (transmittal.state, transmittal.code, transmittal.message) == ("quantified", "", "")
    _correct(injection, everyone, weight_kg=90.0)
    assert series.quantifications.get(is_current=True).code == "blocked-by-conformance"
    assert "blocked-by-conformance" in open_rules(scan)


# Findings that a person let pass


def _late(scan, everyone, minutes=75):
    """Images whose first bed is as long after the injection."""
    at = datetime(2026, 3, 1, 11, 6, tzinfo=UTC) - timedelta(minutes=minutes)
    return injections.record(
        scan, **given(injected_at=at, assayed_at=at, residual_at=at), by=everyone
    )


def test_what_is_let_pass_says_by_whom_and_still_deviates(scan, everyone):
    _late(scan, everyone)
    run = records.make_measured(scan, by=everyone)
    finding = run.series.findings.get(rule="uptake-time-out-of-window", is_current=True)
    reconciliation.override(finding, reason="camera was down", by=everyone)
    asked = Query.objects.get(rule="uptake-time-out-of-window")
    assert asked.state == "closed"
    assert asked.messages.last().text == f"Let pass by {everyone}: camera was down"
    assert Deviation.objects.get(rule="uptake-time-out-of-window").state == "drafted"


def test_what_was_let_pass_is_let_pass_after_another_correction(scan, everyone):
    set_plan(scan, conformance={"severities": {"uptake-time-out-of-window": "blocking"}})
    injection = _late(scan, everyone)
    run = records.make_measured(scan, by=everyone)
    finding = run.series.findings.get(rule="uptake-time-out-of-window", is_current=True)
    reconciliation.override(finding, reason="camera was down", by=everyone)
    work()
    at = injection.injected_at
    _correct(injection, everyone, injected_at=at, assayed_at=at, residual_at=at, weight_kg=71.0)
    new = run.series.quantifications.get(is_current=True)
    assert (new.record_version, new.suvmax is not None) == (2, True)
    assert "uptake-time-out-of-window" not in open_rules(scan)


# What is not known


def test_an_unmeasured_residual_flags_the_run_that_rests_on_it(scan, everyone):
    set_plan(scan, suv_source="record")
    unmeasured = {"residual_activity_mbq": None, "residual_at": None}
    injection = injections.record(scan, **given(**unmeasured), by=everyone)
    run = records.make_measured(scan, by=everyone)
    assert "residual-not-measured" in run.flags
    assert run.status == "flagged"
    _correct(injection, everyone)
    assert "residual-not-measured" not in run.series.quantifications.get(is_current=True).flags


def test_an_unmeasured_residual_is_no_matter_to_a_run_on_the_headers(scan, everyone):
    unmeasured = {"residual_activity_mbq": None, "residual_at": None}
    injections.record(scan, **given(**unmeasured), by=everyone)
    assert "residual-not-measured" not in records.make_measured(scan, by=everyone).flags


@pytest.mark.parametrize(
    ("until", "flagged"), [(date(2026, 3, 1), False), (date(2026, 2, 28), True)]
)
def test_an_expired_cross_calibration_flags_the_run_and_is_named(
    scan, pet_site, everyone, client, until, flagged
):
    scanner = scanners.register(pet_site, name="PET 1", manufacturer="GE", model="Any", by=everyone)
    span = {"valid_from": date(2026, 1, 1), "valid_until": until, "reference": "QC 12"}
    scanners.cross_calibrate(scanner, factor=1.04, by=everyone, **span)
    injections.record(scan, **given(scanner=scanner), by=everyone, despite="no other camera")
    run = records.make_measured(scan, by=everyone)
    assert ("cross-calibration-not-valid" in run.flags) == flagged
    assert run.derivation["cross_calibration"] == {
        "scanner": "PET 1 (GE Any)",
        "factor": 1.04,
        "valid_from": "2026-01-01",
        "valid_until": until.isoformat(),
        "reference": "QC 12",
        "is_valid": not flagged,
    }
    client.force_login(everyone)
    page = client.get(reverse("series", args=[run.series_id])).content.decode()
    assert f"1.04, valid 2026-01-01 to {until}, not applied" in page


def test_a_scanner_that_was_never_cross_calibrated_flags_the_run(scan, pet_site, everyone):
    scanner = scanners.register(pet_site, name="PET 1", manufacturer="GE", model="Any", by=everyone)
    injections.record(scan, **given(scanner=scanner), by=everyone, despite="no other camera")
    run = records.make_measured(scan, by=everyone)
    assert "cross-calibration-not-valid" in run.flags
    assert run.derivation["cross_calibration"]["factor"] is None


# What an old number still says


def nodes(node):
    yield node
    for one in node["inputs"]:
        yield from nodes(one)


@pytest.fixture
def corrected(scan, everyone):
    """An old run and its lesion, and the injection that was corrected since by another."""
    set_plan(scan, suv_source="record")
    injection = injections.record(scan, **given(), by=everyone)
    old = records.make_measured(scan, by=everyone)
    second = records.everyone(scan.patient.trial)
    _correct(injection, second, weight_kg=77.0, assayed_activity_mbq=350.0)
    return old, second


def test_an_old_number_opens_the_record_it_was_computed_beside(corrected, scan, everyone, client):
    old, second = corrected
    client.force_login(everyone)
    new = old.series.quantifications.get(is_current=True)
    for run, version, weight, activity, by in (
        (old, 1, 70.0, 370.0, everyone),
        (new, 2, 77.0, 350.0, second),
    ):
        lesion = run.lesions.get()
        told = client.get(f"/api/v1/lesions/{lesion.pk}/derivation/suvmax/").json()
        found = {one["label"]: one for one in nodes(told)}
        address = f"/scans/{scan.pk}/#injection-version-{version}"
        assert (found["Weight"]["value"], found["Weight"]["address"]) == (weight, address)
        assert found["Weight"]["source"].endswith(f"version {version}, entered by {by}")
        syringe = found["Net injected activity recorded by the site"]
        assert (syringe["value"], syringe["address"]) == (activity, address)
        assert found["Assayed activity"]["value"] == activity
        assert f"version {version}, entered by {by} on" in syringe["source"]
    page = client.get(reverse("scan", args=[scan.pk])).content.decode()
    assert 'id="injection-version-1"' in page
    assert 'id="injection-version-2"' in page


def test_a_superseded_run_stays_readable_on_the_page_of_its_series(corrected, everyone, client):
    old, _ = corrected
    client.force_login(everyone)
    address = reverse("series", args=[old.series_id])
    now = client.get(address).content.decode()
    assert "?run=1" in now
    assert "was superseded" not in now
    then = client.get(address, {"run": "1"}).content.decode()
    assert "Run 1 was superseded" in then
    assert reverse("derivation", args=[old.lesions.get().pk, "suvmax"]) in then
    for wrong in ("3", "0", "x", "-1", "9" * 30):
        assert client.get(address, {"run": wrong}).status_code == 404


# Tried before it holds


def another_version(scan, **changes):
    """The planned scan of a next version of the protocol, changed."""
    plan = PlannedScan.objects.select_related("tracer").get(pk=scan.planned_scan_id)
    with factories.framed():
        version = scan.patient.trial.versions.create(
            number=2, label="2.0", definition={}, definition_sha256="1" * 64
        )
        plan.pk, plan._state.adding, plan.version = None, True, version
        for name, value in changes.items():
            setattr(plan, name, value)
        plan.save()
    return version


def test_a_severity_alone_is_a_change_of_the_rules(scan, pet_site, everyone):
    injections.record(scan, **given(weight_kg=90.0), by=everyone)
    records.make_measured(scan, by=everyone)
    blocking = {"severities": {"header-weight-differs": "blocking"}}
    version = another_version(scan, conformance=blocking)
    before = _everything_kept()
    (one,), _ = trying.rules(version, site=pet_site, by=everyone)
    text = "The weight in the images is 70 kg, the record says 90 kg."
    assert (one.gone, one.new) == ((f"Major: {text}",), (f"Blocking: {text}",))
    assert _everything_kept() == before


def _everything_kept():
    return AuditEvent.objects.count(), Job.objects.count()


def test_another_range_of_activity_is_tried_on_what_was_given(scan, pet_site, everyone):
    injections.record(scan, **given(), by=everyone)
    records.make_measured(scan, by=everyone)
    tracer = Tracer.objects.get(pk=scan.planned_scan.tracer_id)
    with factories.framed():
        tracer.pk, tracer._state.adding, tracer.identifier = None, True, "PTF2"
        tracer.activity_high_mbq = 400
        tracer.save()
    (one,), _ = trying.rules(another_version(scan, tracer=tracer), site=pet_site, by=everyone)
    assert one.gone == ("Net injected activity 370.0 MBq is outside 100 to 200 MBq.",)


# Attenuation


def _uncorrected(scan, everyone):
    """A series as the scanner reconstructs it beside the corrected one."""
    series = records._released(scan, by=everyone)
    with factories.framed():
        for one in series.instances.all():
            one.header["corrected_image"] = ["NORM", "DTIM", "SCAT", "DECY", "RAN"]
            one.save(update_fields=["header"])
        job = jobs.enqueue("imaging.assemble", actor=everyone, transmittal=series.transmittal_id)
    jobs.run(job.pk)
    work()
    return series


def test_a_scan_of_uncorrected_series_alone_asks_for_the_corrected_one(scan, pet_site, everyone):
    injections.record(scan, **given(), by=everyone)
    alone = _uncorrected(scan, everyone)
    assert alone.findings.filter(rule="not-attenuation-corrected", is_current=True).exists()
    asked = Query.objects.get(rule="not-attenuation-corrected", state="open")
    assert asked.subject_table == "trials_scheduledscan"
    records.make_measured(scan, by=everyone)
    assert not alone.findings.filter(is_current=True).exists()
    assert "not-attenuation-corrected" not in open_rules(scan)
    _, count = trying.rules(another_version(scan), site=pet_site, by=everyone)
    assert count == 1
