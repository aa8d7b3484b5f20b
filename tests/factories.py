"""Rows for tests, made through the services wherever one exists."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import count

from django.contrib.auth.hashers import make_password

from trials import randomisation, site_readiness
from trials.models import (
    Allocation,
    Consent,
    ConsentVersion,
    Delegation,
    EligibilityAssessment,
    EligibilityCriterion,
    Enrolment,
    Membership,
    Patient,
    PlannedScan,
    ProtocolActivation,
    ProtocolVersion,
    ScheduledScan,
    Signature,
    Site,
    SiteApproval,
    Tracer,
    Trial,
    User,
)
from trials.roles import Role
from trials.services import audit, consents, jobs, patients, scans, verdicts

_numbers = count(1)
# Of every user made here; MD5 in tests, so that making one costs nothing.
PASSWORD = "a long phrase for tests"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
# Of every patient made here.
BIRTH = date(1961, 4, 23)


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


def make_fdg_trial() -> Trial:
    """The same with 18F-FDG as the tracer, which the images of `pet_dataset` are of."""
    trial = make_trial()
    with framed():
        Tracer.objects.filter(version__trial=trial).update(radionuclide="F-18", name="[18F]FDG")
    return trial


def make_site(trial: Trial, code: str | None = None) -> Site:
    """An active site: everything it needs is there, and the newest version is in force."""
    leader = make_user(Role.INVESTIGATOR, trial=trial)
    with framed():
        site = Site.objects.create(
            trial=trial,
            code=code or f"9{next(_numbers):03d}",
            name="A site",
            time_zone="UTC",
            state=Site.State.ACTIVE,
            principal_investigator=leader,
        )
        ProtocolActivation.objects.create(
            site=site,
            version=trial.newest_version,
            effective_on=date(2026, 1, 1),
            activated_by=jobs.system_user(),
        )
        make_ready(site)
    return site


def activate(version: ProtocolVersion, site: Site) -> None:
    """Let a version hold at a site from today."""
    with framed():
        ProtocolActivation.objects.create(
            site=site,
            version=version,
            effective_on=site.today(),
            activated_by=jobs.system_user(),
        )


def make_ready(site: Site) -> None:
    """What a site needs before it may enrol. Inside an action."""
    kinds = [(kind, "") for kind in site_readiness.REQUIRED]
    tracers = site.trial.newest_version.tracers.values_list("identifier", flat=True)
    for kind, tracer in [*kinds, *((site_readiness.SCANNER, tracer) for tracer in tracers)]:
        SiteApproval.objects.create(
            site=site,
            kind=kind,
            tracer=tracer,
            reference="on file",
            granted_on=date(2026, 1, 1),
            recorded_by=jobs.system_user(),
        )
    ConsentVersion.objects.create(
        site=site, version="1.0", language="en", valid_from=date(2026, 1, 1)
    )


def delegate(user: User, site: Site, *duties: str) -> None:
    """Give duties at a site to a user; all of them unless named."""
    with framed():
        for duty in duties or Delegation.Duty.values:
            row = Delegation.objects.create(
                site=site, user=user, duty=duty, starts_on=date(2026, 1, 1)
            )
            row.signature = Signature.objects.create(
                trial=site.trial,
                site=site,
                meaning=Signature.Meaning.DELEGATION,
                signer_name="Principal Investigator",
                signed_by=site.principal_investigator or user,
                content={},
                content_sha256="0" * 64,
                subject_table="trials_delegation",
                subject_pk=row.pk,
            )
            row.save(update_fields=["signature"])


def make_user(role: Role | None = None, *, trial: Trial | None = None, site: Site | None = None):
    """A user who holds `role` in `trial`, at `site` or at all sites, with duties there."""
    with framed():
        number = next(_numbers)
        user = User.objects.create(
            username=f"user{number}",
            first_name="User",
            last_name=f"{number}",
            password=make_password(PASSWORD),
        )
        if role and trial:
            Membership.objects.create(
                user=user, trial=trial, site=site, role=role, starts_on=date(2026, 1, 1)
            )
    if role in {Role.COORDINATOR, Role.INVESTIGATOR, Role.TECHNOLOGIST}:
        for one in [site] if site else trial.sites.all() if trial else []:
            delegate(user, one)
    return user


def make_patient(site: Site, *, by: User | None = None, sex: str = "F") -> Patient:
    by = by or make_user(Role.COORDINATOR, trial=site.trial, site=site)
    return patients.register(site, sex_at_birth=sex, birth=BIRTH.isoformat(), by=by)


def make_assessment(patient: Patient, *, by: User) -> EligibilityAssessment:
    """An eligible verdict, without criteria."""
    with framed():
        return EligibilityAssessment.objects.create(
            patient=patient,
            version=patient.site.version_in_force,
            gate=EligibilityCriterion.Gate.ENROLMENT,
            verdict=EligibilityAssessment.Verdict.ELIGIBLE,
            assessed_at=datetime.now(UTC),
            assessed_by=by,
            software_version="test",
        )


def make_enrolled(site: Site, *, by: User) -> Patient:
    """A patient enrolled on an eligible assessment that stands."""
    patient = make_patient(site, by=by)
    make_consent(patient, by=by, signed_at="2026-03-01")
    make_assessment(patient, by=by)
    with framed():
        patient.state = Patient.State.ENROLLED
        patient.identifier = f"{site.code}-{patient.number:03d}"
        patient.save(update_fields=["state", "identifier"])
        Enrolment.objects.create(patient=patient, enrolled_by=by)
    return patient


def make_allocation(patient: Patient, *, by: User, masking: str = "concealed") -> Allocation:
    """The next place of a randomisation that the version in force states from here on.

    Its periods are no planned scans: no gate asks about them.
    """
    version = patient.site.version_in_force
    stated = {
        "masking": masking,
        "sequences": [
            {"identifier": name, "label": name, "periods": [name]} for name in ("XY1", "XY2")
        ],
        "source": [],
    }
    with framed():
        version.definition = version.definition | {"randomisation": stated}
        version.save(update_fields=["definition"])
        return Allocation.objects.create(
            patient=patient,
            trial=patient.trial,
            version=version,
            scheme_sha256=randomisation.scheme_digest(stated),
            position=patient.trial.allocations.count(),
            allocated_by=by,
        )


def make_consent(patient: Patient, *, by: User, **given) -> Consent:
    """A consent signed today on the form that is in force."""
    signed = {
        "version": "1.0",
        "language": "en",
        "signed_at": patient.site.today().isoformat(),
        "signatory": "patient",
        "obtained_by": "Dr Adams",
        "copy_given": True,
    }
    return consents.record(patient, by=by, **signed | given)


def sign(assessment: EligibilityAssessment) -> Signature:
    """The verdict signed by the principal investigator of the site."""
    leader = assessment.patient.site.principal_investigator
    return verdicts.sign(assessment, by=leader, password=PASSWORD)


def make_scan(patient: Patient, *, by: User, planned_at: datetime = NOON) -> ScheduledScan:
    plan = PlannedScan.objects.get(version__trial=patient.trial, identifier="scan_ptf")
    return scans.schedule(patient, planned_scan=plan, planned_at=planned_at, by=by)
