"""Upload and the ledger: what was sent, how far it has come, what somebody decides."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from imaging import selectors
from imaging.forms import AssignForm, DecisionForm
from imaging.models import Series, Transmittal
from imaging.selectors import candidates, waiting
from imaging.services import assignment, inspection
from trials import permissions
from trials.models import ScheduledScan
from trials.selectors import scan_day
from trials.services.errors import Invalid, Refused
from trials.views.acts import ActPage, act_page, form_methods, perform, sent

# Not a state: those that stay in theirs longer than they should.
LATE = "late"
MOVING = {"received", "inspected", "released"}


@require_safe
def upload(request: HttpRequest, pk: int) -> HttpResponse:
    """The page on which a site drops the folder of a scan."""
    scan = permissions.fetched(
        ScheduledScan.objects.select_related("patient__site", "patient__trial", "planned_scan"),
        request.user,
        "images.upload",
        pk=pk,
    )
    context = {
        "scan": scan,
        "transmittals": scan.transmittals.all()[:10],
        "unfinished": scan_day.unfinished_upload(scan),
    }
    return render(request, "imaging/upload.html", context)


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """The ledger: what was sent, and how far it has come."""
    rows = permissions.listed(Transmittal.objects, request.user, "images.view").select_related(
        "site", "scheduled_scan__patient__site", "scheduled_scan__planned_scan", "sent_by"
    )
    state = request.GET.get("state", "")
    if state == LATE:
        rows = waiting.late(rows)
    elif state in Transmittal.State.values:
        rows = rows.filter(state=state)
    page = Paginator(waiting.with_lateness(rows), 25).get_page(request.GET.get("page"))
    states = [*Transmittal.State.choices, (LATE, "longer than it should")]
    context = {"page": page, "state": state, "states": states}
    return render(request, "imaging/transmittals.html", context)


@require_safe
def transmittal(request: HttpRequest, pk: int) -> HttpResponse:
    """One transmittal: its way, its files, what was refused and what to do."""
    row = _transmittal(request, pk)
    form = DecisionForm(may_release=inspection.may_be_released(row))
    context = _ledger(request, row) | {"form": form}
    partial = request.htmx and not request.htmx.boosted
    if partial and context["may_decide"]:
        # The form to decide stands outside the part that is polled.
        return HttpResponseClientRefresh()
    name = "imaging/_transmittal.html" if partial else "imaging/transmittal.html"
    return render(request, name, context)


@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    row = _transmittal(request, pk)
    form = DecisionForm(request.POST, may_release=inspection.may_be_released(row))
    if form.is_valid():
        try:
            inspection.decide(row, by=request.user, **form.cleaned_data)
        except Invalid as refusal:
            form.add_error(refusal.field, refusal.message)
        except Refused as refusal:
            if refusal.code != inspection.NOT_RELEASABLE:
                raise
            form.add_error(None, refusal.message)
        else:
            return redirect("transmittal", pk=row.pk)
    permissions.require(request.user, "images.decide", row)
    context = _ledger(request, row) | {"form": form}
    return render(request, "imaging/transmittal.html", context, status=422)


@form_methods
def assign(request: HttpRequest, pk: int) -> HttpResponse:
    """Say which scheduled scan images are of."""
    row = permissions.fetched(
        Transmittal.objects.select_related("site", "scheduled_scan"),
        request.user,
        "images.upload",
        pk=pk,
    )
    scans = candidates.of(row)
    choices = candidates.choices(row)
    form = AssignForm(
        sent(request), scans=scans, choices=choices, is_another=row.scheduled_scan is not None
    )
    address = reverse("transmittal", args=[row.pk])

    def act(found: dict) -> str:
        assignment.assign(row, by=request.user, **found)
        return address

    done = perform(request, form, act)
    page = ActPage(
        "Whose images are these?",
        "Give them to this scan",
        address,
        str(row),
        address,
        intro="The images are inspected again, and held against all that is known of the patient.",
    )
    return done or act_page(request, form, page)


@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    row = permissions.fetched(Transmittal.objects, request.user, "images.retry", pk=pk)
    assignment.retry(row, by=request.user)
    return redirect("transmittal", pk=row.pk)


def _transmittal(request: HttpRequest, pk: int) -> Transmittal:
    return permissions.fetched(
        waiting.with_lateness(
            Transmittal.objects.select_related(
                "site",
                "scheduled_scan__patient__site",
                "scheduled_scan__planned_scan",
                "sent_by",
            )
        ),
        request.user,
        "images.view",
        pk=pk,
    )


def _ledger(request: HttpRequest, row: Transmittal) -> dict:
    return {
        "transmittal": row,
        "scan": row.scheduled_scan,
        "advice": waiting.advice_of(row) if row.is_late else "",
        "counts": selectors.file_counts(row),
        "refusals": selectors.refusals(row),
        "job": selectors.newest_job(row),
        "series_list": selectors.series_of(row),
        "is_moving": row.state in MOVING or _measuring(row),
        "incidents": row.privacy_incidents.all()
        if request.user.may_for("incident.view", row.scope())
        else [],
        "may_report": row.state != Transmittal.State.RECEIVING
        and request.user.may_for("incident.report", row.scope()),
        "may_assign": row.state == Transmittal.State.QUARANTINED
        and request.user.may_for("images.upload", row.scope()),
        "may_retry": row.state == Transmittal.State.QUARANTINED
        and row.scheduled_scan is not None
        and request.user.may_for("images.retry", row.scope()),
        "may_decide": row.state == Transmittal.State.QUARANTINED
        and request.user.may_for("images.decide", row.scope()),
    }


def _measuring(row: Transmittal) -> bool:
    return selectors.series_of(row).filter(modality="PT", state=Series.State.ASSEMBLED).exists()
