"""Trials: what the protocol says, as far as a source states it."""

from __future__ import annotations

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from trials import permissions
from trials.models import Trial
from trials.selectors import trials as selectors
from trials.views.acts import rights

RIGHTS = (
    "patient.view",
    "audit.view",
    "site.view",
    "trial.settle",
    "cohort.close",
)


@require_safe
def trials(request: HttpRequest) -> HttpResponse:
    rows = permissions.listed(Trial.objects, request.user, "trial.view").annotate(
        site_count=Count("sites", distinct=True)
    )
    context = {"trials": rows, "may_load": request.user.may("trial.load")}
    return render(request, "trials/trials.html", context)


@require_safe
def trial(request: HttpRequest, identifier: str) -> HttpResponse:
    """One trial: known and unknown, tracers, scans, criteria and the sources of each."""
    row = permissions.fetched(Trial.objects, request.user, "trial.view", identifier=identifier)
    may = rights(request.user, row.scope(), *RIGHTS)
    # Reports count all sites together, so a role at one of them opens none.
    may_report = (row.pk, None) in set(request.user.scopes("report.view"))
    context = {
        "trial": row,
        "sites": row.sites.all(),
        "may": may,
        "may_report": may_report,
        **selectors.protocol_of(row),
    }
    return render(request, "trials/trial.html", context)
