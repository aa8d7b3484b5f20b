"""Evidence: a dated fact from a source, and its correction."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from trials import permissions
from trials.forms import CorrectionForm, EvidenceForm, variable_choices
from trials.models import Evidence, Patient, ScheduledScan
from trials.selectors.effective_dose import proposed as dose_proposed
from trials.services import evidence as services
from trials.variables import VARIABLES, VariableError, variable
from trials.views.acts import form_methods, form_page, perform, sent


@form_methods
def evidence_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Record a fact; which variable it is of is chosen first, so that its units are known."""
    patient = permissions.fetched(
        Patient.objects.select_related("trial", "site"), request.user, "evidence.record", pk=pk
    )
    context = {"patient": patient, "groups": variable_choices()}
    name = request.GET.get("variable", "")
    if name not in VARIABLES or VARIABLES[name].finding:
        return render(request, "trials/evidence_variable.html", context)
    form = EvidenceForm(
        sent(request),
        variable=VARIABLES[name],
        scans=patient.scheduled_scans.exclude(state=ScheduledScan.State.CANCELLED).select_related(
            "planned_scan"
        ),
        zone=patient.site.time_zone,
        initial={"scheduled_scan": request.GET.get("scan", "")} | _proposed(request, patient, name),
    )

    def record(found: dict) -> str:
        row = services.record(
            patient,
            variable=name,
            is_study_specific=found["is_study_specific"],
            scheduled_scan=found.get("scheduled_scan"),
            by=request.user,
            **form.fact(),
        )
        return _place_of(row)

    done = perform(request, form, record)
    context |= {"form": form, "variable": VARIABLES[name]}
    return done or form_page(request, "trials/evidence_new.html", context)


def _proposed(request: HttpRequest, patient: Patient, name: str) -> dict[str, str]:
    """What a dose report or the images propose of the CT's dose, for a person to look at."""
    pk = request.GET.get("scan", "")
    if name != "ct_dlp" or "proposed" not in request.GET or not (pk.isascii() and pk.isdigit()):
        return {}
    scan = patient.scheduled_scans.filter(pk=int(pk[:18])).first()
    told = scan and dose_proposed(scan)
    if not told:
        return {}
    return {
        "value": f"{told.dlp_mgy_cm:.4g}",
        "detail_region": told.region,
        "source": told.explanation[:200],
    }


@form_methods
def evidence_correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Replace a value; the old one stays readable beside the new one."""
    row = permissions.fetched(
        Evidence.objects.select_related("patient__site", "scheduled_scan"),
        request.user,
        "evidence.record",
        pk=pk,
    )
    form = CorrectionForm(
        sent(request),
        variable=_variable_of(row),
        evidence=row,
        zone=row.patient.site.time_zone,
    )

    def correct(found: dict) -> str:
        better = services.correct(row, reason=found["reason"], by=request.user, **form.fact())
        return _place_of(better)

    done = perform(request, form, correct)
    context = {"form": form, "evidence": row, "patient": row.patient}
    return done or form_page(request, "trials/evidence_correct.html", context)


def _variable_of(row: Evidence):
    try:
        return variable(row.variable)
    except VariableError as error:
        # A value of a variable that later versions don't know stays as it is.
        raise Http404(error.message) from error


def _place_of(row: Evidence) -> str:
    """Where the fact stands: on the page of its scan, else on that of the patient."""
    if row.scheduled_scan_id:
        return reverse("scan", args=[row.scheduled_scan_id])
    return f"{reverse('patient', args=[row.patient_id])}#evidence-{row.pk}"
