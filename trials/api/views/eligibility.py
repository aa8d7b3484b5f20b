"""Signatures, replays, the board, enrolment and what ends it."""

from __future__ import annotations

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from trials import board, permissions
from trials.api import conduct, serializers
from trials.api.base import Endpoint, asked, filtered, operation
from trials.api.views.patients import patient_for, scan_for
from trials.models import EligibilityAssessment, EligibilityCriterion, Patient, Site
from trials.selectors import board as selectors
from trials.selectors import screening_log
from trials.services import (
    consents,
    enrolment,
    patients,
    replays,
    verdicts,
    verification,
    withdrawals,
)
from trials.services.errors import Invalid

ASSESSMENTS = EligibilityAssessment.objects.select_related(
    "patient__trial", "patient__site", "version__trial", "scheduled_scan__planned_scan__version"
)


class SignVerdict(Endpoint):
    @operation(
        "signVerdict",
        tag="eligibility",
        asks=conduct.Password,
        answers=conduct.Signature,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Sign a verdict that stands. Any later change of what it rests on supersedes it."""
        row = permissions.fetched(ASSESSMENTS, request.user, "eligibility.sign", pk=pk)
        given = asked(request, conduct.Password)
        return self.show(
            verdicts.sign(row, by=request.user, **given), conduct.Signature, status=201
        )


class ReplayAssessment(Endpoint):
    @operation("replayAssessment", tag="eligibility", answers=conduct.Replay)
    def get(self, request: Request, pk: int) -> Response:
        """Judge the frozen inputs again, never today's evidence."""
        row = permissions.fetched(ASSESSMENTS, request.user, "eligibility.replay", pk=pk)
        return self.show(replays.replay(row, by=request.user), conduct.Replay)


class Conditions(Endpoint):
    @operation("listEnrolmentConditions", tag="eligibility", answers=conduct.Condition(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """What enrolment of a patient asks for, and what of it is there."""
        patient = patient_for(request, "patient.enrol", pk)
        cohort = request.query_params.get("cohort") or None
        found = enrolment.conditions(patient, by=request.user, cohort=cohort)
        return self.page(found, conduct.Condition)


class EnrolDespite(Endpoint):
    @operation(
        "enrolDespite",
        tag="eligibility",
        asks=conduct.EnrolDespite,
        answers=serializers.Deviation,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record that a patient was enrolled though not eligible: a signed deviation."""
        patient = patient_for(request, "patient.enrol_despite", pk)
        given = asked(request, conduct.EnrolDespite)
        row = enrolment.record_despite(patient, by=request.user, **given)
        return self.show(row, serializers.Deviation, status=201)


class CorrectPatient(Endpoint):
    @operation(
        "correctPatient",
        tag="patients",
        asks=serializers.CorrectPatient,
        answers=serializers.Patient,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Correct sex at birth or date of birth; verdicts made before end."""
        patient = patient_for(request, "patient.screen", pk)
        given = asked(request, serializers.CorrectPatient)
        return self.show(patients.correct(patient, by=request.user, **given), serializers.Patient)


class Rescreen(Endpoint):
    @operation(
        "rescreenPatient",
        tag="patients",
        asks=serializers.Reason,
        answers=serializers.Patient,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Screen a person again whose screening failed, under a new number."""
        patient = patient_for(request, "patient.screen", pk)
        again = patients.rescreen(patient, by=request.user, **asked(request, serializers.Reason))
        return self.show(again, serializers.Patient, status=201)


class Withdrawals(Endpoint):
    @operation("listWithdrawals", tag="patients", answers=conduct.Withdrawal(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The withdrawals of a patient, the newest first."""
        patient = patient_for(request, "patient.view", pk)
        return self.page(patient.withdrawals.all(), conduct.Withdrawal)

    @operation(
        "recordWithdrawal",
        tag="patients",
        asks=conduct.Withdraw,
        answers=conduct.Withdrawal,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record that a patient leaves, and how far it reaches."""
        patient = patient_for(request, "patient.withdraw", pk)
        given = asked(request, conduct.Withdraw)
        row = withdrawals.record(patient, by=request.user, **given)
        return self.show(row, conduct.Withdrawal, status=201)


class ScreeningLog(Endpoint):
    @operation(
        "listScreenings",
        tag="patients",
        answers=conduct.LogLine(many=True),
        filters=serializers.TrialFilter,
    )
    def get(self, request: Request) -> Response:
        """Everyone who was screened, and what became of them."""
        wanted = filtered(request, serializers.TrialFilter)
        rows = permissions.listed(Patient.objects, request.user, "screening_log.view")
        if trial := wanted.get("trial"):
            rows = rows.filter(trial__identifier=trial)
        return self.page(list(screening_log.lines(rows)), conduct.LogLine)


class Reconsent(Endpoint):
    @operation("listReconsent", tag="patients", answers=conduct.Due(many=True))
    def get(self, request: Request) -> Response:
        """Who has to sign a newer consent form."""
        permissions.require_somewhere(request.user, "patient.view")
        sites = Site.objects.visible_to(request.user, "patient.view").select_related("trial")
        asking = sites.filter(consent_versions__requires_reconsent=True).distinct()
        found = [
            {"patient": patient.identifier, "site": site.code, "sentence": standing.sentence}
            for site in asking
            for patient, standing in consents.to_reconsent(site)
        ]
        return self.page(found, conduct.Due)


class Board(Endpoint):
    @operation(
        "getBoard",
        tag="eligibility",
        answers=conduct.BoardRow(many=True),
        filters=conduct.BoardFilter,
    )
    def get(self, request: Request) -> Response:
        """Patients against criteria: the newest word of each, and whether it is verified.

        A criterion that was judged for several scans has a cell for each, the worst first.
        """
        permissions.require_somewhere(request.user, "eligibility.view")
        wanted = filtered(request, conduct.BoardFilter)
        seen = Site.objects.visible_to(request.user, "eligibility.view")
        seen = seen.filter(trial__identifier=wanted["trial"])
        if site := wanted.get("site"):
            seen = seen.filter(pk=site)
        shown = selectors.with_sites(seen)
        patients_ = permissions.listed(Patient.objects, request.user, "eligibility.view")
        criteria = selectors.columns(shown)
        rows = selectors.rows(patients_.filter(site__in=shown), criteria)
        narrowed = board.Asked(since=wanted.get("changed_since"))
        found = [row for row in rows if board.matches(row.cells, narrowed)]
        return self.page(found, conduct.BoardRow)


class Cell(Endpoint):
    @operation(
        "getBoardCell",
        tag="eligibility",
        answers=conduct.OpenedCell,
        filters=conduct.CellFilter,
    )
    def get(self, request: Request, pk: int, criterion: str) -> Response:
        """One criterion of one patient, or of one scan of the patient, with all behind it."""
        patient = patient_for(request, "eligibility.view", pk)
        wanted = filtered(request, conduct.CellFilter).get("scheduled_scan")
        scan = scan_for(request, "eligibility.view", wanted)
        if scan and scan.patient_id != patient.pk:
            raise Http404
        row = _criterion(patient, criterion)
        return self.show(selectors.opened(patient, row, scan), conduct.OpenedCell)


class Verify(Endpoint):
    @operation(
        "verifyEvidence",
        tag="eligibility",
        asks=conduct.Verify,
        answers=conduct.Mark(many=True),
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Mark the evidence of criteria as compared with its source."""
        patient = patient_for(request, "eligibility.verify", pk)
        given = asked(request, conduct.Verify)
        scan = scan_for(request, "eligibility.verify", given["scheduled_scan"])
        seen = given["seen"]
        if not isinstance(seen, dict) or not all(isinstance(one, str) for one in seen.values()):
            raise Invalid("seen", "Give the digest that was seen for each criterion.")
        made = verification.verify(
            patient,
            seen={_criterion(patient, name): digest for name, digest in seen.items()},
            scheduled_scan=scan,
            note=given["note"],
            by=request.user,
        )
        shown = conduct.Mark(made, many=True, context=self.get_serializer_context())
        return Response(shown.data, status=201)


def _criterion(patient: Patient, identifier: str) -> EligibilityCriterion:
    """The newest criterion of that name the patient was judged on, or that is in force."""
    judged = EligibilityCriterion.objects.filter(
        criterionresult__assessment__patient=patient, identifier=identifier
    )
    found = judged.select_related("version").order_by("-version__number").first()
    if found:
        return found
    version = patient.site.version_in_force
    row = version.criteria.filter(identifier=identifier).first() if version else None
    if row is None:
        raise Http404
    return row
