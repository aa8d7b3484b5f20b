"""Rows for tests, made through the services wherever one exists."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import count

from trials.models import (
    EligibilityAssessment,
    EligibilityCriterion,
    Membership,
    Patient,
    PlannedScan,
    ProtocolActivation,
    ProtocolVersion,
    ScheduledScan,
    Site,
    Tracer,
    Trial,
    User,
)
from trials.roles import Role
from trials.services import audit, jobs, patients, scans

_numbers = count(1)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def framed(action: str = "test.arranged"):
    """A frame for rows that no service makes."""
    return audit.action(action, actor=jobs.system_user(), reason="arranged by a test")


def make_trial(identifier: str | None = None) -> Trial:
    """A trial with one protocol version, a 68Ga tracer and one planned scan."""
    with framed():
        trial = Trial.objects.create(
            identifier=identifier or f"T{next(_numbers)}", uid_key=b"k" * 32
        )
        version = ProtocolVersion.objects.create(
            trial=trial, number=1, label="1.0", definition={}, definition_sha256="0" * 64
        )
        tracer = Tracer.objects.create(
            version=version,
            identifier="PTF",
            name="[68Ga]Ga-Pentixafor",
            radionuclide="Ga-68",
            activity_target_mbq=150,
            activity_low_mbq=100,
            activity_high_mbq=200,
        )
        PlannedScan.objects.create(
            version=version,
            tracer=tracer,
            identifier="scan_ptf",
            label="Pentixafor PET/CT",
            uptake_low_minutes=30,
            uptake_high_minutes=60,
            requires_ct=True,
            segmentation={"method": "fixed_threshold", "suv": 4.0, "minimum_volume_ml": 0.5},
        )
    return trial


def make_site(trial: Trial, code: str | None = None) -> Site:
    """A site where the newest version of the protocol is in force."""
    with framed():
        site = Site.objects.create(
            trial=trial, code=code or f"{next(_numbers):03d}", name="A site", time_zone="UTC"
        )
        ProtocolActivation.objects.create(
            site=site,
            version=trial.newest_version,
            effective_on=date(2026, 1, 1),
            activated_by=jobs.system_user(),
        )
    return site


def make_user(role: Role | None = None, *, trial: Trial | None = None, site: Site | None = None):
    """A user who holds `role` in `trial`, at `site` or at all sites."""
    with framed():
        number = next(_numbers)
        user = User.objects.create(
            username=f"user{number}", first_name="User", last_name=f"{number}"
        )
        if role and trial:
            Membership.objects.create(
                user=user, trial=trial, site=site, role=role, starts_on=date(2026, 1, 1)
            )
    return user


def make_patient(site: Site, *, by: User | None = None, sex: str = "F") -> Patient:
    by = by or make_user(Role.COORDINATOR, trial=site.trial, site=site)
    return patients.register(site, sex_at_birth=sex, birth="1961-04-23", by=by)


def make_enrolled(site: Site, *, by: User) -> Patient:
    """A patient enrolled on an eligible assessment that stands."""
    patient = make_patient(site, by=by)
    with framed():
        EligibilityAssessment.objects.create(
            patient=patient,
            version=patient.site.version_in_force,
            gate=EligibilityCriterion.Gate.ENROLMENT,
            verdict=EligibilityAssessment.Verdict.ELIGIBLE,
            assessed_at=datetime.now(UTC),
            assessed_by=by,
            software_version="test",
        )
        patient.state = Patient.State.ENROLLED
        patient.save(update_fields=["state"])
    return patient


def make_scan(patient: Patient, *, by: User, planned_at: datetime = NOON) -> ScheduledScan:
    plan = PlannedScan.objects.get(version__trial=patient.trial, identifier="scan_ptf")
    return scans.schedule(patient, planned_scan=plan, planned_at=planned_at, by=by)
