"""Visits without a scan, as they took place."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import serializers
from trials.api.base import Endpoint, asked, operation
from trials.api.views.patients import patient_for
from trials.models import PlannedVisit, VisitRecord
from trials.services import visits
from trials.services.errors import Invalid

ROWS = VisitRecord.objects.select_related(
    "patient__trial", "patient__site", "planned_visit", "recorded_by"
)


class Visits(Endpoint):
    @operation("listVisitRecords", tag="scans", answers=serializers.VisitRecord(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The visits of a patient that were recorded; those taken back say why."""
        patient = patient_for(request, "patient.view", pk)
        return self.page(ROWS.filter(patient=patient), serializers.VisitRecord)

    @operation(
        "recordVisit",
        tag="scans",
        asks=serializers.RecordVisit,
        answers=serializers.VisitRecord,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record that a visit without a scan took place, as the source tells."""
        patient = patient_for(request, "visit.record", pk)
        given = asked(request, serializers.RecordVisit)
        name, version = given.pop("visit"), patient.site.version_in_force
        planned = PlannedVisit.objects.filter(version=version, identifier=name).first()
        if planned is None:
            raise Invalid("visit", f"The version in force has no visit {name!r}.")
        row = visits.record(patient, visit=planned, by=request.user, **given)
        return self.show(row, serializers.VisitRecord, status=201)


class CorrectVisit(Endpoint):
    @operation(
        "correctVisit",
        tag="scans",
        asks=serializers.CorrectVisit,
        answers=serializers.VisitRecord,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Correct when a visit took place, or who held it."""
        row = permissions.fetched(ROWS, request.user, "visit.record", pk=pk)
        found = visits.correct(row, by=request.user, **asked(request, serializers.CorrectVisit))
        return self.show(found, serializers.VisitRecord)


class UndoVisit(Endpoint):
    @operation("undoVisit", tag="scans", asks=serializers.Reason, answers=serializers.VisitRecord)
    def post(self, request: Request, pk: int) -> Response:
        """Take back that a visit took place."""
        row = permissions.fetched(ROWS, request.user, "visit.record", pk=pk)
        found = visits.undo(row, by=request.user, **asked(request, serializers.Reason))
        return self.show(found, serializers.VisitRecord)
