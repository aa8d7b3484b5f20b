"""Scheduling scans, and injections as they happened."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import factories
from tests.factories import NOON
from trials.models import (
    AuditEvent,
    Deviation,
    Patient,
    PlannedScan,
    ProtocolVersion,
    Query,
    ScheduledScan,
)
from trials.roles import Role
from trials.services import injections, scans
from trials.services.errors import Invalid, Refused

pytestmark = pytest.mark.django_db

HALF_LIFE_GA68 = 4062.6  # s, ICRP Publication 107


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


def inject(scan, by, **changes):
    values = {
        "assayed_activity_mbq": 200.0,
        "assayed_at": NOON - timedelta(seconds=HALF_LIFE_GA68),
        "residual_activity_mbq": 1.0,
        "residual_at": NOON + timedelta(seconds=HALF_LIFE_GA68),
        "injected_at": NOON,
        "route": "intravenous",
        "weight_kg": 70.0,
        "height_cm": 170.0,
    }
    return injections.record(scan, **values | changes, by=by)


@pytest.mark.requirement("R67")
def test_net_activity_corrects_assay_and_residual_to_the_injection(scan, coordinator):
    # One half-life before: 200 -> 100. One half-life after: 1 was 2. Net 98 MBq.
    assert inject(scan, coordinator).net_activity_mbq == pytest.approx(98.0, rel=1e-12)


@pytest.mark.requirement("R68")
def test_activity_below_the_range_becomes_a_deviation_with_its_numbers(scan, coordinator):
    inject(scan, coordinator)
    deviation = Deviation.objects.get(patient=scan.patient)
    assert deviation.rule == "injected-activity-out-of-range"
    assert (deviation.values["low"], deviation.values["high"]) == (100, 200)


@pytest.mark.parametrize("edge", [100.0, 200.0])
@pytest.mark.requirement("R68")
def test_activity_on_the_edge_is_within_the_range(scan, coordinator, edge):
    inject(
        scan,
        coordinator,
        assayed_activity_mbq=edge,
        assayed_at=NOON,
        residual_activity_mbq=0.0,
        residual_at=NOON,
    )
    assert not Deviation.objects.filter(patient=scan.patient).exists()


def test_a_residual_not_measured_is_asked_about_and_not_zero(scan, coordinator):
    injection = inject(scan, coordinator, residual_activity_mbq=None, residual_at=None)
    assert injection.residual_activity_mbq is None
    assert Query.objects.get(patient=scan.patient).rule == "residual-not-measured"


def test_an_injection_is_recorded_once(scan, coordinator):
    inject(scan, coordinator)
    with pytest.raises(Refused) as refusal:
        inject(scan, coordinator)
    assert refusal.value.code == "already-injected"


@pytest.mark.parametrize(
    ("field", "value"),
    [("assayed_activity_mbq", 0.0), ("weight_kg", 0.0), ("height_cm", 1.7)],
)
def test_impossible_input_is_refused_at_its_field(scan, coordinator, field, value):
    with pytest.raises(Invalid) as refusal:
        inject(scan, coordinator, **{field: value})
    assert refusal.value.field == field


def test_the_scan_moves_on_with_the_injection(scan, coordinator):
    inject(scan, coordinator)
    scan.refresh_from_db()
    assert scan.state == ScheduledScan.State.INJECTED


def test_a_scan_is_scheduled_once(scan, coordinator):
    with pytest.raises(Refused) as refusal:
        factories.make_scan(scan.patient, by=coordinator)
    assert refusal.value.code == "already-scheduled"


def test_a_scan_of_an_earlier_version_is_the_same_scan(scan, coordinator):
    """Scheduled by both it would be counted from twice: criteria have one time of a scan."""
    site = scan.patient.site
    old = scan.planned_scan
    with factories.framed():
        version = ProtocolVersion.objects.get(pk=old.version_id)
        version.pk, version.number, version.label = None, 2, "2.0"
        version.definition_sha256 = "1" * 64
        version.save()
        tracer, plan = old.tracer, PlannedScan.objects.get(pk=old.pk)
        tracer.pk, tracer.version = None, version
        tracer.save()
        plan.pk, plan.version, plan.tracer = None, version, tracer
        plan.save()
    factories.activate(version, site)
    given = {"planned_scan": plan, "planned_at": NOON, "by": coordinator}
    patient = Patient.objects.get(pk=scan.patient_id)
    with pytest.raises(Refused) as refusal:
        scans.schedule(patient, **given)
    assert refusal.value.code == "already-scheduled"
    scans.cancel(scan, reason="by the new version", by=coordinator)
    assert scans.schedule(patient, **given).planned_scan == plan


def test_a_patient_in_screening_gets_no_scan(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    with pytest.raises(Refused) as refusal:
        factories.make_scan(patient, by=coordinator)
    assert refusal.value.code == "not-enrolled"


def test_a_scan_gets_another_time_with_its_reason_on_the_trail(scan, coordinator):
    later = NOON + timedelta(days=3)
    moved = scans.reschedule(scan, planned_at=later, reason="glucose too high", by=coordinator)
    assert (moved.planned_at, moved.state) == (later, ScheduledScan.State.SCHEDULED)
    event = AuditEvent.objects.get(action="scan.rescheduled", row=str(scan.pk))
    assert (event.reason, event.patient) == ("glucose too high", scan.patient_id)


def test_a_scan_that_has_begun_keeps_its_time(scan, coordinator):
    inject(scan, coordinator)
    with pytest.raises(Refused) as refusal:
        scans.reschedule(scan, planned_at=NOON, reason="typing error", by=coordinator)
    assert refusal.value.code == "scan-has-begun"


@pytest.mark.parametrize("reason", ["", " . "])
def test_another_time_needs_a_reason(scan, coordinator, reason):
    with pytest.raises(Invalid) as refusal:
        scans.reschedule(scan, planned_at=NOON, reason=reason, by=coordinator)
    assert refusal.value.field == "reason"


def test_another_time_needs_its_zone(scan, coordinator):
    with pytest.raises(Invalid) as refusal:
        scans.reschedule(
            scan, planned_at=NOON.replace(tzinfo=None), reason="camera down", by=coordinator
        )
    assert refusal.value.field == "planned_at"


def test_a_patient_who_withdrew_gets_no_other_time(scan, coordinator):
    with factories.framed():
        Patient.objects.filter(pk=scan.patient_id).update(state=Patient.State.WITHDRAWN)
    with pytest.raises(Refused) as refusal:
        scans.reschedule(scan, planned_at=NOON, reason="camera down", by=coordinator)
    assert refusal.value.code == "withdrawn"


@pytest.mark.parametrize(
    ("limits", "words"), [((None, 50), "up to 50 MBq"), ((150, None), "150 or more MBq")]
)
def test_a_single_activity_limit_is_held_too(scan, coordinator, limits, words):
    tracer = scan.planned_scan.tracer
    tracer.activity_low_mbq, tracer.activity_high_mbq = limits
    with factories.framed():
        tracer.save()
    inject(scan, coordinator)
    assert words in Deviation.objects.get(patient=scan.patient).text


def test_an_injection_that_lies_ahead_is_refused_at_its_time(scan, coordinator):
    ahead = timezone.now() + timedelta(hours=2)
    with pytest.raises(Invalid) as refusal:
        inject(scan, coordinator, injected_at=ahead, assayed_at=NOON)
    assert refusal.value.field == "injected_at"


def test_an_assay_of_another_day_is_kept_and_asked_about(scan, coordinator):
    inject(scan, coordinator, assayed_at=NOON - timedelta(days=365), residual_activity_mbq=0.0)
    rules = Query.objects.filter(patient=scan.patient).values_list("rule", flat=True)
    assert "assay-far-from-injection" in rules


def test_who_injects_without_the_duty_deviates_and_the_injection_stays(site, scan, coordinator):
    outsider = factories.make_user(trial=site.trial)
    injection = inject(
        scan,
        coordinator,
        injected_by=outsider,
        assayed_activity_mbq=150,
        assayed_at=NOON,
        despite="nobody else was there",
    )
    assert injection.injected_by == outsider
    rules = Deviation.objects.filter(patient=scan.patient).values_list("rule", flat=True)
    assert set(rules) == {"injected-without-delegation", "injected-despite-the-gate"}


def test_a_scan_of_a_version_that_is_not_in_force_is_not_scheduled(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    with factories.framed():
        newer = site.trial.versions.create(
            number=2, label="2.0", definition={}, definition_sha256="1" * 64
        )
    factories.activate(newer, site)
    with pytest.raises(Invalid, match="not in force"):
        factories.make_scan(Patient.objects.get(pk=patient.pk), by=coordinator)
