"""The record about the record: the audit trail, and the jobs."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from trials import permissions, protection
from trials.forms import ReasonForm
from trials.models import Job, Trial
from trials.selectors import audit_trail, subjects, trail
from trials.services import jobs as services
from trials.views.acts import ActPage, act_page, form_methods, perform, sent

FILTERS = ("trial", "patient", "table", "row")


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Who changed what, from which value to which, when and why."""
    filters = {name: request.GET.get(name, "").strip() for name in FILTERS}
    events = trail.chosen(audit_trail.events_seen_by(request.user), filters)
    before = _key(request.GET.get("before", ""))
    entries, older = trail.page_of(events, before=before, user=request.user)
    held = {trial for trial, _ in request.user.scopes("audit.view")}
    context = {
        "entries": entries,
        "older": older,
        "filters": filters,
        "query": urlencode({name: value for name, value in filters.items() if value}),
        "is_first": "before" not in request.GET,
        "trials": Trial.objects.filter(pk__in=held),
        "tables": _tables(),
    }
    return render(request, "trials/audit.html", context)


@require_safe
def jobs(request: HttpRequest) -> HttpResponse:
    """Slow work: what waits, runs, is done, or was given up and why."""
    rows = permissions.listed(Job.objects, request.user, "jobs.view").select_related("actor")
    state = request.GET.get("state", "")
    if state in Job.State.values:
        rows = rows.filter(state=state)
    page = Paginator(rows, 50).get_page(request.GET.get("page"))
    context = {"page": page, "state": state, "states": Job.State.choices}
    context["may_order"] = request.user.may("jobs.order")
    return render(request, "trials/jobs.html", context)


@form_methods
def job_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Order a parked job again."""
    job = permissions.fetched(Job.objects, request.user, "jobs.order", pk=pk)
    form = ReasonForm(sent(request))
    address = reverse("jobs")

    def act(found: dict) -> str:
        services.order_again(job, by=request.user, **found)
        return address

    done = perform(request, form, act)
    page = ActPage(
        f"Order job {job.pk} again",
        "Order again",
        address,
        f"{job.kind}, {job.get_state_display().lower()}",
        intro=f"It was given up after: {job.error or 'no error was kept'}",
    )
    return done or act_page(request, form, page)


def _key(text: str) -> int | None:
    return int(text[:18]) if text.isascii() and text.isdigit() else None


def _tables() -> list[tuple[str, str]]:
    """Audited tables by their names in words."""
    found = subjects.tables()
    names = (
        (table, str(found[table]._meta.verbose_name)) for table in protection.audited_tables(found)
    )
    return sorted(
        ((table, name[:1].upper() + name[1:]) for table, name in names), key=lambda t: t[1]
    )
