"""Randomising a patient, and looking at a concealed allocation in an emergency."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from trials import permissions
from trials.answer_words import duration
from trials.forms import ActForm, ReasonForm
from trials.models import Allocation, Patient
from trials.protocol import in_force
from trials.selectors import strata
from trials.services import allocations
from trials.views.acts import (
    ActPage,
    act_page,
    form_methods,
    form_page,
    perform,
    rights,
    sent,
)


@form_methods
def patient_allocation(request: HttpRequest, pk: int) -> HttpResponse:
    """The sequence a patient was allocated to, or the act of allocating one."""
    permission = "patient.randomise" if request.method == "POST" else "patient.view"
    patient = _patient(request, pk, permission)
    allocation = (
        Allocation.objects.filter(patient=patient)
        .select_related("trial", "version", "allocated_by", "patient__site")
        .first()
    )
    form = ActForm(sent(request))

    def allocate(_: dict) -> str:
        allocations.allocate(patient, by=request.user)
        return reverse("patient_allocation", args=[patient.pk])

    done = perform(request, form, allocate)
    is_shown = allocation is not None and allocations.may_see(allocation, request.user)
    sequence = allocations.sequence_of(allocation) if is_shown else None
    labels = (
        dict(allocation.version.planned_scans.values_list("identifier", "label"))
        if (sequence)
        else {}
    )
    scheme = allocations.stated(patient.site.version_in_force)
    context = {
        "form": form,
        "patient": patient,
        "allocation": allocation,
        "sequence": sequence,
        "periods": [labels[name] for name in sequence["periods"]] if sequence else [],
        "is_concealed": allocation is not None and allocations.is_concealed(allocation),
        "strata": strata.of_allocation(allocation) if allocation else (),
        "unblindings": allocation.unblindings.select_related("unblinded_by") if allocation else (),
        "scheme": scheme,
        "gap": {
            key: duration(length) if length else "not stated"
            for key, length in (scheme.get("gap") or {}).items()
            if key in ("minimum", "maximum")
        },
        "is_gap_proposed": bool(scheme.get("gap")) and not in_force(scheme["gap"]),
        "may": rights(request.user, patient.scope(), "patient.randomise", "allocation.unblind"),
    }
    return done or form_page(request, "trials/patient_allocation.html", context)


@form_methods
def patient_unblind(request: HttpRequest, pk: int) -> HttpResponse:
    """Look at a concealed allocation in an emergency."""
    patient = _patient(request, pk, "allocation.unblind")
    form = ReasonForm(sent(request))
    page_of = reverse("patient_allocation", args=[patient.pk])

    def unblind(found: dict) -> str:
        allocations.unblind(allocations.of(patient), reason=found["reason"], by=request.user)
        return page_of

    done = perform(request, form, unblind)
    page = ActPage(
        "Unblind in an emergency",
        "Unblind",
        page_of,
        f"Patient {patient}",
        page_of,
        intro="You alone are shown the allocation. The reason goes into the trail, an important "
        "deviation is drafted, and whoever watches over the trial sees it.",
        is_grave=True,
    )
    return done or act_page(request, form, page)


def _patient(request: HttpRequest, pk: int, permission: str) -> Patient:
    rows = Patient.objects.select_related("trial", "site")
    return permissions.fetched(rows, request.user, permission, pk=pk)
