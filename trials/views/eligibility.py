"""Eligibility: assess, enrol, and look at what a verdict rests on."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from trials import permissions
from trials.forms import DespiteForm, EnrolForm, SignForm
from trials.models import EligibilityAssessment, EligibilityCriterion, Patient, Signature
from trials.selectors import eligibility as selectors
from trials.services import assessments, cohorts, enrolment, replays, signatures, verdicts
from trials.views.acts import (
    ActPage,
    act_page,
    form_methods,
    form_page,
    once,
    perform,
    rights,
    sent,
)

ASSESSMENTS = EligibilityAssessment.objects.select_related(
    "patient__trial",
    "patient__site",
    "version__trial",
    "scheduled_scan__planned_scan__version",
    "assessed_by",
)


@require_POST
def patient_assess(request: HttpRequest, pk: int) -> HttpResponse:
    """Judge the enrolment criteria on the evidence as it stands now."""
    patient = _patient(request, pk, "eligibility.assess")

    def act() -> str:
        gate = EligibilityCriterion.Gate.ENROLMENT
        row = assessments.assess(patient, gate=gate, by=request.user)
        return reverse("assessment", args=[row.pk])

    return redirect(once(request, act))


@form_methods
def patient_enrol(request: HttpRequest, pk: int) -> HttpResponse:
    """What enrolment asks for, line by line, and the act itself."""
    patient = _patient(request, pk, "patient.enrol")
    version = patient.site.version_in_force
    rooms = cohorts.rooms(version) if version else []
    form = EnrolForm(sent(request), rooms=rooms)

    def act(found: dict) -> str:
        enrolment.enrol(patient, cohort=found.get("cohort"), by=request.user)
        return reverse("patient", args=[patient.pk])

    done = perform(request, form, act)
    cohort = request.POST.get("cohort") or next(
        (one.cohort.identifier for one in rooms if one.is_open), None
    )
    context = {
        "form": form,
        "patient": patient,
        "conditions": enrolment.conditions(patient, by=request.user, cohort=cohort),
        "may": rights(request.user, patient.scope(), "patient.enrol_despite"),
    }
    return done or form_page(request, "trials/patient_enrol.html", context)


@form_methods
def patient_despite(request: HttpRequest, pk: int) -> HttpResponse:
    """Record that a patient was enrolled on paper though not eligible."""
    patient = _patient(request, pk, "patient.enrol_despite")
    version = patient.site.version_in_force
    form = DespiteForm(sent(request), rooms=cohorts.rooms(version) if version else [])

    def act(found: dict) -> str:
        deviation = enrolment.record_despite(patient, by=request.user, **found)
        return reverse("deviation", args=[deviation.pk])

    done = perform(request, form, act)
    address = reverse("patient", args=[patient.pk])
    page = ActPage(
        "Enrolled though not eligible",
        "Sign and record",
        address,
        f"Patient {patient}",
        address,
        intro="There is no waiver. This records an important deviation under your signature; "
        "the patient is not shown as eligible anywhere.",
        is_grave=True,
    )
    return done or act_page(request, form, page)


@form_methods
def verdict_sign(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign a verdict: what it says, what the signature means, the password."""
    row = permissions.fetched(ASSESSMENTS, request.user, "eligibility.sign", pk=pk)
    form = SignForm(sent(request))

    def act(found: dict) -> str:
        verdicts.sign(row, by=request.user, password=found["password"])
        return reverse("assessment", args=[row.pk])

    done = perform(request, form, act)
    context = {
        "form": form,
        "assessment": row,
        "patient": row.patient,
        "results": selectors.results_of(row),
        "changes": verdicts.changed_since(row),
        "meaning": Signature.Meaning.ELIGIBILITY.label,
        "may": {},
    }
    return done or form_page(request, "trials/verdict_sign.html", context)


@require_safe
def assessment_replay(request: HttpRequest, pk: int) -> HttpResponse:
    """Judge the frozen inputs again; nothing is kept of it."""
    row = permissions.fetched(ASSESSMENTS, request.user, "eligibility.replay", pk=pk)
    context = {
        "assessment": row,
        "patient": row.patient,
        "replay": replays.replay(row, by=request.user),
    }
    return render(request, "trials/assessment_replay.html", context)


@require_safe
def assessment(request: HttpRequest, pk: int) -> HttpResponse:
    """One assessment: the verdict, and for each criterion word, reason, evidence, workings."""
    row = permissions.fetched(ASSESSMENTS, request.user, "eligibility.view", pk=pk)
    runs = list(selectors.runs_of(row.patient))
    judged = (row.gate, row.scheduled_scan_id)
    newest = next(one for one in runs if (one.gate, one.scheduled_scan_id) == judged)
    changes = verdicts.changed_since(row)
    context = {
        "assessment": row,
        "patient": row.patient,
        "results": selectors.results_of(row),
        "newest": newest,
        "runs": runs,
        "changes": changes,
        "stands": row == newest and not changes,
        "signature": signatures.of(row),
        "signature_stands": row == newest and verdicts.signature_in_force(row) is not None,
        "may": rights(
            request.user,
            row.scope(),
            "audit.view",
            "form.view",
            "query.open",
            "eligibility.sign",
            "eligibility.replay",
        ),
    }
    return render(request, "trials/assessment.html", context)


def _patient(request: HttpRequest, pk: int, permission: str) -> Patient:
    rows = Patient.objects.select_related("trial", "site")
    return permissions.fetched(rows, request.user, permission, pk=pk)
