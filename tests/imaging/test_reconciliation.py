"""Header against record: asked once, settled when either side is corrected, computed anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.urls import reverse

from imaging.models import (
    Instance,
    Quantification,
    ReceivedFile,
    ReferenceRegion,
    Series,
    Transmittal,
)
from imaging.services import (
    open_volumes,
    quantification,
    recompute,
    reconciliation,
    regions,
    reviews,
    trying,
)
from imaging.suv import assess, suvbw_scale
from imaging.suv_terms import Recorded, SuvRefused
from tests import factories, records
from tests.imaging.reconciling import SHOT, given, open_rules, set_plan, weigh, work
from tests.imaging.test_ct_under_slices import add_ct
from tests.imaging.test_suv import FACTOR
from trials.conformance_rules import RULES, Severity
from trials.models import Deviation, HeaderStatement, PlannedScan, Query
from trials.roles import Role
from trials.services import audit, injections, jobs
from trials.services.errors import Forbidden, Invalid, Refused
from trials.stated import Stated

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage")]


# The engine on a record


RECORDED = Recorded(
    weight=77.0,
    activity=185e6,
    injected_at=SHOT.replace(tzinfo=None),
    reference="injection 7, version 2",
)


def test_the_record_takes_the_place_of_the_headers_where_the_protocol_says_so(header):
    scale = suvbw_scale([header], recorded=RECORDED, source="record")
    # Same time, 77 kg for 70 kg, half the activity.
    assert scale.factor == pytest.approx(FACTOR * 77 / 70 * 2, rel=1e-9)
    assert scale.adaptations[0] == "computed-from-record"
    named = {one.name: (one.tag, one.value) for one in scale.inputs}
    assert named["Recorded weight"] == ("injection 7, version 2", 77.0)
    assert named["Patient's Weight"] == ("(0010,1030)", 70.0)


def test_the_headers_count_where_the_protocol_says_so(header):
    assert suvbw_scale([header], recorded=RECORDED).factor == suvbw_scale([header]).factor


def test_a_recorded_weight_stands_in_for_a_missing_one_and_says_so(header):
    bare = replace(header, patient_weight=0.0)
    assert assess([bare]).code == "weight-missing"
    scale = suvbw_scale([bare], recorded=RECORDED)
    assert scale.factor == pytest.approx(FACTOR * 77 / 70, rel=1e-9)
    assert scale.flags == ("weight-from-record",)


@pytest.mark.parametrize(
    "baked",
    [
        {"units": "GML"},
        {"units": "CM2ML"},
        {"units": "CNTS", "philips_suv_factor": 0.0005},
    ],
)
def test_what_the_scanner_baked_in_stays_and_says_so(header, baked):
    series = replace(header, **baked)
    scale = suvbw_scale([series], recorded=RECORDED, source="record")
    assert scale.factor == suvbw_scale([series]).factor
    assert "record-not-applied" in scale.flags
    assert scale.status == "COMPUTED-FLAGGED"


# Reconciliation


def test_a_question_closes_itself_when_the_record_is_corrected(scan, everyone):
    injection = injections.record(scan, **given(weight_kg=90.0), by=everyone)
    run = records.make_measured(scan, by=everyone)
    seen = reconciliation.observed(scan, _headers(run))
    assert "header-weight-differs" in open_rules(scan)
    (finding,) = run.series.findings.filter(rule="header-weight-differs", is_current=True)
    assert (finding.severity, finding.values["found"]) == ("major", seen.weight_kg)
    injections.correct(injection, **given(weight_kg=seen.weight_kg), reason="misread", by=everyone)
    recompute.order_due()
    assert "header-weight-differs" not in open_rules(scan)
    asked = Query.objects.get(rule="header-weight-differs")
    assert asked.messages.last().text == reconciliation.SETTLED
    assert not run.series.findings.filter(rule="header-weight-differs", is_current=True)


@pytest.mark.parametrize(
    "lacking",
    [
        {"patient_weight": None},
        {"units": "GML"},
        {"units": "CM2ML"},
        {"units": "GML", "patient_weight": None},
        {"rescale_slope": None},
    ],
)
def test_the_headers_state_the_injection_whatever_else_they_lack(scan, header, lacking):
    assert reconciliation.observed(scan, [replace(header, **lacking)]).injected_at == SHOT


def test_what_states_no_injection_or_several_has_none(scan, header):
    (item,) = header.radiopharmaceuticals
    bare = replace(header, patient_weight=None)
    for items in [
        (),
        (item, item),
        (replace(item, half_life=None),),
        (replace(item, start_datetime=None, start_time=None),),
    ]:
        seen = reconciliation.observed(scan, [replace(bare, radiopharmaceuticals=items)])
        assert seen.injected_at is None


def test_the_time_of_headers_without_a_weight_is_held_against_the_record(scan, everyone):
    injections.record(scan, **given(), by=everyone)

    def without_weight_and_an_hour_early(ds, _):
        del ds.PatientWeight
        (item,) = ds.RadiopharmaceuticalInformationSequence
        item.RadiopharmaceuticalStartTime = "090000"
        item.RadiopharmaceuticalStartDateTime = "20260301090000"

    run = records.make_measured(scan, by=everyone, draw=without_weight_and_an_hour_early)
    assert "weight-from-record" in run.flags
    assert "header-injection-time-differs" in open_rules(scan)


def _headers(run):
    from imaging.selectors import volumes

    return volumes.headers_of(run.series)


def test_a_correction_brings_one_new_run_and_the_old_one_stays(scan, everyone):
    set_plan(scan, suv_source="record")
    injection = injections.record(scan, **given(), by=everyone)
    old = records.make_measured(scan, by=everyone)
    weigh(injection, 77.0, by=everyone)
    assert len(recompute.order_due()) == 1
    assert recompute.order_due() == []
    work()
    old.refresh_from_db()
    new = Quantification.objects.get(series=old.series, is_current=True)
    assert (old.is_current, old.run, new.run, new.record_version) == (False, 1, 2, 2)
    assert new.suvbw_factor == pytest.approx(old.suvbw_factor * 1.1, rel=1e-9)
    assert new.suvmax == pytest.approx(old.suvmax * 1.1, rel=1e-6)
    assert recompute.order_due() == []


def test_regions_that_a_reader_placed_go_with_the_new_run(scan, everyone):
    set_plan(scan, suv_source="record")
    injection = injections.record(scan, **given(), by=everyone)
    old = records.make_measured(scan, by=everyone)
    placed = regions.place(
        old, kind="blood_pool", centre_mm=(20.0, 20.0, 15.0), radius_mm=6.0, by=everyone
    )
    weigh(injection, 77.0, by=everyone)
    recompute.order_due()
    work()
    new = ReferenceRegion.objects.get(
        quantification__series=old.series, quantification__is_current=True, kind="blood_pool"
    )
    assert (new.placed_by, new.status, new.centre_mm) == (everyone, "placed", placed.centre_mm)
    assert new.suvmean == pytest.approx(placed.suvmean * 1.1, rel=1e-6)


def test_an_injection_recorded_after_the_images_is_used(scan, everyone):
    set_plan(scan, suv_source="record")
    old = records.make_measured(scan, by=everyone)
    assert (old.record_version, "injection-not-recorded" in open_rules(scan)) == (0, True)
    injections.record(scan, **given(), by=everyone)
    recompute.order_due()
    work()
    new = old.series.quantifications.get(is_current=True)
    assert (new.run, new.record_version) == (2, 1)
    assert "injection-not-recorded" not in open_rules(scan)


def test_what_the_images_state_is_told_to_the_trial_and_prefills_the_record(scan, everyone, client):
    records.make_measured(scan, by=everyone)
    stated = HeaderStatement.objects.get(scheduled_scan=scan)
    assert (stated.weight_kg, stated.activity_mbq, stated.injected_at) == (70.0, 370.0, SHOT)
    client.force_login(everyone)
    page = client.get(reverse("injection_new", args=[scan.pk])).content.decode()
    assert 'value="70.0"' in page
    assert "The images say 70 kg." in page
    assert "The images say 370 MBq at the injection, gross or net." in page
    assert page.count("data-stated") == 3
    shot = SHOT.astimezone(ZoneInfo(scan.patient.site.time_zone))
    assert f'value="{shot:%Y-%m-%dT%H:%M:%S}"' in page


def test_images_of_another_person_state_nothing_once_they_are_taken_out(scan, everyone):
    run = records.make_measured(scan, by=everyone)
    assert HeaderStatement.objects.get(scheduled_scan=scan).weight_kg == 70.0
    with audit.action("test.ordered", actor=everyone, reason="of another person"):
        job = jobs.enqueue("imaging.expunge", actor=everyone, transmittal=run.series.transmittal_id)
    jobs.run(job.pk)
    told = HeaderStatement.objects.get(scheduled_scan=scan)
    assert (told.stated, told.manufacturer, told.model) == (Stated(), "", "")
    # Nobody has to confirm against it what the source says.
    injection = injections.record(scan, **given(weight_kg=90.0), by=everyone)
    assert injection.confirmed_differences == ""


def test_a_record_that_the_images_contradict_is_confirmed_by_a_person(scan, everyone):
    records.make_measured(scan, by=everyone)
    with pytest.raises(Invalid) as refused:
        injections.record(scan, **given(weight_kg=90.0), by=everyone)
    assert refused.value.field == "is_difference_confirmed"
    assert "the images say 70 kg, the record 90 kg" in refused.value.message
    injection = injections.record(
        scan, **given(weight_kg=90.0), by=everyone, is_difference_confirmed=True
    )
    said = "Weight: the images say 70 kg, the record 90 kg."
    assert injection.confirmed_differences == said
    # What was confirmed once is not asked again, a new difference is.
    again = injections.correct(
        injection, **given(weight_kg=90.0, comment="left arm"), reason="arm added", by=everyone
    )
    assert again.confirmed_differences == said
    with pytest.raises(Invalid):
        injections.correct(
            again,
            **given(weight_kg=95.0),
            reason="misread",
            by=everyone,
        )
    right = injections.correct(again, **given(), reason="misread", by=everyone)
    assert right.confirmed_differences == ""


def test_record_and_images_stand_beside_each_other_on_the_page(scan, everyone, client):
    injections.record(scan, **given(weight_kg=90.0), by=everyone)
    records.make_measured(scan, by=everyone)
    client.force_login(everyone)
    page = client.get(reverse("scan", args=[scan.pk])).content.decode()
    table = page[page.index('id="beside"') :].split("</table>")[0]
    assert "90.0 kg" in table
    assert "70.0 kg" in table
    assert table.count("status-bad") == 1
    assert table.count("status-good") == 2


def test_a_correction_during_a_run_lets_nothing_old_pass(scan, everyone, monkeypatch):
    injection = injections.record(scan, **given(), by=everyone)
    run = records.make_measured(scan, by=everyone)
    with audit.action("test.ordered", actor=everyone, reason="again"):
        job = jobs.enqueue("imaging.quantify", actor=everyone, series=run.series_id)
    measure = quantification._measure

    def meanwhile(*arguments):
        weigh(injection, 77.0, by=everyone)
        return measure(*arguments)

    monkeypatch.setattr(quantification, "_measure", meanwhile)
    jobs.run(job.pk)
    assert run.series.quantifications.count() == 1
    monkeypatch.undo()
    recompute.order_due()
    work()
    assert run.series.quantifications.get(is_current=True).record_version == 2


# Severity and overrides


def blocked(scan, everyone):
    severities = {"header-weight-differs": "blocking"}
    set_plan(scan, conformance={"severities": severities})
    injections.record(scan, **given(weight_kg=90.0), by=everyone)
    return records.make_measured(scan, by=everyone)


def test_a_blocking_finding_stops_the_measurement_and_says_what_to_do(scan, everyone):
    run = blocked(scan, everyone)
    assert (run.status, run.code, run.suvmax) == ("refused", "blocked-by-conformance", None)
    assert "may let it pass" in run.message


def test_a_finding_that_a_person_lets_pass_is_measured_and_stays_a_finding(scan, everyone):
    run = blocked(scan, everyone)
    finding = run.series.findings.get(rule="header-weight-differs", is_current=True)
    reconciliation.override(finding, reason="amputee, checked by phone", by=everyone)
    work()
    new = run.series.quantifications.get(is_current=True)
    assert (new.run, new.suvmax is not None) == (2, True)
    finding.refresh_from_db()
    assert (finding.is_current, finding.overridden_by) == (True, everyone)
    assert "header-weight-differs" not in open_rules(scan)


def send_ct(run, *, by, **more):
    """A CT of the scan of a run in a transmittal of its own."""
    series, first = add_ct(run, planes=3, **more), run.series.transmittal
    with factories.framed():
        own = Transmittal.objects.create(
            site=first.site,
            scheduled_scan=first.scheduled_scan,
            state=Transmittal.State.RELEASED,
            sent_by=by,
            completed_at=first.completed_at,
        )
        ReceivedFile.objects.filter(instance__series=series).update(transmittal=own)
        Series.objects.filter(pk=series.pk).update(transmittal=own)
        job = jobs.enqueue("imaging.assemble", actor=by, transmittal=own.pk)
    jobs.run(job.pk)


def test_a_pet_that_was_blocked_for_want_of_a_ct_is_measured_when_it_comes(scan, everyone):
    severities = {"ct-missing": "blocking"}
    set_plan(scan, requires_ct=True, conformance={"severities": severities})
    injections.record(scan, **given(), by=everyone)
    run = records.make_measured(scan, by=everyone)
    assert run.code == "blocked-by-conformance"
    send_ct(run, by=everyone)
    work()
    new = run.series.quantifications.get(is_current=True)
    assert (new.run, new.suvmax is not None) == (2, True)
    assert "blocked-by-conformance" not in open_rules(scan)


def test_what_was_measured_is_blocked_by_a_ct_that_comes_and_is_not_its_own(scan, everyone):
    set_plan(scan, conformance={"severities": {"ct-of-another-frame": "blocking"}})
    injections.record(scan, **given(), by=everyone)
    run = records.make_measured(scan, by=everyone)
    assert run.suvmax is not None
    send_ct(run, by=everyone, frame="1.2.99")
    work()
    new = run.series.quantifications.get(is_current=True)
    assert (new.run, new.code, new.suvmax) == (2, "blocked-by-conformance", None)


def test_what_blocks_since_a_run_began_lets_nothing_of_it_pass(scan, everyone, monkeypatch):
    injections.record(scan, **given(weight_kg=90.0), by=everyone)
    run = records.make_measured(scan, by=everyone)
    with audit.action("test.ordered", actor=everyone, reason="again"):
        job = jobs.enqueue("imaging.quantify", actor=everyone, series=run.series_id)
    measure = quantification._measure

    def meanwhile(*arguments):
        measured = measure(*arguments)
        set_plan(scan, conformance={"severities": {"header-weight-differs": "blocking"}})
        with audit.action("test.judged", actor=everyone, reason="another severity"):
            reconciliation.reconcile(scan)
        return measured

    monkeypatch.setattr(quantification, "_measure", meanwhile)
    jobs.run(job.pk)
    monkeypatch.undo()
    assert run.series.quantifications.get() == run
    work()
    new = run.series.quantifications.get(is_current=True)
    assert (new.run, new.code) == (2, "blocked-by-conformance")


def test_only_a_data_manager_lets_pass_and_with_a_reason(scan, everyone):
    run = blocked(scan, everyone)
    finding = run.series.findings.filter(is_current=True).first()
    monitor = factories.make_user(Role.MONITOR, trial=scan.patient.trial)
    with pytest.raises(Forbidden):
        reconciliation.override(finding, reason="seems right", by=monitor)
    with pytest.raises(Invalid):
        reconciliation.override(finding, reason=" ", by=everyone)


def test_uptake_of_75_minutes_asks_deviates_and_proposes_a_population(scan, everyone):
    set_plan(scan, uptake_low_minutes=30, uptake_high_minutes=60)
    run = records.make_measured(scan, by=everyone)
    start = reconciliation.observed(scan, _headers(run)).first_bed_at
    at = start - timedelta(minutes=75)
    injections.record(
        scan,
        **given(injected_at=at, assayed_at=at, residual_at=at),
        by=everyone,
        despite="late",
        is_difference_confirmed=True,
    )
    recompute.order_due()
    assert "uptake-time-out-of-window" in open_rules(scan)
    deviation = Deviation.objects.get(rule="uptake-time-out-of-window")
    assert deviation.values["population"] == "not per protocol: uptake"
    assert "75.0 min is outside 30 to 60 min" in deviation.text
    finding = Series.objects.get(pk=run.series_id).findings.get(
        rule=deviation.rule, is_current=True
    )
    assert finding.population == "not per protocol: uptake"


def test_every_rule_has_a_severity_the_product_knows():
    assert {Severity(one) for one in RULES.values()} <= set(Severity)


# Tried before it holds


def test_rules_of_another_version_are_tried_on_the_archive(scan, everyone, client):
    injections.record(scan, **given(), by=everyone)
    run = records.make_measured(scan, by=everyone)
    plan = PlannedScan.objects.select_related("tracer").get(pk=scan.planned_scan_id)
    trial = scan.patient.trial
    with factories.framed():
        version = trial.versions.create(
            number=2, label="2.0", definition={}, definition_sha256="1" * 64
        )
        plan.pk, plan._state.adding, plan.version = None, True, version
        plan.conformance = {"voxel_mm": {"high": 3.5}}
        plan.save()
    (one,), count = trying.rules(version, site=scan.patient.site, by=everyone)
    assert (one.series, one.gone, count) == (run.series, (), 1)
    assert "A voxel measures 4 mm" in one.new[0]
    assert not run.series.findings.filter(rule="voxel-size-out-of-range").exists()
    client.force_login(everyone)
    page = client.get(
        reverse("conformance_try", args=[scan.patient.site_id, version.pk])
    ).content.decode()
    assert "1 of 1 PET series judged otherwise" in page


def test_an_engine_is_tried_before_it_is_adopted(scan, everyone):
    injections.record(scan, **given(), by=everyone)
    run = records.make_measured(scan, by=everyone)
    trial = scan.patient.trial
    assert list(trying.engine(trial)) == []
    with factories.framed():
        Quantification.objects.filter(pk=run.pk).update(suvbw_factor=run.suvbw_factor * 1.25)
    (changed,) = trying.engine(trial)
    assert changed.percent == pytest.approx(-20.0, abs=1e-9)
    told = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("try_engine", trial.identifier, stdout=told)
    assert ended.value.code == 3
    assert "-20.0000 %" in told.getvalue()


def test_the_series_page_shows_findings_and_witnesses(scan, everyone, client):
    injections.record(scan, **given(weight_kg=90.0), by=everyone)
    run = records.make_measured(scan, by=everyone)
    client.force_login(everyone)
    page = client.get(reverse("series", args=[run.series_id])).content.decode()
    assert "The weight in the images is 70 kg, the record says 90 kg." in page
    assert "What instant the values refer to" in page
    assert "D Decay Factor" in page


# From a number back to the syringe


def nodes(node):
    yield node
    for one in node["inputs"]:
        yield from nodes(one)


@pytest.mark.parametrize("source", ["header", "record"])
def test_a_number_is_computed_again_from_its_derivation_alone(scan, everyone, client, source):
    set_plan(scan, suv_source=source)
    injections.record(scan, **given(weight_kg=77.0), by=everyone)
    run = records.make_measured(scan, by=everyone)
    lesion = run.lesions.get()
    client.force_login(everyone)
    told = client.get(f"/api/v1/lesions/{lesion.pk}/derivation/suvmax/").json()
    value: dict = {}
    for one in nodes(told):
        value.setdefault(one["label"], one["value"])
    rescaled = value["Stored value"] * value["Rescale Slope"] + value["Rescale Intercept"]
    halvings = value["Injection to reference"] / value["Half-life"]
    factor = value["Weight"] * 1000 / (value["Injected activity"] * 2**-halvings)
    assert rescaled * factor == pytest.approx(told["value"], rel=1e-6)
    (weight,) = [one for one in nodes(told) if one["label"] == "Weight"]
    expected = {"header": (70.0, ""), "record": (77.0, f"/scans/{scan.pk}/#injection-version-1")}
    assert (weight["value"], weight["address"]) == expected[source]
    (found,) = [one for one in nodes(told) if one["label"] == "SUVbw factor"]
    assert (
        f"{weight['value']:g} kg × 1000 / (3.7e+08 Bq × 2^(−3600 s / 6586.2 s))"
        in (found["formula"])
    )


# A person's decision


def for_review(scan, everyone):
    """Its decay factors say another instant than Series Time."""
    series = records._released(scan, by=everyone)
    with factories.framed():
        for one in series.instances.all():
            one.header["decay_factor"] = 1.2
            one.save(update_fields=["header"])
        job = jobs.enqueue("imaging.assemble", actor=everyone, transmittal=series.transmittal_id)
    jobs.run(job.pk)
    work()
    return series.quantifications.get(is_current=True)


def test_what_is_for_review_has_a_candidate_and_no_number(scan, everyone, client):
    run = for_review(scan, everyone)
    assert (run.status, run.code, run.suvmax) == ("review", "reference-time-disputed", None)
    assert run.derivation["candidate"]["factor"] == pytest.approx(FACTOR, rel=1e-6)
    client.force_login(everyone)
    page = client.get(reverse("series", args=[run.series_id])).content.decode()
    assert "No SUV until a person has decided" in page
    assert "Contradicts" in page


def test_a_decision_measures_it_flagged_and_holds_for_those_images_alone(scan, everyone):
    run = for_review(scan, everyone)
    reviews.accept(run, reason="scanner log says 11:00:00", by=everyone)
    work()
    new = run.series.quantifications.get(is_current=True)
    assert (new.status, new.run) == ("flagged", 2)
    assert reviews.FLAG in new.flags
    assert new.suvbw_factor == pytest.approx(FACTOR, rel=1e-6)
    assert "reference-time-disputed" not in open_rules(scan)
    with pytest.raises(Refused, match="not for review"):
        reviews.accept(run, reason="once more", by=everyone)
    other = Instance.objects.filter(series=run.series).first()
    with factories.framed():
        other.sha256 = "0" * 64
        other.save(update_fields=["sha256"])
    with pytest.raises(SuvRefused):
        quantification.scale_of(run.series, _headers(run))


def disputed(scan, everyone, **weight):
    """Counts, with a factor of the scanner 3 % above that of the recorded 70 kg."""
    set_plan(scan, suv_source="record")
    injection = injections.record(scan, **given(**weight), by=everyone)
    series = records._released(scan, by=everyone)
    with factories.framed():
        for one in series.instances.all():
            one.header |= {
                "units": "CNTS",
                "philips_suv_factor": FACTOR * 2.0 * 1.03,
                "philips_activity_factor": 2.0,
            }
            one.save(update_fields=["header"])
        job = jobs.enqueue("imaging.assemble", actor=everyone, transmittal=series.transmittal_id)
    jobs.run(job.pk)
    work()
    return injection, series.quantifications.get(is_current=True)


def test_a_decision_is_asked_again_when_the_record_makes_it_another_factor(scan, everyone):
    injection, run = disputed(scan, everyone)
    assert (run.status, run.code) == ("review", "scale-factors-disputed")
    reviews.accept(run, reason="the console has 72 kg", by=everyone)
    work()
    assert run.series.quantifications.get(is_current=True).flags[-1] == reviews.FLAG
    weigh(injection, 90.0, by=everyone)
    with pytest.raises(Refused, match="wait until it is measured again"):
        open_volumes.of_run(run.series.quantifications.get(is_current=True))
    recompute.order_due()
    work()
    new = run.series.quantifications.get(is_current=True)
    assert (new.status, new.code, new.suvmax) == ("review", "scale-factors-disputed", None)
    reviews.accept(new, reason="weighed again, the console is wrong", by=everyone)
    # Back at the first, which was decided.
    injection.refresh_from_db()
    weigh(injection, 70.0, by=everyone)
    recompute.order_due()
    work()
    assert run.series.quantifications.get(is_current=True).flags[-1] == reviews.FLAG


def test_a_decision_holds_for_no_doubt_that_nobody_saw(scan, everyone):
    run = for_review(scan, everyone)
    reviews.accept(run, reason="scanner log says 11:00:00", by=everyone)
    with pytest.raises(SuvRefused) as raised:
        suvbw_scale(_headers(run))
    refusal = raised.value
    assert (refusal.doubts, bool(reviews.decided(run.series, refusal))) == ((run.code,), True)
    refusal.doubts = (run.code, "negative-uptake")
    assert reviews.decided(run.series, refusal) is None


def test_a_decision_of_an_earlier_release_holds_for_the_factor_it_was_made_on(scan, everyone):
    injection, run = disputed(scan, everyone)
    with factories.framed():
        del run.derivation["doubts"]
        run.save(update_fields=["derivation"])
    decision = reviews.accept(run, reason="the console has 72 kg", by=everyone)
    assert decision.input_sha256 == run.input_sha256
    work()
    assert run.series.quantifications.get(is_current=True).flags[-1] == reviews.FLAG
    weigh(injection, 90.0, by=everyone)
    recompute.order_due()
    work()
    assert run.series.quantifications.get(is_current=True).status == "review"


def test_only_a_data_manager_decides_and_with_a_reason(scan, everyone):
    run = for_review(scan, everyone)
    monitor = factories.make_user(Role.MONITOR, trial=scan.patient.trial)
    with pytest.raises(Forbidden):
        reviews.accept(run, reason="seems right", by=monitor)
    with pytest.raises(Invalid):
        reviews.accept(run, reason="", by=everyone)
