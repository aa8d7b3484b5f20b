"""Printed sheets over the API."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from reporting.models import PrintedSheet
from reporting.views import sheets
from trials import permissions
from trials.api.base import Endpoint, operation
from trials.models import ScopedQuerySet

Kind = PrintedSheet.Kind


class Printed(serializers.ModelSerializer):
    """A sheet that was printed; the first sixteen digits of `content_sha256` stand on it."""

    trial = serializers.CharField(source="trial.identifier")
    printed_by = serializers.StringRelatedField()

    class Meta:
        model = PrintedSheet
        fields = [
            "id",
            "trial",
            "site",
            "patient",
            "kind",
            "subject_table",
            "subject_pk",
            "number",
            "protocol_version",
            "content_sha256",
            "pdf_sha256",
            "size",
            "printed_by",
            "printed_at",
        ]


class PrintedSheets(Endpoint):
    @operation("listPrintedSheets", tag="printed sheets", answers=Printed(many=True))
    def get(self, request: Request) -> Response:
        """What was printed, by whom and when, the newest first."""
        rows = permissions.listed(PrintedSheet.objects, request.user, "audit.view")
        return self.page(rows.select_related("trial", "printed_by"), Printed)


def _operation(name: str, said: str):
    return extend_schema(
        operation_id=name,
        tags=["printed sheets"],
        description=said,
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )


def _made(request: Request, kind: Kind, rows: ScopedQuerySet, right: str, pk: int) -> HttpResponse:
    about = permissions.fetched(rows.all(), request.user, right, pk=pk)
    return sheets.as_pdf(sheets.printed(request, kind, about))


class Worksheet(Endpoint):
    @_operation(
        "printWorksheet", "The worksheet of a scan day as PDF; that it was printed is kept."
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        return _made(request, Kind.SCAN_WORKSHEET, sheets.SCANS, "injection.record", pk)


class BookingSheet(Endpoint):
    @_operation(
        "printBookingSheet", "What radiopharmacy and scanner need, without identity, as PDF."
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        return _made(request, Kind.BOOKING_SHEET, sheets.SCANS, "injection.record", pk)


class ScreeningLog(Endpoint):
    @_operation("printScreeningLog", "The screening log of a site as PDF.")
    def get(self, request: Request, pk: int) -> HttpResponse:
        return _made(request, Kind.SCREENING_LOG, sheets.SITES, "screening_log.view", pk)


class PreVisitList(Endpoint):
    @_operation("printPreVisitList", "What is open at a site before a monitor's visit, as PDF.")
    def get(self, request: Request, pk: int) -> HttpResponse:
        return _made(request, Kind.PRE_VISIT_LIST, sheets.SITES, "monitoring.record", pk)


class VisitReport(Endpoint):
    @_operation("printVisitReport", "The report of a monitoring visit as PDF.")
    def get(self, request: Request, pk: int) -> HttpResponse:
        return _made(request, Kind.VISIT_REPORT, sheets.VISITS, "monitoring.view", pk)


class FollowUpLetter(Endpoint):
    @_operation("printFollowUpLetter", "The letter after a signed report as PDF; 409 before that.")
    def get(self, request: Request, pk: int) -> HttpResponse:
        return _made(request, Kind.FOLLOW_UP_LETTER, sheets.VISITS, "monitoring.view", pk)
