"""A scan day: its gate, the syringe and its corrections, batches, scanners and clocks."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from tests import factories
from tests.factories import NOON
from trials.injected_activity import Limits, judged
from trials.models import AuditEvent, Batch, Deviation, Injection, Patient, Query, ScheduledScan
from trials.roles import Role
from trials.services import (
    accounts,
    batches,
    clocks,
    consents,
    delegations,
    injections,
    scan_day,
    scanners,
    scans,
)
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
HALF_LIFE_GA68 = 4062.6


@pytest.fixture
def site():
    return factories.make_site(factories.make_trial())


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def scan(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    return factories.make_scan(patient, by=coordinator)


def values(**changes):
    return {
        "assayed_activity_mbq": 150.0,
        "assayed_at": NOON,
        "residual_activity_mbq": 0.0,
        "residual_at": NOON,
        "injected_at": NOON,
        "weight_kg": 70.0,
    } | changes


def inject(scan, by, **changes):
    return injections.record(scan, **values(**changes), by=by)


def rules(scan):
    found = Deviation.objects.filter(patient=scan.patient)
    return {one.rule: one for one in found}


def batch_of(site, by, **changes):
    given = {
        "tracer": "PTF",
        "number": "B1",
        "calibration_activity_mbq": 900.0,
        "calibrated_at": NOON - timedelta(hours=1),
        "expires_at": NOON + timedelta(hours=3),
        "released_at": NOON - timedelta(minutes=30),
        "released_by": "Q. Person",
    }
    return batches.record(site, by=by, **given | changes)


def scanner_of(site, by, name="PET 1"):
    return scanners.register(site, name=name, manufacturer="GE", model="Discovery", by=by)


def checked(scanner, by, *, until=date(2026, 12, 31)):
    span = {"valid_from": date(2026, 1, 1), "valid_until": until, "reference": "on file"}
    scanners.qualify(scanner, tracer="PTF", by=by, **span)
    scanners.cross_calibrate(scanner, factor=1.01, by=by, **span)


# The gate


def standing(scan, by, **day):
    found = scan_day.conditions(scan, scan_day.Day(by=by, at=NOON, **day))
    return {one.code: one.standing for one in found}


def test_the_gate_is_green_when_everything_is_there(site, scan, coordinator):
    scanner = scanner_of(site, coordinator)
    checked(scanner, coordinator)
    found = standing(scan, coordinator, batch=batch_of(site, coordinator), scanner=scanner)
    assert found.pop("eligibility") == "not checkable"
    assert set(found.values()) == {"met"}


def test_what_is_not_named_is_not_checkable_and_no_pass(scan, coordinator):
    found = standing(scan, coordinator)
    assert (found["batch"], found["scanner"]) == ("not checkable", "not checkable")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"released_at": None, "released_by": ""}, "was not released"),
        ({"released_at": NOON + timedelta(minutes=1)}, "only on 2026-03-02 12:01"),
        ({"expires_at": NOON - timedelta(seconds=1)}, "expired on 2026-03-02 11:59"),
    ],
)
def test_a_batch_not_in_order_is_red_with_its_reason(site, scan, coordinator, changes, sentence):
    day = scan_day.Day(by=coordinator, at=NOON, batch=batch_of(site, coordinator, **changes))
    (red,) = scan_day.reds(scan, day)
    assert red.code == "batch"
    assert sentence in red.sentence


def test_a_batch_is_good_to_its_last_moment(site, coordinator):
    batch = batch_of(site, coordinator, expires_at=NOON, released_at=NOON - timedelta(minutes=1))
    assert batches.problems(batch, at=NOON) == []
    assert batches.problems(batch, at=NOON + timedelta(seconds=1)) != []


def test_a_scanner_without_its_checks_is_red_and_says_which(site, scan, coordinator):
    scanner = scanner_of(site, coordinator)
    checked(scanner, coordinator, until=date(2026, 2, 28))
    day = scan_day.Day(by=coordinator, at=NOON, scanner=scanner)
    (red,) = scan_day.reds(scan, day)
    assert "not qualified for PTF on 2026-03-02" in red.sentence
    assert "cross-calibration of PET 1 (GE Discovery) ended on 2026-02-28" in red.sentence


def test_consent_signed_after_the_injection_is_red(scan, coordinator):
    patient = scan.patient
    with factories.framed():
        patient.consents.update(signed_at="2026-03-03")
    told = "Consent 1.0 was signed on 2026-03-03, and none was in force before."
    assert consent_sentence(scan, coordinator) == ("unmet", told)


def consent_sentence(scan, by):
    """What the gate says of the consent at noon, the injection being typed later."""
    scan.patient.refresh_from_db()
    (found,) = [
        one
        for one in scan_day.conditions(scan, scan_day.Day(by=by, at=NOON))
        if one.code == "consent"
    ]
    return found.standing, found.sentence


@pytest.mark.parametrize("signed_at", ["2026-03-12", "2026-03-02T12:01+00:00"])
def test_a_consent_renewed_since_the_injection_leaves_the_one_of_that_day(
    scan, coordinator, signed_at
):
    factories.make_consent(scan.patient, by=coordinator, signed_at=signed_at)
    assert consent_sentence(scan, coordinator) == ("met", "Consent 1.0 of 2026-03-01.")
    inject(scan, coordinator)
    assert "injected-despite-the-gate" not in rules(scan)


def test_a_consent_withdrawn_since_the_injection_was_in_force_at_it(scan, coordinator):
    first = scan.patient.consents.get()
    consents.withdraw(first, reason="patient's wish", by=coordinator)
    assert consent_sentence(scan, coordinator) == ("met", "Consent 1.0 of 2026-03-01.")
    with factories.framed():
        scan.patient.consents.update(withdrawn_at=NOON - timedelta(seconds=1))
    assert consent_sentence(scan, coordinator) == ("unmet", "No consent is in force.")


def test_of_two_consents_the_one_signed_last_counts_not_the_one_typed_last(scan, coordinator):
    factories.make_consent(scan.patient, by=coordinator, signed_at="2026-02-01")
    assert consent_sentence(scan, coordinator) == ("met", "Consent 1.0 of 2026-03-01.")


def test_withdrawn_and_undelegated_are_red(site, scan, coordinator):
    outsider = factories.make_user(trial=site.trial)
    with factories.framed():
        Patient.objects.filter(pk=scan.patient_id).update(state=Patient.State.WITHDRAWN)
    scan.patient.refresh_from_db()
    found = standing(scan, outsider)
    assert (found["participation"], found["delegation"]) == ("unmet", "unmet")


# The injection


def test_a_red_gate_asks_why_and_records_it_as_an_important_deviation(site, scan, coordinator):
    batch = batch_of(site, coordinator, released_at=None, released_by="")
    with pytest.raises(Invalid) as refusal:
        inject(scan, coordinator, batch=batch)
    assert refusal.value.field == "despite"
    given = inject(scan, coordinator, batch=batch, despite="released by telephone")
    found = rules(scan)["injected-despite-the-gate"]
    assert (given.despite, found.is_important) == ("released by telephone", True)
    assert "not released" in found.text
    assert "batch-not-in-order" in rules(scan)


def test_a_reason_without_a_red_gate_is_not_kept(scan, coordinator):
    assert inject(scan, coordinator, despite="just in case").despite == ""


@pytest.mark.parametrize(("per_kg", "outside"), [(2.0, True), (2.2, False)])
def test_activity_by_weight_is_held_to_its_own_limits(scan, coordinator, per_kg, outside):
    tracer = scan.planned_scan.tracer
    with factories.framed():
        tracer.mbq_per_kg_low, tracer.mbq_per_kg_high = 1.0, per_kg
        tracer.save()
    inject(scan, coordinator)
    # 150 MBq in 70 kg are 2.142857 MBq/kg.
    assert ("activity-per-weight-out-of-range" in rules(scan)) == outside


def test_a_leak_is_a_deviation(scan, coordinator):
    inject(scan, coordinator, extravasation="seen")
    assert "Extravasation seen" in rules(scan)["extravasation"].text


def test_a_batch_of_another_site_is_refused_at_its_field(site, scan, coordinator):
    elsewhere = factories.make_site(site.trial)
    by = factories.make_user(Role.COORDINATOR, trial=site.trial, site=elsewhere)
    with pytest.raises(Invalid) as refusal:
        inject(scan, coordinator, batch=batch_of(elsewhere, by))
    assert refusal.value.field == "batch"


def test_the_clock_of_the_calibrator_is_corrected_for_and_kept(site, scan, coordinator):
    """It was one half-life ahead: what it showed at noon was measured a half-life before."""
    clocks.compare(
        site,
        instrument="dose_calibrator",
        ahead_s=HALF_LIFE_GA68,
        read_at=NOON - timedelta(hours=1),
        by=coordinator,
    )
    clocks.compare(
        site,
        instrument="dose_calibrator",
        ahead_s=5.0,
        read_at=NOON + timedelta(hours=1),
        by=coordinator,
    )
    given = inject(scan, coordinator, assayed_activity_mbq=300.0, residual_at=NOON)
    assert given.calibrator_ahead_s == HALF_LIFE_GA68
    assert given.net_activity_mbq == pytest.approx(150.0, rel=1e-12)


def test_a_clock_nobody_compared_is_not_checked(scan, coordinator):
    assert inject(scan, coordinator).calibrator_ahead_s is None


def read(site, by, ahead_s, *, at=NOON, **which):
    which = which or {"instrument": "dose_calibrator"}
    return clocks.compare(site, ahead_s=ahead_s, read_at=at, by=by, **which)


def test_a_clock_compared_before_and_recorded_after_the_injection_counts(site, scan, coordinator):
    given = inject(scan, coordinator, assayed_activity_mbq=300.0)
    assert "injected-activity-out-of-range" in rules(scan)
    read(site, coordinator, HALF_LIFE_GA68, at=NOON - timedelta(hours=1))
    given.refresh_from_db()
    assert (given.version, given.calibrator_ahead_s) == (2, HALF_LIFE_GA68)
    assert given.net_activity_mbq == pytest.approx(150.0, rel=1e-12)
    assert rules(scan)["injected-activity-out-of-range"].state == "closed"
    event = AuditEvent.objects.get(action="clock.read", table="trials_injection")
    assert (event.before["version"], event.after["version"]) == (1, 2)


def test_a_clock_found_exact_and_recorded_after_the_injection_is_checked(site, scan, coordinator):
    given = inject(scan, coordinator)
    before = given.net_activity_mbq
    read(site, coordinator, 0.0, at=NOON - timedelta(hours=1))
    given.refresh_from_db()
    assert (given.version, given.calibrator_ahead_s) == (2, 0.0)
    assert given.net_activity_mbq == before
    # The same once more is nothing new.
    read(site, coordinator, 0.0, at=NOON - timedelta(minutes=30))
    given.refresh_from_db()
    assert given.version == 2


def test_a_clock_compared_earlier_or_later_than_the_one_that_counts_changes_nothing(
    site, scan, coordinator
):
    read(site, coordinator, 5.0, at=NOON - timedelta(minutes=5))
    given = inject(scan, coordinator)
    read(site, coordinator, 60.0, at=NOON - timedelta(hours=1))
    read(site, coordinator, 60.0, at=NOON + timedelta(hours=1))
    given.refresh_from_db()
    assert (given.version, given.calibrator_ahead_s) == (1, 5.0)


def test_the_clock_of_its_own_scanner_is_a_new_version_of_the_injection(site, scan, coordinator):
    """Nothing of the injection changes, but what is computed from it does."""
    mine, other = (scanner_of(site, coordinator, name) for name in ("PET 1", "PET 2"))
    given = inject(scan, coordinator, scanner=mine, despite="checks are on paper")
    read(site, coordinator, 90.0, instrument="scanner", scanner=other)
    # Nor does an exact one change anything.
    read(site, coordinator, 0.0, instrument="scanner", scanner=mine, at=NOON - timedelta(hours=1))
    given.refresh_from_db()
    assert given.version == 1
    read(site, coordinator, 90.0, instrument="scanner", scanner=mine)
    given.refresh_from_db()
    assert given.version == 2
    read(site, coordinator, 90.0, instrument="scanner", scanner=mine)
    given.refresh_from_db()
    assert given.version == 2


# What was given to whoever left


def test_what_was_given_after_a_withdrawal_is_recorded_with_its_reason(scan, coordinator):
    with factories.framed():
        Patient.objects.filter(pk=scan.patient_id).update(state=Patient.State.WITHDRAWN)
    scan.patient.refresh_from_db()
    with pytest.raises(Invalid) as refusal:
        inject(scan, coordinator)
    assert refusal.value.field == "despite"
    inject(scan, coordinator, despite="the call came after the injection")
    found = rules(scan)["injected-despite-the-gate"]
    assert (found.is_important, "is withdrawn" in found.text) == (True, True)


# Times that can't be


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"assayed_at": NOON + timedelta(minutes=1)}, "assayed-after-injection"),
        ({"residual_at": NOON - timedelta(minutes=1)}, "residual-before-injection"),
        ({"residual_at": NOON - timedelta(days=1)}, "residual-before-injection"),
    ],
)
def test_an_order_of_times_that_cannot_be_is_asked_about(scan, coordinator, changes, rule):
    given = inject(scan, coordinator, **changes)
    assert Query.objects.get(rule=rule).state == "open"
    injections.correct(given, **values(), reason="misread", by=coordinator)
    assert Query.objects.get(rule=rule).state == "closed"


def test_times_are_put_in_order_on_the_reference_clock(site, scan, coordinator):
    """The calibrator was ten minutes ahead: its 12:05 was 11:55."""
    read(site, coordinator, 600.0, at=NOON - timedelta(hours=1))
    late = NOON + timedelta(minutes=5)
    inject(scan, coordinator, assayed_at=late, residual_at=NOON + timedelta(minutes=11))
    assert not Query.objects.filter(rule__endswith="-injection").exists()


# Corrections


def test_a_correction_is_a_new_version_and_the_trail_has_both(scan, coordinator):
    given = inject(scan, coordinator)
    fixed = injections.correct(
        given, **values(weight_kg=77.0), reason="scale misread", by=coordinator
    )
    assert (fixed.version, fixed.weight_kg) == (2, 77.0)
    event = AuditEvent.objects.get(action="injection.corrected", table="trials_injection")
    assert (event.before["weight_kg"], event.after["weight_kg"]) == (70, 77)
    assert event.reason == "scale misread"


def test_what_a_rule_drafted_follows_the_correction(scan, coordinator):
    given = inject(scan, coordinator, assayed_activity_mbq=90.0)
    drafted = rules(scan)["injected-activity-out-of-range"]
    assert drafted.values["found"] == 90.0
    given = injections.correct(
        given, **values(assayed_activity_mbq=95.0), reason="misread", by=coordinator
    )
    drafted.refresh_from_db()
    assert (drafted.state, drafted.values["found"]) == ("drafted", 95.0)
    given = injections.correct(given, **values(), reason="misread again", by=coordinator)
    drafted.refresh_from_db()
    assert drafted.state == "closed"
    assert drafted.text.endswith("Withdrawn: the record was corrected.")
    injections.correct(
        given, **values(assayed_activity_mbq=95.0), reason="it was right", by=coordinator
    )
    drafted.refresh_from_db()
    assert drafted.state == "drafted"


def test_whoever_acknowledged_a_deviation_is_told_that_it_is_none_any_more(scan, coordinator):
    given = inject(scan, coordinator, assayed_activity_mbq=90.0)
    with factories.framed():
        Deviation.objects.update(state=Deviation.State.ACKNOWLEDGED)
    given = injections.correct(given, **values(), reason="misread", by=coordinator)
    told = rules(scan)["injected-activity-out-of-range"]
    assert told.state == "drafted"
    assert told.text.endswith("corrected since: nothing deviates any more.")
    # It stays to be acknowledged, whatever else is corrected.
    given = injections.correct(given, **values(comment="x"), reason="added", by=coordinator)
    assert rules(scan)["injected-activity-out-of-range"].text == told.text
    assert rules(scan)["injected-activity-out-of-range"].state == "drafted"
    injections.correct(
        given, **values(assayed_activity_mbq=90.0), reason="it was right", by=coordinator
    )
    again = rules(scan)["injected-activity-out-of-range"]
    assert (again.state, again.text) == (
        "drafted",
        "Net injected activity 90.0 MBq is outside 100 to 200 MBq.",
    )


def test_a_deviation_that_was_closed_stays_closed_and_says_what_was_corrected(scan, coordinator):
    given = inject(scan, coordinator, assayed_activity_mbq=90.0)
    with factories.framed():
        Deviation.objects.update(state=Deviation.State.CLOSED)
    injections.correct(given, **values(), reason="misread", by=coordinator)
    told = rules(scan)["injected-activity-out-of-range"]
    assert told.state == "closed"
    assert told.text.endswith("corrected since: nothing deviates any more.")


def test_a_question_closes_itself_when_the_record_answers_it(scan, coordinator):
    given = inject(scan, coordinator, residual_activity_mbq=None, residual_at=None)
    asked = Query.objects.get(rule="residual-not-measured", patient=scan.patient)
    injections.correct(given, **values(), reason="found the sheet", by=coordinator)
    asked.refresh_from_db()
    assert (asked.state, asked.messages.count()) == ("closed", 2)


def test_two_who_correct_at_once_are_told(scan, coordinator):
    given = inject(scan, coordinator)
    stale = type(given).objects.get(pk=given.pk)
    injections.correct(given, **values(weight_kg=77.0), reason="misread", by=coordinator)
    with pytest.raises(Refused, match="corrected this injection while"):
        injections.correct(stale, **values(weight_kg=78.0), reason="misread", by=coordinator)


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_correction_has_a_reason(scan, coordinator, reason):
    given = inject(scan, coordinator)
    with pytest.raises(Invalid, match="Say why"):
        injections.correct(given, **values(weight_kg=77.0), reason=reason, by=coordinator)


def test_a_correction_that_changes_nothing_is_none(scan, coordinator):
    given = inject(scan, coordinator)
    with pytest.raises(Refused, match="recorded already"):
        injections.correct(given, **values(), reason="checked", by=coordinator)


# Scans that do not happen


def test_a_cancelled_scan_gives_its_plan_free(scan, coordinator):
    scans.cancel(scan, reason="camera down", by=coordinator)
    scan.refresh_from_db()
    assert (scan.state, scan.cancelled_because) == (ScheduledScan.State.CANCELLED, "camera down")
    again = factories.make_scan(scan.patient, by=coordinator)
    assert again.pk != scan.pk
    with pytest.raises(Refused, match="was cancelled"):
        inject(scan, coordinator)


def test_a_scan_aborted_after_the_injection_is_a_deviation(scan, coordinator):
    inject(scan, coordinator)
    scans.cancel(scan, reason="patient unwell", by=coordinator)
    assert "patient unwell" in rules(scan)["scan-aborted-after-injection"].text


def test_a_scan_with_images_is_not_cancelled(scan, coordinator):
    with factories.framed():
        ScheduledScan.objects.update(state=ScheduledScan.State.QUANTIFIED)
    with pytest.raises(Refused, match="can't be cancelled"):
        scans.cancel(scan, reason="typing error", by=coordinator)


# Batches, scanners, clocks


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tracer": "XYZ"}, "tracer"),
        ({"number": " "}, "number"),
        ({"calibration_activity_mbq": 0.0}, "calibration_activity_mbq"),
        ({"expires_at": NOON - timedelta(hours=2)}, "expires_at"),
        ({"released_by": ""}, "released_by"),
        ({"calibrated_at": NOON.replace(tzinfo=None)}, "calibrated_at"),
        ({"ph": 14.1}, "ph"),
        ({"radiochemical_purity_percent": 100.5}, "radiochemical_purity_percent"),
        ({"volume_ml": float("nan")}, "volume_ml"),
    ],
)
def test_a_batch_that_cannot_be_is_refused_at_its_field(site, coordinator, changes, field):
    with pytest.raises(Invalid) as refusal:
        batch_of(site, coordinator, **changes)
    assert refusal.value.field == field


def test_a_certificate_is_recorded_corrected_and_read_on_page_and_api(site, coordinator, client):
    batch = batch_of(site, coordinator, ph=7.1, radiochemical_purity_percent=98.4)
    client.force_login(coordinator)
    page = reverse("site_batch_certify", args=[batch.pk])
    form = shown(client, page)
    form |= {"certificate": "CoA 17", "radiochemical_purity_percent": "98.9"}
    assert client.post(page, form).status_code == 422  # why it is corrected is not said
    assert client.post(page, form | {"reason": "digits exchanged"}).status_code == 302
    listed = client.get(reverse("site_day", args=[site.pk])).content.decode()
    assert "Radiochemical purity" in listed
    assert "98.9 %" in listed
    address = reverse("api_batch_certify", args=[batch.pk])
    late = {"germanium_breakthrough_percent": 0.0002, "reason": "measured after decay"}
    told = client.post(address, late, content_type="application/json").json()
    assert (told["germanium_breakthrough_percent"], told["ph"]) == (0.0002, 7.1)
    assert (told["certificate"], told["volume_ml"]) == ("CoA 17", None)
    trail = AuditEvent.objects.filter(table="trials_batch", row=str(batch.pk)).order_by("pk")
    assert [one.reason for one in trail][1:] == ["digits exchanged", "measured after decay"]
    again = client.post(address, late, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "nothing-changed")


def shown(client, page):
    """What the form of a page would send as it stands."""
    fields = client.get(page).context["form"]
    return {one.name: one.value() for one in fields if one.value() is not None}


def test_what_was_not_touched_on_the_page_stays_to_the_microsecond(site, coordinator, client):
    at = NOON.replace(microsecond=123456)
    batch = batch_of(site, coordinator, calibrated_at=at, expires_at=at + timedelta(hours=3))
    client.force_login(coordinator)
    page = reverse("site_batch_certify", args=[batch.pk])
    form = shown(client, page) | {"number": "B1 ", "reason": "typed anew"}
    assert client.post(page, form).status_code == 409
    assert client.post(page, form | {"number": "B17"}).status_code == 302
    batch.refresh_from_db()
    assert (batch.number, batch.calibrated_at) == ("B17", at)


def test_a_corrected_expiry_makes_a_deviation_and_takes_one_back(site, scan, coordinator):
    batch = batch_of(site, coordinator)
    inject(scan, coordinator, batch=batch)
    assert batches.NOT_IN_ORDER not in rules(scan)
    early = {"expires_at": NOON - timedelta(minutes=1)}
    batches.certify(batch, reason="read the wrong line", by=coordinator, **early)
    drafted = rules(scan)[batches.NOT_IN_ORDER]
    assert (drafted.state, "expired on 2026-03-02 11:59" in drafted.text) == ("drafted", True)
    late = {"expires_at": NOON + timedelta(hours=2)}
    batches.certify(batch, reason="it was right", by=coordinator, **late)
    assert rules(scan)[batches.NOT_IN_ORDER].state == "closed"


def test_who_has_no_account_any_more_had_the_duty_on_the_day(site, scan, coordinator):
    person = factories.make_user(Role.TECHNOLOGIST, trial=site.trial, site=site)
    given = inject(scan, coordinator, injected_by=person)
    administrator = factories.make_user(Role.ADMINISTRATOR)
    accounts.deactivate(person, reason="left", by=administrator)
    changed = values(weight_kg=71.0)
    injections.correct(given, **changed, reason="misread", by=coordinator)
    assert delegations.NOT_TO_INJECT not in rules(scan)


def test_a_time_corrected_to_before_the_consent_deviates(site, scan, coordinator):
    given = inject(scan, coordinator)
    before = NOON - timedelta(days=60)
    early = values(injected_at=before, assayed_at=before, residual_at=before)
    fixed = injections.correct(given, **early, reason="misread", by=coordinator)
    assert "onsent" in rules(scan)[injections.AT_ITS_TIME].text
    injections.correct(fixed, **values(), reason="it was right", by=coordinator)
    assert rules(scan)[injections.AT_ITS_TIME].state == "closed"


def test_a_batch_of_another_tracer_deviates_by_correction_too(site, scan, coordinator):
    given = inject(scan, coordinator)
    other = batch_of(site, coordinator)
    with factories.framed():
        Batch.objects.filter(pk=other.pk).update(tracer="FDG")
    changed = values(batch=other)
    injections.correct(given, **changed, reason="batch was missing", by=coordinator)
    assert "another tracer" in rules(scan)[batches.NOT_IN_ORDER].text


def test_a_scanner_that_is_retired_since_stays_with_a_corrected_injection(
    site, scan, coordinator, client
):
    scanner = scanner_of(site, coordinator)
    given = inject(scan, coordinator, scanner=scanner, despite="as it was")
    scanners.retire(scanner, on=date(2026, 3, 10), reason="replaced", by=coordinator)
    client.force_login(coordinator)
    page = reverse("injection_correct", args=[scan.pk])
    assert "PET 1 (GE Discovery), retired 2026-03-10" in client.get(page).content.decode()
    form = shown(client, page) | {"weight_kg": "71", "reason": "misread"}
    assert client.post(page, form).status_code == 302
    given.refresh_from_db()
    assert (given.weight_kg, given.scanner) == (71.0, scanner)


def test_a_release_that_is_recorded_later_is_held_to_what_was_given(site, scan, coordinator):
    batch = batch_of(site, coordinator, released_at=None, released_by="")
    inject(scan, coordinator, batch=batch, despite="released by telephone")
    told = {"released_by": "Q. Person", "by": coordinator}
    batches.release(batch, released_at=NOON - timedelta(minutes=5), **told)
    found = rules(scan)
    assert found[batches.NOT_IN_ORDER].state == "closed"
    # Why it was given with a red gate stays for the investigator.
    assert found["injected-despite-the-gate"].is_important


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"expires_at": NOON - timedelta(hours=2)}, "expires_at"),
        ({"calibration_activity_mbq": 0.0}, "calibration_activity_mbq"),
        ({"number": " "}, "number"),
        ({"released_by": ""}, "released_by"),
        ({"released_at": None, "released_by": ""}, "released_at"),
    ],
)
def test_a_batch_is_not_corrected_to_what_none_is(site, coordinator, given, field):
    batch = batch_of(site, coordinator)
    with pytest.raises(Invalid) as refusal:
        batches.certify(batch, reason="typed anew", by=coordinator, **given)
    assert refusal.value.field == field


def test_a_number_that_another_batch_has_is_refused(site, coordinator):
    batch_of(site, coordinator)
    other = batch_of(site, coordinator, number="B2")
    with pytest.raises(Refused, match="with this number is recorded"):
        batches.certify(other, number="B1", reason="typed anew", by=coordinator)


def test_a_batch_is_recorded_and_released_once(site, coordinator):
    waiting = batch_of(site, coordinator, released_at=None, released_by="")
    with pytest.raises(Refused, match="recorded at"):
        batch_of(site, coordinator)
    batches.release(waiting, released_at=NOON, released_by="Q. Person", by=coordinator)
    with pytest.raises(Refused, match="was released by Q"):
        batches.release(waiting, released_at=NOON, released_by="Other", by=coordinator)


def test_a_scanner_is_registered_once_and_retires_once(site, coordinator):
    scanner = scanner_of(site, coordinator)
    with pytest.raises(Refused, match="registered at"):
        scanner_of(site, coordinator)
    scanners.retire(scanner, on=date(2026, 3, 1), reason="replaced", by=coordinator)
    with pytest.raises(Refused, match="is retired"):
        scanners.retire(scanner, on=date(2026, 3, 1), reason="replaced", by=coordinator)
    scanner.refresh_from_db()
    assert "retired" in scanners.problems(scanner, tracer="PTF", on=date(2026, 3, 2))[0]


def test_a_check_of_a_scanner_typed_after_the_injection_takes_its_deviation_back(
    site, scan, coordinator
):
    scanner = scanner_of(site, coordinator)
    inject(scan, coordinator, scanner=scanner, despite="the certificate is on its way")
    drafted = rules(scan)[scanners.NOT_IN_ORDER]
    assert ("not qualified" in drafted.text, "cross-calibration" in drafted.text) == (True, True)
    checked(scanner, coordinator)
    found = rules(scan)
    assert found[scanners.NOT_IN_ORDER].state == "closed"
    # Why it was given with a red gate stays for the investigator.
    assert found["injected-despite-the-gate"].is_important


@pytest.mark.parametrize(("on", "deviates"), [(date(2026, 3, 2), True), (date(2026, 3, 3), False)])
def test_a_scanner_retired_as_of_an_earlier_day_makes_deviations_since(
    site, scan, coordinator, on, deviates
):
    scanner = scanner_of(site, coordinator)
    checked(scanner, coordinator)
    inject(scan, coordinator, scanner=scanner)
    assert scanners.NOT_IN_ORDER not in rules(scan)
    scanners.retire(scanner, on=on, reason="gantry broken", by=coordinator)
    assert (scanners.NOT_IN_ORDER in rules(scan)) == deviates


@pytest.mark.parametrize("factor", [0.0, -1.0, 0.1, 10.0])
def test_a_factor_no_calibration_gives_is_refused(site, coordinator, factor):
    with pytest.raises(Invalid) as refusal:
        scanners.cross_calibrate(
            scanner_of(site, coordinator),
            factor=factor,
            valid_from=date(2026, 1, 1),
            valid_until=date(2026, 12, 31),
            reference="on file",
            by=coordinator,
        )
    assert refusal.value.field == "factor"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"instrument": "watch"}, "instrument"),
        ({"instrument": "scanner"}, "scanner"),
        ({"ahead_s": 1e6}, "ahead_s"),
        ({"ahead_s": float("nan")}, "ahead_s"),
        ({"read_at": NOON + timedelta(days=9999)}, "read_at"),
    ],
)
def test_a_clock_reading_that_cannot_be_is_refused(site, coordinator, changes, field):
    given = {"instrument": "dose_calibrator", "ahead_s": 3.0, "read_at": NOON}
    with pytest.raises(Invalid) as refusal:
        clocks.compare(site, by=coordinator, **given | changes)
    assert refusal.value.field == field


def test_a_monitor_records_none_of_it(site, scan, coordinator):
    monitor = factories.make_user(Role.MONITOR, trial=site.trial)
    given = inject(scan, coordinator)
    for act in (
        lambda: batch_of(site, monitor),
        lambda: scanner_of(site, monitor),
        lambda: scans.cancel(scan, reason="x y", by=monitor),
        lambda: injections.correct(given, **values(), reason="x y", by=monitor),
    ):
        with pytest.raises(Forbidden):
            act()


# Limits


@pytest.mark.parametrize(
    ("value", "low", "high", "bound", "expected"),
    [
        (150.0, 100.0, 200.0, False, "within"),
        (100.0, 100.0, 200.0, False, "within"),
        (200.0, 100.0, 200.0, False, "within"),
        (99.999, 100.0, 200.0, False, "outside"),
        (200.001, 100.0, 200.0, False, "outside"),
        (150.0, None, None, False, "not checkable"),
        (0.0, None, 200.0, False, "within"),
        # An upper bound below the lowest is below it; above, nothing is known.
        (99.0, 100.0, 200.0, True, "outside"),
        (150.0, 100.0, 200.0, True, "not checkable"),
        (250.0, 100.0, 200.0, True, "not checkable"),
        (150.0, None, 200.0, True, "within"),
    ],
)
def test_limits_are_closed_and_unknown_never_passes(value, low, high, bound, expected):
    assert judged(value, Limits(low, high, "MBq"), is_upper_bound=bound).standing == expected


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4))
def test_an_upper_bound_never_says_more_than_the_value(value, one, other):
    limits = Limits(min(one, other), max(one, other), "MBq")
    exact, bound = judged(value, limits), judged(value, limits, is_upper_bound=True)
    assert bound.standing in {exact.standing, "not checkable"}


# Glucose, and what is not typed twice


def test_glucose_given_with_the_injection_becomes_evidence_of_the_scan(scan, coordinator):
    glucose = injections.Glucose(value=5.4, unit="mmol/L", measured_at="2026-03-01T09:30:00Z")
    inject(scan, coordinator, despite="no time", glucose=glucose)
    (row,) = scan.evidence.filter(variable="glucose")
    assert (row.value, row.unit, row.recorded_by) == (5.4, "mmol/L", coordinator)


def test_a_wrong_unit_of_glucose_leaves_nothing_recorded(scan, coordinator):
    glucose = injections.Glucose(value=5.4, unit="g", measured_at="2026-03-01T09:30:00Z")
    with pytest.raises(Invalid) as refused:
        inject(scan, coordinator, despite="no time", glucose=glucose)
    assert refused.value.field == "glucose_unit"
    assert not Injection.objects.filter(scheduled_scan=scan).exists()
