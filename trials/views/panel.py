"""The pages of the truth panel, which show the reference standard and nothing of a scan."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from trials import permissions
from trials.forms import ReasonForm
from trials.models import Patient
from trials.selectors import panel as selectors
from trials.services import panel
from trials.views.acts import (
    ActPage,
    act_page,
    form_methods,
    fresh_submission,
    perform,
    rights,
    sent,
)


@require_safe
def panel_patients(request: HttpRequest) -> HttpResponse:
    """Patients whose truth is to be decided, and how far the panel is."""
    rows = permissions.listed(selectors.patients(), request.user, "panel.view")
    page = Paginator(rows, 25).get_page(request.GET.get("page"))
    return render(request, "trials/panel_patients.html", {"page": page})


@require_safe
def panel_patient(request: HttpRequest, pk: int) -> HttpResponse:
    """The reference standard of a patient, and the panel's decisions."""
    patient = _patient(request, "panel.view", pk)
    context = {
        "patient": patient,
        "case": selectors.case_of(patient),
        "may": rights(request.user, patient.scope(), "panel.decide", "panel.unblind"),
        "submission": fresh_submission(),
    }
    return render(request, "trials/panel_patient.html", context)


@form_methods
def panel_unblind(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell the panel of the index test; what it changes afterwards is named."""
    patient = _patient(request, "panel.unblind", pk)
    form = ReasonForm(sent(request))
    address = reverse("panel_patient", args=[patient.pk])

    def unblind(found: dict) -> str:
        panel.unblind(patient, reason=found["reason"], by=request.user)
        return address

    done = perform(request, form, unblind)
    page = ActPage(
        "Unblind the panel",
        "Unblind the panel",
        address,
        f"Patient {patient}",
        address,
        "Record that the panel is told what the index test showed of this patient. It can't be "
        "taken back: whatever the panel changes afterwards is marked, and a deviation is drafted.",
        is_grave=True,
    )
    return done or act_page(request, form, page)


def _patient(request: HttpRequest, permission: str, pk: int) -> Patient:
    rows = Patient.objects.select_related("trial", "site")
    return permissions.fetched(rows, request.user, permission, pk=pk)
