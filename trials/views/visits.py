"""Visits without a scan: recorded as they took place, corrected, taken back."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from trials import permissions
from trials.forms import ReasonForm, VisitCorrectionForm, VisitForm
from trials.models import Patient, PlannedVisit, VisitRecord
from trials.services import visits as services
from trials.views.acts import ActPage, act_page, form_methods, perform, sent


@form_methods
def visit_record(request: HttpRequest, pk: int, visit: str) -> HttpResponse:
    """Say that a visit took place, as the source tells."""
    rows = Patient.objects.select_related("trial", "site")
    row = permissions.fetched(rows, request.user, "visit.record", pk=pk)
    version = row.site.version_in_force
    planned = get_object_or_404(PlannedVisit, version=version, identifier=visit)
    form = VisitForm(
        sent(request),
        zone=row.site.time_zone,
        initial={"performed_by": request.user.get_full_name()},
    )

    def record(found: dict) -> str:
        services.record(row, visit=planned, by=request.user, **found)
        return _schedule_of(row)

    done = perform(request, form, record)
    intro = "From the source. Windows that are counted from this visit move to its actual date."
    return done or act_page(request, form, _page(row, planned, "Record the visit", intro))


@form_methods
def visit_correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct when a visit took place, or who held it."""
    row = _record(request, pk)
    form = VisitCorrectionForm(
        sent(request),
        zone=row.patient.site.time_zone,
        initial={"took_place_at": row.took_place_at, "performed_by": row.performed_by},
    )

    def correct(found: dict) -> str:
        services.correct(row, by=request.user, **found)
        return _schedule_of(row.patient)

    done = perform(request, form, correct)
    intro = "The trail keeps what was recorded before."
    page = _page(row.patient, row.planned_visit, "Correct the visit", intro)
    return done or act_page(request, form, page)


@form_methods
def visit_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back that a visit took place."""
    row = _record(request, pk)
    form = ReasonForm(sent(request))

    def undo(found: dict) -> str:
        services.undo(row, by=request.user, **found)
        return _schedule_of(row.patient)

    done = perform(request, form, undo)
    intro = "The visit counts as not done again, until it is recorded."
    page = _page(row.patient, row.planned_visit, "Take the visit back", intro, is_grave=True)
    return done or act_page(request, form, page)


def _record(request: HttpRequest, pk: int) -> VisitRecord:
    rows = VisitRecord.objects.select_related("patient__trial", "patient__site", "planned_visit")
    return permissions.fetched(rows, request.user, "visit.record", pk=pk)


def _schedule_of(patient: Patient) -> str:
    return f"{reverse('patient', args=[patient.pk])}#schedule"


def _page(
    patient: Patient, visit: PlannedVisit, act: str, intro: str, *, is_grave: bool = False
) -> ActPage:
    address = _schedule_of(patient)
    return ActPage(f"{act}: {visit}", act, address, f"Patient {patient}", address, intro, is_grave)
