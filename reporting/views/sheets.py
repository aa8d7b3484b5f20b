"""Printed sheets: the files, and what a site printed."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_safe

from reporting.models import PrintedSheet
from reporting.services import printing
from trials import permissions
from trials.models import MonitoringVisit, ScheduledScan, ScopedModel, Site

Kind = PrintedSheet.Kind
SCANS = ScheduledScan.objects.select_related(
    "patient__trial",
    "patient__site__trial",
    "planned_scan__tracer",
    "planned_scan__version__trial",
    "injection",
    "header_statement",
)
SITES = Site.objects.select_related("trial", "principal_investigator")
VISITS = MonitoringVisit.objects.select_related(
    "site__trial", "site__principal_investigator", "recorded_by"
)


@require_GET
def scan_worksheet(request: HttpRequest, pk: int) -> HttpResponse:
    return _printed(request, Kind.SCAN_WORKSHEET, _scan(request, pk))


@require_GET
def booking_sheet(request: HttpRequest, pk: int) -> HttpResponse:
    return _printed(request, Kind.BOOKING_SHEET, _scan(request, pk))


@require_GET
def screening_log_sheet(request: HttpRequest, pk: int) -> HttpResponse:
    site = permissions.fetched(SITES.all(), request.user, "screening_log.view", pk=pk)
    return _printed(request, Kind.SCREENING_LOG, site)


@require_GET
def pre_visit_list(request: HttpRequest, pk: int) -> HttpResponse:
    site = permissions.fetched(SITES.all(), request.user, "monitoring.record", pk=pk)
    return _printed(request, Kind.PRE_VISIT_LIST, site)


@require_GET
def visit_report(request: HttpRequest, pk: int) -> HttpResponse:
    return _printed(request, Kind.VISIT_REPORT, _visit(request, pk))


@require_GET
def follow_up_letter(request: HttpRequest, pk: int) -> HttpResponse:
    return _printed(request, Kind.FOLLOW_UP_LETTER, _visit(request, pk))


@require_safe
def printed_sheets(request: HttpRequest) -> HttpResponse:
    """What was printed, by whom and when, with the digests that tell a paper."""
    rows = permissions.listed(PrintedSheet.objects, request.user, "audit.view")
    rows = rows.select_related("trial", "site", "patient", "printed_by")
    sought = request.GET.get("document", "").strip().lower()
    if sought:
        rows = rows.filter(content_sha256__startswith=sought)
    page = Paginator(rows, 50).get_page(request.GET.get("page"))
    return render(request, "reporting/printed_sheets.html", {"page": page, "document": sought})


def as_pdf(made: printing.Printed) -> HttpResponse:
    """A sheet as a file that a browser shows, to print or to keep."""
    response = HttpResponse(made.content, content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(False, made.file_name)
    response["ETag"] = f'"{made.row.pdf_sha256}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _printed(request: HttpRequest, kind: Kind, about: ScopedModel) -> HttpResponse:
    return as_pdf(printed(request, kind, about))


def printed(request: HttpRequest, kind: Kind, about: ScopedModel) -> printing.Printed:
    """A sheet with the address of its record's page, printed for whoever asks."""
    page, pk = PAGES[kind], about.pk
    address = request.build_absolute_uri(reverse(page, args=[pk]))
    return printing.print_sheet(kind, about, by=request.user, address=address)


def _scan(request: HttpRequest, pk: int) -> ScheduledScan:
    return permissions.fetched(SCANS.all(), request.user, "injection.record", pk=pk)


def _visit(request: HttpRequest, pk: int) -> MonitoringVisit:
    return permissions.fetched(VISITS.all(), request.user, "monitoring.view", pk=pk)


# The page that a sheet leads back to.
PAGES = {
    Kind.SCAN_WORKSHEET: "scan",
    Kind.BOOKING_SHEET: "scan",
    Kind.SCREENING_LOG: "site",
    Kind.PRE_VISIT_LIST: "site",
    Kind.VISIT_REPORT: "monitoring_visit",
    Kind.FOLLOW_UP_LETTER: "monitoring_visit",
}
