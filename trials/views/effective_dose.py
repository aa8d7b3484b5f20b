"""The effective dose of a patient, each number with how it was computed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from trials import permissions
from trials.effective_dose import PER_DLP, PER_DLP_SOURCE
from trials.models import Patient
from trials.selectors import effective_dose


@require_safe
def patient_dose(request: HttpRequest, pk: int) -> HttpResponse:
    """What a patient received from tracers and CT so far, and from which numbers."""
    rows = Patient.objects.select_related("trial", "site")
    row = permissions.fetched(rows, request.user, "patient.view", pk=pk)
    context = {
        "patient": row,
        "received": effective_dose.of_patient(row),
        "per_dlp": PER_DLP,
        "per_dlp_source": PER_DLP_SOURCE,
        "may_record": request.user.may_for("evidence.record", row.scope()),
    }
    return render(request, "trials/patient_dose.html", context)
