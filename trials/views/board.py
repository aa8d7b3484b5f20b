"""The eligibility audit board: patients against criteria, one cell opened, verification."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from trials import board, permissions
from trials.forms import VerifyForm
from trials.models import EligibilityCriterion, Patient, ScheduledScan, Site, Trial
from trials.selectors import board as selectors
from trials.services import verdicts, verification
from trials.views.acts import form_methods, form_page, perform, rights, sent

PAGE = 30
RIGHTS = (
    "eligibility.verify",
    "eligibility.replay",
    "query.open",
    "audit.view",
    "form.view",
    "patient.view",
    "finding.view",
)


@require_safe
def eligibility(request: HttpRequest) -> HttpResponse:
    """Patients against criteria, by the newest judgement of each, narrowed as asked."""
    patients = permissions.listed(Patient.objects, request.user, "eligibility.view")
    held = {trial for trial, _ in request.user.scopes("eligibility.view")}
    trials = list(Trial.objects.filter(pk__in=held))
    trial = next((t for t in trials if t.identifier == request.GET.get("trial")), trials[0])
    seen = Site.objects.visible_to(request.user, "eligibility.view").filter(trial=trial)
    sites = selectors.with_sites(seen)
    chosen = {name: request.GET.get(name, "") for name in ("site", "state", "since", *_ASKED)}
    shown = [one for one in sites if not chosen["site"] or str(one.pk) == chosen["site"]]
    criteria = selectors.columns(shown)
    rows = patients.filter(trial=trial, site__in=shown)
    if chosen["state"] in Patient.State.values:
        rows = rows.filter(state=chosen["state"])
    since = _moment(chosen["since"])
    asked = board.Asked(**{name: chosen[name] for name in _ASKED}, since=since)
    found = [row for row in selectors.rows(rows, criteria) if board.matches(row.cells, asked)]
    totals = board.totals([one.identifier for one in criteria], [row.cells for row in found])
    context = {
        "trial": trial,
        "trials": trials,
        "sites": sites,
        "chosen": chosen,
        "criteria": criteria,
        "totals": totals,
        "coverage": board.coverage(totals),
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "count": len(found),
        "states": Patient.State.choices,
        "words": board.WORDS,
        "verifications": (board.VERIFIED, board.CHANGED, board.UNVERIFIED),
        "since": since,
        "visited_before": selectors.visited_before(request.user),
        "short": board.SHORT.items(),
        "may": {"verify": request.user.may("eligibility.verify")},
    }
    return render(request, "trials/board.html", context)


_ASKED = ("criterion", "word", "verification")


@form_methods
def board_cell(request: HttpRequest, pk: int, criterion: str) -> HttpResponse:
    """One criterion of one patient, with all behind it; a monitor verifies it here."""
    patient = _patient(request, pk, "eligibility.view")
    if request.method == "POST":
        permissions.require(request.user, "eligibility.verify", patient)
    scan = _scan(request, patient)
    criteria = selectors.columns([patient.site])
    row = _criterion(patient, criteria, criterion)
    cell = selectors.opened(patient, row, scan)
    form = VerifyForm(sent(request), initial={"evidence_sha256": cell.digest})
    address = _address(patient, criterion, scan)

    def act(found: dict) -> str:
        seen = {cell.criterion: found["evidence_sha256"]}
        verification.verify(
            patient, seen=seen, scheduled_scan=scan, note=found["note"], by=request.user
        )
        return address

    done = perform(request, form, act)
    before, after = selectors.neighbours(criteria, criterion)
    context = {
        "cell": cell,
        "patient": patient,
        "form": form,
        "beside": selectors.beside(cell),
        "before": before,
        "after": after,
        "changes": verdicts.changed_since(cell.result.assessment) if cell.result else [],
        "signature_stands": cell.signature_stands,
        "may": rights(request.user, patient.scope(), *RIGHTS),
        "marks": cell.criterion.source,
    }
    return done or form_page(request, "trials/board_cell.html", context)


@form_methods
def board_verify(request: HttpRequest, pk: int) -> HttpResponse:
    """Verify many cells of a patient in one act."""
    patient = _patient(request, pk, "eligibility.verify")
    cells = selectors.judged(patient)
    chosen = {
        cell.criterion: cell.digest
        for cell in cells
        if request.POST.get(f"seen-{cell.criterion.identifier}") == cell.digest
    }
    form = VerifyForm(sent(request), initial={"evidence_sha256": "-"})

    def act(found: dict) -> str:
        verification.verify(patient, seen=chosen, note=found["note"], by=request.user)
        return f"{reverse('eligibility')}?{urlencode({'trial': patient.trial.identifier})}"

    done = perform(request, form, act)
    context = {"patient": patient, "cells": cells, "form": form, "may": {}}
    return done or form_page(request, "trials/board_verify.html", context)


def _moment(text: str) -> datetime | None:
    """A moment of the query string, in UTC where it names no zone; None if it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _patient(request: HttpRequest, pk: int, permission: str) -> Patient:
    rows = Patient.objects.select_related("trial", "site")
    return permissions.fetched(rows, request.user, permission, pk=pk)


def _scan(request: HttpRequest, patient: Patient) -> ScheduledScan | None:
    pk = request.GET.get("scan", "")
    if not pk:
        return None
    if not (pk.isascii() and pk.isdigit()):
        raise Http404
    return get_object_or_404(ScheduledScan, patient=patient, pk=int(pk[:18]))


def _criterion(
    patient: Patient, criteria: list[EligibilityCriterion], identifier: str
) -> EligibilityCriterion:
    """The criterion in force, or the newest one of that name the patient was judged on."""
    current = next((one for one in criteria if one.identifier == identifier), None)
    earlier = EligibilityCriterion.objects.filter(
        version__trial=patient.trial_id, identifier=identifier
    ).select_related("version")
    found = current or earlier.order_by("-version__number").first()
    if found is None:
        raise Http404
    return found


def _address(patient: Patient, criterion: str, scan: ScheduledScan | None) -> str:
    address = reverse("board_cell", args=[patient.pk, criterion])
    return f"{address}?scan={scan.pk}" if scan else address
