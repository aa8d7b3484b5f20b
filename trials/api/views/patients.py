"""Patients, their consents, evidence, assessments and enrolment."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import conduct, serializers
from trials.api.base import Endpoint, asked, filtered, operation
from trials.api.views.sites import person_at
from trials.models import (
    Consent,
    EligibilityAssessment,
    Evidence,
    Patient,
    ScheduledScan,
    Site,
)
from trials.selectors import assessments as assessed
from trials.selectors import findings
from trials.services import assessments, consents, enrolment, evidence, patients

PATIENTS = Patient.objects.select_related("trial", "site")


class Patients(Endpoint):
    @operation(
        "listPatients",
        tag="patients",
        answers=serializers.Patient(many=True),
        filters=serializers.PatientFilter,
    )
    def get(self, request: Request) -> Response:
        """The patients of the user's trials and sites."""
        wanted = filtered(request, serializers.PatientFilter)
        rows = permissions.listed(PATIENTS, request.user, "patient.view")
        if trial := wanted.pop("trial", None):
            rows = rows.filter(trial__identifier=trial)
        rows = rows.filter(**wanted).order_by("trial", "identifier")
        return self.page(rows, serializers.Patient)

    @operation(
        "registerPatient",
        tag="patients",
        asks=serializers.Register,
        answers=serializers.Patient,
        status=201,
    )
    def post(self, request: Request) -> Response:
        """Give a person a number in the trial. Names and hospital numbers stay at the site."""
        permissions.require_somewhere(request.user, "patient.screen")
        given = asked(request, serializers.Register)
        site = permissions.fetched(
            Site.objects, request.user, "patient.screen", pk=given.pop("site")
        )
        patient = patients.register(site, **given, by=request.user)
        return self.show(patient, serializers.Patient, status=201)


class OnePatient(Endpoint):
    @operation("getPatient", tag="patients", answers=serializers.Patient)
    def get(self, request: Request, pk: int) -> Response:
        """One patient."""
        return self.show(patient_for(request, "patient.view", pk), serializers.Patient)


class Consents(Endpoint):
    @operation("listConsents", tag="patients", answers=serializers.Consent(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The consents of a patient, withdrawn ones included."""
        patient = patient_for(request, "patient.view", pk)
        return self.page(patient.consents.all(), serializers.Consent)

    @operation(
        "recordConsent",
        tag="patients",
        asks=serializers.RecordConsent,
        answers=serializers.Consent,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record a consent as the paper says."""
        patient = patient_for(request, "consent.record", pk)
        given = asked(request, serializers.RecordConsent)
        if person := given.pop("obtained_by_user"):
            given["obtained_by_user"] = person_at(patient.site, person, field="obtained_by_user")
        consent = consents.record(patient, **given, by=request.user)
        return self.show(consent, serializers.Consent, status=201)


class WithdrawConsent(Endpoint):
    @operation(
        "withdrawConsent", tag="patients", asks=serializers.Reason, answers=serializers.Consent
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record that consent was withdrawn: nothing new is collected, what was stays."""
        consent = permissions.fetched(
            Consent.objects.select_related("patient"), request.user, "consent.record", pk=pk
        )
        consents.withdraw(consent, **asked(request, serializers.Reason), by=request.user)
        return self.show(consent, serializers.Consent)


class PatientEvidence(Endpoint):
    @operation("listEvidence", tag="patients", answers=serializers.Evidence(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The evidence about a patient, corrected entries included."""
        patient = patient_for(request, "patient.view", pk)
        return self.page(
            patient.evidence.select_related("recorded_by", "item_value"), serializers.Evidence
        )

    @operation(
        "recordEvidence",
        tag="patients",
        asks=serializers.RecordEvidence,
        answers=serializers.Evidence,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record a dated fact as its source says it, out of any range or not."""
        patient = patient_for(request, "evidence.record", pk)
        given = asked(request, serializers.RecordEvidence)
        scan = scan_for(request, "evidence.record", given.pop("scheduled_scan"))
        row = evidence.record(patient, **given, scheduled_scan=scan, by=request.user)
        return self.show(row, serializers.Evidence, status=201)


class CorrectEvidence(Endpoint):
    @operation(
        "correctEvidence",
        tag="patients",
        asks=serializers.CorrectEvidence,
        answers=serializers.Evidence,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Replace a fact by a better one; the old one stays beside it."""
        row = permissions.fetched(
            Evidence.objects.select_related("patient", "scheduled_scan"),
            request.user,
            "evidence.record",
            pk=pk,
        )
        given = asked(request, serializers.CorrectEvidence)
        better = evidence.correct(row, **given, by=request.user)
        return self.show(better, serializers.Evidence, status=201)


class Findings(Endpoint):
    @operation("listFindings", tag="patients", answers=serializers.ReadFinding(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """What the standing reads of a patient's scans found; none to who reads here too."""
        patient = patient_for(request, "finding.view", pk)
        return self.page(findings.of_patient(patient, request.user), serializers.ReadFinding)


class Assessments(Endpoint):
    @operation("listAssessments", tag="eligibility", answers=serializers.Assessment(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The assessments of a patient, newest first."""
        patient = patient_for(request, "eligibility.view", pk)
        rows = assessed.with_results(patient.assessments.all())
        return self.page(rows, serializers.Assessment)

    @operation(
        "assessEligibility",
        tag="eligibility",
        asks=serializers.Assess,
        answers=serializers.Assessment,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Judge every criterion of a gate on the evidence as it stands now."""
        patient = patient_for(request, "eligibility.assess", pk)
        given = asked(request, serializers.Assess)
        scan = scan_for(request, "eligibility.assess", given["scheduled_scan"])
        made = assessments.assess(patient, gate=given["gate"], scheduled_scan=scan, by=request.user)
        row = assessed.with_results(EligibilityAssessment.objects).get(pk=made.pk)
        return self.show(row, serializers.Assessment, status=201)


class Enrolment(Endpoint):
    @operation("enrolPatient", tag="eligibility", asks=conduct.Enrol, answers=serializers.Patient)
    def post(self, request: Request, pk: int) -> Response:
        """Enrol on a signed verdict that still stands; refused with all that is missing."""
        patient = patient_for(request, "patient.enrol", pk)
        given = asked(request, conduct.Enrol)
        return self.show(enrolment.enrol(patient, by=request.user, **given), serializers.Patient)


class EndScreening(Endpoint):
    @operation(
        "endScreening", tag="eligibility", asks=conduct.EndScreening, answers=serializers.Patient
    )
    def post(self, request: Request, pk: int) -> Response:
        """End the screening of a patient who is not enrolled; nothing new is collected."""
        patient = patient_for(request, "patient.screen", pk)
        given = asked(request, conduct.EndScreening)
        ended = enrolment.end_screening(patient, **given, by=request.user)
        return self.show(ended, serializers.Patient)


def patient_for(request: Request, permission: str, pk: int) -> Patient:
    return permissions.fetched(PATIENTS, request.user, permission, pk=pk)


def scan_for(request: Request, permission: str, pk: int | None) -> ScheduledScan | None:
    """The scan a body names, if it names one."""
    if pk is None:
        return None
    return permissions.fetched(
        ScheduledScan.objects.select_related("patient"), request.user, permission, pk=pk
    )
