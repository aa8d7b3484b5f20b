"""Eligibility: assess, enrol, and look at what a verdict rests on."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from trials import permissions
from trials.models import EligibilityAssessment, EligibilityCriterion, Patient, Site, Trial
from trials.selectors import eligibility as selectors
from trials.selectors.patients import with_standing
from trials.services import assessments, enrolment, verdicts
from trials.views.acts import once, rights


@require_POST
def patient_assess(request: HttpRequest, pk: int) -> HttpResponse:
    """Judge the enrolment criteria on the evidence as it stands now."""
    patient = _patient(request, pk, "eligibility.assess")

    def act() -> str:
        gate = EligibilityCriterion.Gate.ENROLMENT
        row = assessments.assess(patient, gate=gate, by=request.user)
        return reverse("assessment", args=[row.pk])

    return redirect(once(request, act))


@require_POST
def patient_enrol(request: HttpRequest, pk: int) -> HttpResponse:
    patient = _patient(request, pk, "patient.enrol")

    def act() -> str:
        enrolment.enrol(patient, by=request.user)
        return reverse("patient", args=[patient.pk])

    return redirect(once(request, act))


@require_safe
def assessment(request: HttpRequest, pk: int) -> HttpResponse:
    """One assessment: the verdict, and for each criterion word, reason, evidence, workings."""
    row = permissions.fetched(
        EligibilityAssessment.objects.select_related(
            "patient__trial",
            "patient__site",
            "version",
            "scheduled_scan__planned_scan__version",
            "assessed_by",
        ),
        request.user,
        "eligibility.view",
        pk=pk,
    )
    newer = row.patient.assessments.filter(gate=row.gate, scheduled_scan=row.scheduled_scan)
    context = {
        "assessment": row,
        "patient": row.patient,
        "results": selectors.results_of(row),
        "newest": newer.first(),
        "stands": row
        == verdicts.in_force(row.patient, gate=row.gate, scheduled_scan=row.scheduled_scan),
        "may": rights(request.user, row.scope(), "audit.view", "query.open"),
    }
    return render(request, "trials/assessment.html", context)


@require_safe
def eligibility(request: HttpRequest) -> HttpResponse:
    """Patients against criteria, by the newest enrolment assessment of each."""
    patients = permissions.listed(Patient.objects, request.user, "eligibility.view")
    held = {trial for trial, _ in request.user.scopes("eligibility.view")}
    trials = list(Trial.objects.filter(pk__in=held))
    trial = next((t for t in trials if t.identifier == request.GET.get("trial")), trials[0])
    rows = patients.filter(trial=trial)
    site = request.GET.get("site", "")
    if site.isascii() and site.isdigit():
        rows = rows.filter(site=int(site[:18]))
    page = Paginator(with_standing(rows), 25).get_page(request.GET.get("page"))
    version = trial.newest_version
    criteria = selectors.columns(version) if version else []
    context = {
        "trial": trial,
        "trials": trials,
        "version": version,
        "sites": Site.objects.visible_to(request.user, "eligibility.view").filter(trial=trial),
        "site": site,
        "criteria": criteria,
        "page": page,
        "rows": selectors.overview(list(page.object_list), criteria),
        "letters": selectors.LETTERS.items(),
    }
    return render(request, "trials/eligibility.html", context)


def _patient(request: HttpRequest, pk: int, permission: str) -> Patient:
    rows = Patient.objects.select_related("trial", "site")
    return permissions.fetched(rows, request.user, permission, pk=pk)
