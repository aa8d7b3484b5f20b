"""Scheduled scans and their injections."""

from __future__ import annotations

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import serializers
from trials.api.base import Endpoint, asked, operation
from trials.api.views.patients import patient_for
from trials.models import Injection, Patient, PlannedScan, ScheduledScan
from trials.selectors import schedule
from trials.selectors.scan_day import likely
from trials.services import injections, scan_day, scans
from trials.services.errors import Invalid

SCANS = ScheduledScan.objects.select_related(
    "patient__trial",
    "patient__site",
    "planned_scan__tracer",
    "planned_scan__version",
    "injection__recorded_by",
    "injection__injected_by",
    "header_statement",
)


class Scans(Endpoint):
    @operation("listScans", tag="scans", answers=serializers.Scan(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The scheduled scans of a patient, with their injections."""
        patient = patient_for(request, "patient.view", pk)
        return self.page(SCANS.filter(patient=patient), serializers.Scan)

    @operation(
        "scheduleScan",
        tag="scans",
        asks=serializers.Schedule,
        answers=serializers.Scan,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Give a planned scan of the protocol a time for this patient."""
        patient = patient_for(request, "scan.schedule", pk)
        given = asked(request, serializers.Schedule)
        plan = permissions.fetched(
            PlannedScan.objects.select_related("version", "tracer"),
            request.user,
            "scan.schedule",
            pk=given["planned_scan"],
        )
        scan = scans.schedule(
            patient, planned_scan=plan, planned_at=given["planned_at"], by=request.user
        )
        return self.show(scan, serializers.Scan, status=201)


class OneScan(Endpoint):
    @operation("getScan", tag="scans", answers=serializers.Scan)
    def get(self, request: Request, pk: int) -> Response:
        """One scheduled scan, with its injection."""
        return self.show(scheduled_for(request, "patient.view", pk), serializers.Scan)


class RescheduleScan(Endpoint):
    @operation("rescheduleScan", tag="scans", asks=serializers.Reschedule, answers=serializers.Scan)
    def post(self, request: Request, pk: int) -> Response:
        """Give a scan that has not begun another time; what was judged for the old one falls."""
        scan = scheduled_for(request, "scan.schedule", pk)
        scans.reschedule(scan, **asked(request, serializers.Reschedule), by=request.user)
        return self.show(SCANS.get(pk=scan.pk), serializers.Scan)


class ScanInjection(Endpoint):
    @operation(
        "recordInjection",
        tag="scans",
        asks=serializers.RecordInjection,
        answers=serializers.Injection,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record the injection as it happened; what is outside the protocol becomes a deviation."""
        scan = scheduled_for(request, "injection.record", pk)
        given = _named(asked(request, serializers.RecordInjection), scan)
        glucose = given.pop("glucose")
        given["glucose"] = injections.Glucose(**glucose) if glucose else None
        injection = injections.record(scan, **given, by=request.user)
        return self.show(injection, serializers.Injection, status=201)


class CorrectScanInjection(Endpoint):
    @operation(
        "correctInjection",
        tag="scans",
        asks=serializers.CorrectInjection,
        answers=serializers.Injection,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Correct the injection; what rests on it is computed anew, the version before stays."""
        scan = scheduled_for(request, "injection.record", pk)
        row = Injection.objects.filter(scheduled_scan=scan).first()
        if row is None:
            raise Http404
        given = _named(asked(request, serializers.CorrectInjection), scan)
        row.version = given.pop("version")
        found = injections.correct(row, by=request.user, **given)
        return self.show(found, serializers.Injection)


class ScanGate(Endpoint):
    @operation("scanGate", tag="scans", answers=serializers.GateCondition(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """Whether the tracer may be given now, line by line."""
        scan = scheduled_for(request, "injection.record", pk)
        day = likely(scan, by=request.user)
        return self.page(scan_day.conditions(scan, day), serializers.GateCondition)


class CancelScan(Endpoint):
    @operation("cancelScan", tag="scans", asks=serializers.Reason, answers=serializers.Scan)
    def post(self, request: Request, pk: int) -> Response:
        """Cancel a scan that has no images; the plan can be scheduled again."""
        scan = scheduled_for(request, "scan.schedule", pk)
        scans.cancel(scan, **asked(request, serializers.Reason), by=request.user)
        return self.show(SCANS.get(pk=scan.pk), serializers.Scan)


class PatientSchedule(Endpoint):
    @operation("patientSchedule", tag="scans", answers=serializers.DatedVisit(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The visits of a patient with their windows, as of now."""
        patient = patient_for(request, "patient.view", pk)
        return self.page(schedule.visits_of(patient), serializers.DatedVisit)


class Worklist(Endpoint):
    @operation("worklist", tag="scans", answers=serializers.WorkLine(many=True))
    def get(self, request: Request) -> Response:
        """What the user's patients need within a week, the most urgent first."""
        patients = permissions.listed(Patient.objects, request.user, "patient.view")
        return self.page(schedule.worklist(patients), serializers.WorkLine)


def _named(given: dict, scan: ScheduledScan) -> dict:
    """Batch and scanner by their keys, of the site of the scan alone."""
    site = scan.patient.site
    for field, rows in (("batch", site.batches), ("scanner", site.scanners)):
        if given[field] is not None:
            row = rows.filter(pk=given[field]).first()
            if row is None:
                raise Invalid(field, f"{site} has no {field} with the key {given[field]}.")
            given[field] = row
    return given


def scheduled_for(request: Request, permission: str, pk: int) -> ScheduledScan:
    return permissions.fetched(SCANS, request.user, permission, pk=pk)
