"""Monitoring visits: reports, and their action items until they are closed."""

from __future__ import annotations

from collections.abc import Callable

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from trials import permissions
from trials.forms import ActForm
from trials.forms.monitoring import (
    ActionItemForm,
    ItemTurnForm,
    VisitCorrectionForm,
    VisitReportForm,
    VisitSignForm,
)
from trials.models import ActionItem, MonitoringVisit, Signature, Site
from trials.services import monitoring as services
from trials.services import signatures
from trials.views.acts import ActPage, act_page, form_methods, form_page, perform, rights, sent

RIGHTS = ("monitoring.record", "action_item.answer", "audit.view")
State = ActionItem.State


@require_safe
def monitoring(request: HttpRequest) -> HttpResponse:
    """The visits of the user's sites, and what of them is still to be done."""
    rows = permissions.listed(MonitoringVisit.objects, request.user, "monitoring.view")
    items = ActionItem.objects.visible_to(request.user, "monitoring.view").exclude(
        state=State.CLOSED
    )
    sites = Site.objects.visible_to(request.user, "monitoring.view").select_related("trial")
    chosen = request.GET.get("site", "").strip()
    if chosen.isascii() and chosen.isdigit():
        rows = rows.filter(site=int(chosen[:18]))
        items = items.filter(visit__site=int(chosen[:18]))
    writing = Site.objects.visible_to(request.user, "monitoring.record")
    context = {
        "page": Paginator(rows.select_related("site__trial", "recorded_by"), 25).get_page(
            request.GET.get("page")
        ),
        "items": items.select_related("visit__site__trial").order_by("due_on", "pk")[:200],
        "sites": sites,
        "chosen": chosen,
        "may_write": set(writing.values_list("pk", flat=True)),
    }
    return render(request, "trials/monitoring.html", context)


@require_safe
def monitoring_visit(request: HttpRequest, pk: int) -> HttpResponse:
    """One visit: the report, who signed it, and its action items with their follow-up."""
    row = _visit(request, pk, "monitoring.view")
    context = {
        "visit": row,
        "items": row.items.prefetch_related("turns__author"),
        "signature": signatures.of(row),
        "in_force": services.signature_in_force(row),
        "may": rights(request.user, row.scope(), *RIGHTS),
        "today": row.site.today(),
    }
    return render(request, "trials/monitoring_visit.html", context)


@form_methods
def monitoring_visit_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Report a visit that took place."""
    site = permissions.fetched(
        Site.objects.select_related("trial"), request.user, "monitoring.record", pk=pk
    )
    form = VisitReportForm(sent(request), initial={"held_on": site.today()})

    def record(found: dict) -> str:
        return _page_of(services.record(site, by=request.user, **found))

    done = perform(request, form, record)
    cancel = reverse("site", args=[site.pk])
    page = ActPage("Report a monitoring visit", "Save the report", cancel, f"Site {site}", cancel)
    return done or act_page(request, form, page)


@form_methods
def monitoring_visit_correct(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct a report with a reason."""
    row = _visit(request, pk, "monitoring.record")
    shown = {name: getattr(row, name) for name in (*services.REPORTED, "version")}
    form = VisitCorrectionForm(sent(request), initial=shown)
    return _act(
        request,
        row,
        form,
        lambda found: services.correct(row, by=request.user, **found),
        ("Correct the report", "Correct"),
        "A signature on what it said before no longer stands.",
    )


@form_methods
def monitoring_visit_sign(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign a report, shown whole with its items."""
    row = _visit(request, pk, "monitoring.record")
    form = VisitSignForm(sent(request), initial={"version": row.version})
    address = _page_of(row)

    def sign(found: dict) -> str:
        services.sign(row, by=request.user, **found)
        return address

    done = perform(request, form, sign)
    intro = f"By signing you say: {Signature.Meaning.MONITORING.label}."
    page = ActPage("Sign the report", "Sign", address, str(row), address, intro=intro)
    context = {"form": form, "page": page, "visit": row, "items": row.items.all()}
    return done or form_page(request, "trials/monitoring_visit_sign.html", context)


@form_methods
def action_item_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Raise an action item of a visit."""
    row = _visit(request, pk, "monitoring.record")
    return _act(
        request,
        row,
        ActionItemForm(sent(request)),
        lambda found: services.add_item(row, by=request.user, **found),
        ("Raise an action item", "Raise"),
        "It is part of the report: a signature there is has to be given again.",
    )


@form_methods
def action_item_done(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that an item is done, for the monitor to check."""
    return _moved(request, pk, State.DONE, "action_item.answer", "Say that it is done", "Done")


@form_methods
def action_item_close(request: HttpRequest, pk: int) -> HttpResponse:
    """Close an item."""
    return _moved(request, pk, State.CLOSED, "monitoring.record", "Close the item", "Close")


@form_methods
def action_item_reopen(request: HttpRequest, pk: int) -> HttpResponse:
    """Open an item again that is not done after all."""
    return _moved(request, pk, State.OPEN, "monitoring.record", "Open the item again", "Reopen")


def _moved(
    request: HttpRequest, pk: int, to: str, permission: str, title: str, submit: str
) -> HttpResponse:
    rows = ActionItem.objects.select_related("visit__site__trial")
    item = permissions.fetched(rows, request.user, permission, pk=pk)
    return _act(
        request,
        item.visit,
        ItemTurnForm(sent(request)),
        lambda found: services.move_item(item, to, by=request.user, **found),
        (title, submit),
        item.text,
    )


def _act(
    request: HttpRequest,
    visit: MonitoringVisit,
    form: ActForm,
    act: Callable[[dict], object],
    words: tuple[str, str],
    intro: str,
) -> HttpResponse:
    """A form about a visit that leads back to it."""
    address = _page_of(visit)

    def performed(found: dict) -> str:
        act(found)
        return address

    done = perform(request, form, performed)
    page = ActPage(*words, address, str(visit), address, intro=intro)
    return done or act_page(request, form, page)


def _visit(request: HttpRequest, pk: int, permission: str) -> MonitoringVisit:
    rows = MonitoringVisit.objects.select_related(
        "site__trial", "site__principal_investigator", "recorded_by"
    )
    return permissions.fetched(rows, request.user, permission, pk=pk)


def _page_of(visit: MonitoringVisit) -> str:
    return reverse("monitoring_visit", args=[visit.pk])
