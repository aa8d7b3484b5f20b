"""Patients: the list, one patient's way, registration and consent."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from trials import patient_way, permissions, visit_picture
from trials.forms import (
    ConsentForm,
    EndScreeningForm,
    PatientCorrectionForm,
    PatientForm,
    ReasonForm,
    WithdrawForm,
)
from trials.models import Consent, Patient, Query, Site, Trial, User
from trials.selectors import (
    counted_reads,
    effective_dose,
    eligibility,
    evidence,
    findings,
    panel_veil,
    schedule,
)
from trials.selectors import patients as selectors
from trials.services import consents, enrolment, withdrawals
from trials.services import patients as services
from trials.views.acts import (
    ActPage,
    act_page,
    form_methods,
    form_page,
    fresh_submission,
    perform,
    rights,
    sent,
)

RIGHTS = (
    "patient.screen",
    "patient.withdraw",
    "patient.enrol",
    "consent.record",
    "evidence.record",
    "eligibility.view",
    "eligibility.assess",
    "scan.schedule",
    "visit.record",
    "form.view",
    "query.view",
    "query.open",
    "deviation.view",
    "deviation.record",
    "response.view",
    "population.view",
    "audit.view",
    "finding.view",
)


@require_safe
def patients(request: HttpRequest) -> HttpResponse:
    """The patients of the user's sites, each with what comes next."""
    rows = permissions.listed(Patient.objects, request.user, "patient.view")
    scope = request.user.scopes("patient.view")
    chosen = {name: request.GET.get(name, "").strip() for name in ("q", "state", "trial", "site")}
    page = Paginator(selectors.with_standing(_filtered(rows, chosen)), 25).get_page(
        request.GET.get("page")
    )
    context = {
        "page": page,
        "rows": [
            (patient, patient_way.next_act(standing))
            for patient, standing in selectors.standings(page.object_list)
        ],
        "chosen": chosen,
        "states": Patient.State.choices,
        "trials": Trial.objects.filter(pk__in={trial for trial, _ in scope}),
        "sites": Site.objects.visible_to(request.user, "patient.view").select_related("trial"),
        "may_screen": request.user.may("patient.screen"),
        "may_see_queries": request.user.may("query.view"),
    }
    return render(request, "trials/patients.html", context)


@form_methods
def patient_new(request: HttpRequest) -> HttpResponse:
    """Give a person a number in the trial."""
    permissions.require_somewhere(request.user, "patient.screen")
    sites = Site.objects.visible_to(request.user, "patient.screen").select_related("trial")
    form = PatientForm(sent(request), sites=sites)

    def register(found: dict) -> str:
        return _page_of(services.register(by=request.user, **found))

    done = perform(request, form, register)
    return done or form_page(request, "trials/patient_new.html", {"form": form})


@require_safe
def patient(request: HttpRequest, pk: int) -> HttpResponse:
    """A patient's way through the trial, with the next act and everything recorded so far."""
    row = permissions.fetched(
        selectors.with_standing(selectors.with_randomisation(Patient.objects.all())),
        request.user,
        "patient.view",
        pk=pk,
    )
    may = rights(request.user, row.scope(), *RIGHTS)
    standing = selectors.standing_of(row)
    act = patient_way.next_act(standing)
    found = list(findings.of_scans(row)) if findings.may_see(request.user, row) else []
    context = {
        "patient": row,
        "may": may,
        "steps": patient_way.steps(standing),
        "next_act": act,
        "may_act": bool(act.page) and request.user.may_for(act.permission, row.scope()),
        "is_open": row.state in {Patient.State.SCREENING, Patient.State.ENROLLED},
        "has_unscheduled": bool(standing.unscheduled),
        "submission": fresh_submission(),
        **_visits(row),
        "zone": row.site.time_zone,
        "consent_standing": consents.standing(row),
        "findings": found,
        "discordances": findings.discordances(row, found),
        "counted": list(counted_reads.of_patient(row)) if found else [],
        "failure": getattr(row, "screen_failure", None),
        "enrolment": getattr(row, "enrolment", None),
        "withdrawals": row.withdrawals.select_related("recorded_by"),
        "rescreened_as": getattr(row, "rescreened_as", None),
        **_recorded(row, may, request.user),
    }
    return render(request, "trials/patient.html", context)


def _visits(row: Patient) -> dict:
    shown = schedule.visits_of(row)
    drawn = visit_picture.picture(
        [one.dated for one in shown], now=timezone.now(), zone=ZoneInfo(row.site.time_zone)
    )
    return {"visits": shown, "visits_drawn": drawn}


@form_methods
def consent_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Record a signed consent as the paper says."""
    row = _patient(request, pk, "consent.record")
    form = ConsentForm(sent(request), site=row.site)

    def record(found: dict) -> str:
        consents.record(row, by=request.user, **found)
        return _page_of(row)

    done = perform(request, form, record)
    return done or form_page(request, "trials/consent_new.html", {"form": form, "patient": row})


@form_methods
def consent_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a consent: the patient takes no further part."""
    consent = permissions.fetched(
        Consent.objects.select_related("patient__trial"), request.user, "consent.record", pk=pk
    )
    form = ReasonForm(sent(request))

    def withdraw(found: dict) -> str:
        consents.withdraw(consent, reason=found["reason"], by=request.user)
        return _page_of(consent.patient)

    done = perform(request, form, withdraw)
    context = {"form": form, "consent": consent, "patient": consent.patient}
    return done or form_page(request, "trials/consent_withdraw.html", context)


@form_methods
def screening_end(request: HttpRequest, pk: int) -> HttpResponse:
    """A patient who is not enrolled leaves."""
    row = _patient(request, pk, "patient.screen")
    failing = enrolment.failing_criteria(row)
    form = EndScreeningForm(
        sent(request),
        initial={
            "category": "criteria" if failing else None,
            "reason": ", ".join(failing),
        },
    )

    def end(found: dict) -> str:
        enrolment.end_screening(row, by=request.user, **found)
        return _page_of(row)

    done = perform(request, form, end)
    page = ActPage(
        "End screening",
        "End the screening",
        _page_of(row),
        f"Patient {row}",
        _page_of(row),
        intro="The patient is not enrolled, and nothing new may be collected. What was "
        "collected stays, and stands in the screening log.",
        is_grave=True,
    )
    return done or act_page(request, form, page)


@form_methods
def patient_correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct sex at birth or date of birth."""
    row = _patient(request, pk, "patient.screen")
    form = PatientCorrectionForm(
        sent(request), initial={"sex_at_birth": row.sex_at_birth, "birth": row.birth}
    )

    def correct(found: dict) -> str:
        services.correct(row, by=request.user, **found)
        return _page_of(row)

    done = perform(request, form, correct)
    page = ActPage(
        "Correct sex or date of birth",
        "Correct",
        _page_of(row),
        f"Patient {row}",
        _page_of(row),
        intro="Verdicts made before no longer stand; images that wait are inspected once more "
        "from their own page.",
    )
    return done or act_page(request, form, page)


@form_methods
def patient_rescreen(request: HttpRequest, pk: int) -> HttpResponse:
    """Screen a person again whose screening failed."""
    row = _patient(request, pk, "patient.screen")
    form = ReasonForm(sent(request))

    def rescreen(found: dict) -> str:
        return _page_of(services.rescreen(row, by=request.user, **found))

    done = perform(request, form, rescreen)
    page = ActPage(
        "Screen again",
        "Screen again",
        _page_of(row),
        f"Patient {row}",
        _page_of(row),
        intro="The person gets a new screening number, linked to this one; consent and "
        "evidence are recorded anew.",
    )
    return done or act_page(request, form, page)


@form_methods
def patient_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """A patient leaves the trial, or wishes more of what was collected gone."""
    row = _patient(request, pk, "patient.withdraw")
    form = WithdrawForm(sent(request), zone=row.site.time_zone)

    def withdraw(found: dict) -> str:
        withdrawals.record(row, by=request.user, **found)
        return _page_of(row)

    done = perform(request, form, withdraw)
    page = ActPage(
        "Withdrawal",
        "Record the withdrawal",
        _page_of(row),
        f"Patient {row}",
        _page_of(row),
        intro="Nothing new is collected. A withdrawal may later reach further, never less far; "
        "destroyed images do not come back.",
        is_grave=True,
    )
    return done or act_page(request, form, page)


def _patient(request: HttpRequest, pk: int, permission: str) -> Patient:
    rows = Patient.objects.select_related("trial", "site")
    return permissions.fetched(rows, request.user, permission, pk=pk)


def _page_of(patient: Patient) -> str:
    return reverse("patient", args=[patient.pk])


def _filtered(rows, chosen: dict[str, str]):
    if chosen["q"]:
        rows = rows.filter(identifier__icontains=chosen["q"])
    if chosen["state"] in Patient.State.values:
        rows = rows.filter(state=chosen["state"])
    if chosen["trial"]:
        rows = rows.filter(trial__identifier=chosen["trial"])
    if chosen["site"].isascii() and chosen["site"].isdigit():
        rows = rows.filter(site=int(chosen["site"][:18]))
    return rows


def _recorded(row: Patient, may: dict[str, bool], user: User) -> dict:
    """What the page shows below the line of steps, as far as the user may see it."""
    reasons = evidence.reasons_of(row, ["consent.withdrawn"], Consent)
    found = {
        "consents": [(consent, reasons.get(consent.pk, "")) for consent in row.consents.all()],
        "facts": evidence.facts_of(row),
        "received": effective_dose.of_patient(row),
    }
    if may["eligibility_view"] and row.assessment_id:
        newest = row.assessments.select_related("assessed_by").get(pk=row.assessment_id)
        found |= {
            "assessment": newest,
            "results": eligibility.results_of(newest),
            "verdict_stands": row.pk in selectors.standing_verdicts([row]),
        }
    if may["query_view"]:
        asked = row.queries.exclude(state=Query.State.CLOSED)
        found["queries"] = panel_veil.queries(list(asked), user)
    if may["deviation_view"]:
        found["deviations"] = panel_veil.deviations(list(row.deviations.all()), user)
    return found
