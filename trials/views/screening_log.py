"""The screening log, and who has to consent again."""

from __future__ import annotations

import csv

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from trials import permissions
from trials.cells import harmless
from trials.models import Patient, Site, Trial
from trials.selectors import screening_log as selectors
from trials.services import consents


@require_safe
def screening_log(request: HttpRequest) -> HttpResponse:
    """Everyone who was screened, and what became of them."""
    rows, chosen = _rows(request)
    lines = list(selectors.lines(rows))
    held = {trial for trial, _ in request.user.scopes("screening_log.view")}
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.outcome] = counts.get(line.outcome, 0) + 1
    context = {
        "page": Paginator(lines, 50).get_page(request.GET.get("page")),
        "counts": counts.items(),
        "total": len(lines),
        "chosen": chosen,
        "trials": Trial.objects.filter(pk__in=held),
        "sites": Site.objects.visible_to(request.user, "screening_log.view").select_related(
            "trial"
        ),
    }
    return render(request, "trials/screening_log.html", context)


@require_safe
def screening_log_csv(request: HttpRequest) -> HttpResponse:
    """The same as a table for a spreadsheet: UTF-8, no formula runs."""
    rows, chosen = _rows(request)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    name = "-".join(filter(None, ["screening-log", chosen["trial"]]))
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(answer)
    writer.writerow(selectors.HEADER)
    for line in selectors.lines(rows):
        writer.writerow([harmless(cell) for cell in line.cells()])
    return answer


@require_safe
def reconsent(request: HttpRequest) -> HttpResponse:
    """Patients who have to sign a newer consent form, by site."""
    permissions.require_somewhere(request.user, "patient.view")
    sites = Site.objects.visible_to(request.user, "patient.view").select_related("trial")
    asking = sites.filter(consent_versions__requires_reconsent=True).distinct()
    found = [(site, consents.to_reconsent(site)) for site in asking]
    context = {"found": [(site, due) for site, due in found if due]}
    return render(request, "trials/reconsent.html", context)


def _rows(request: HttpRequest):
    rows = permissions.listed(Patient.objects, request.user, "screening_log.view")
    chosen = {name: request.GET.get(name, "").strip() for name in ("trial", "site")}
    if chosen["trial"]:
        rows = rows.filter(trial__identifier=chosen["trial"])
    if chosen["site"].isascii() and chosen["site"].isdigit():
        rows = rows.filter(site=int(chosen["site"][:18]))
    return rows, chosen
