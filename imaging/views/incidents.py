"""Pages of privacy incidents."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from imaging.forms import CloseIncidentForm, JudgeIncidentForm, ReportIncidentForm
from imaging.models import PrivacyIncident, Transmittal
from imaging.services import incidents as services
from trials import permissions
from trials.forms import ReasonForm
from trials.views.acts import ActPage, act_page, form_methods, perform, sent

INCIDENTS = PrivacyIncident.objects.select_related(
    "site__trial", "transmittal__site", "transmittal__scheduled_scan__patient__site", "found_by"
)


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """Every incident, newest first."""
    rows = permissions.listed(INCIDENTS, request.user, "incident.view")
    state = request.GET.get("state", "")
    if state in PrivacyIncident.State.values:
        rows = rows.filter(state=state)
    page = Paginator(rows, 25).get_page(request.GET.get("page"))
    context = {"page": page, "state": state, "states": PrivacyIncident.State.choices}
    return render(request, "imaging/incidents.html", context)


@require_safe
def incident(request: HttpRequest, pk: int) -> HttpResponse:
    """One incident: what is known, what was decided, what is still to do."""
    row = _incident(request, pk, "incident.view")
    is_open = row.state == PrivacyIncident.State.OPEN
    context = {
        "incident": row,
        "scan": row.transmittal.scheduled_scan,
        "due_at": services.due_at(row),
        "is_contained": services.is_contained(row),
        "missing": services.missing(row) if is_open else [],
        "may_handle": is_open and request.user.may_for("incident.handle", row.scope()),
    }
    return render(request, "imaging/incident.html", context)


@form_methods
def report(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that the images of a transmittal are of another person."""
    row = permissions.fetched(
        Transmittal.objects.select_related("site"), request.user, "incident.report", pk=pk
    )
    form = ReportIncidentForm(sent(request))
    back = reverse("transmittal", args=[row.pk])

    def act(found: dict) -> str:
        made = services.report(row, by=request.user, **found)
        may_see = request.user.may_for("incident.view", made.scope())
        return reverse("incident", args=[made.pk]) if may_see else back

    page = ActPage(
        "Report images of another person",
        "Report",
        back,
        str(row),
        back,
        intro="The data manager of the trial takes it from here. Name nobody: what you write is "
        "read by all who audit the trial.",
        is_grave=True,
    )
    return perform(request, form, act) or act_page(request, form, page)


@form_methods
def judge(request: HttpRequest, pk: int) -> HttpResponse:
    """Whether somebody has to be notified."""
    row = _incident(request, pk, "incident.handle")
    given = {"notification": row.notification, "basis": row.basis, "notified_on": row.notified_on}
    form = JudgeIncidentForm(sent(request), initial=given)
    back = reverse("incident", args=[row.pk])

    def act(found: dict) -> str:
        services.judge(row, by=request.user, **found)
        return back

    page = ActPage("Notification", "Record the decision", back, str(row).capitalize(), back)
    return perform(request, form, act) or act_page(request, form, page)


@form_methods
def contain(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the images of an incident removed."""
    row = _incident(request, pk, "incident.handle")
    form = ReasonForm(sent(request))
    back = reverse("incident", args=[row.pk])

    def act(found: dict) -> str:
        services.contain(row, by=request.user, **found)
        return back

    page = ActPage(
        "Remove the images",
        "Remove them",
        back,
        str(row).capitalize(),
        back,
        intro="Originals that wait are refused and cleared; where images were released, every "
        "series they went into is removed with its measurements. It can't be undone.",
        is_grave=True,
    )
    return perform(request, form, act) or act_page(request, form, page)


@form_methods
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """Close an incident that is judged and contained."""
    row = _incident(request, pk, "incident.handle")
    form = CloseIncidentForm(sent(request))
    back = reverse("incident", args=[row.pk])

    def act(found: dict) -> str:
        services.close(row, by=request.user, **found)
        return back

    page = ActPage("Close the incident", "Close", back, str(row).capitalize(), back)
    return perform(request, form, act) or act_page(request, form, page)


def _incident(request: HttpRequest, pk: int, permission: str) -> PrivacyIncident:
    return permissions.fetched(INCIDENTS, request.user, permission, pk=pk)
