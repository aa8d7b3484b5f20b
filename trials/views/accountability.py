"""What became of the tracers at a site."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from trials import permissions
from trials.forms import ReasonForm
from trials.forms.accountability import MovementForm
from trials.models import Site, TracerMovement
from trials.selectors import accountability as selectors
from trials.services import accountability
from trials.views.acts import ActPage, act_page, form_methods, perform, rights, sent


@require_safe
def site_accountability(request: HttpRequest, pk: int) -> HttpResponse:
    """The running balance of each tracer and batch of a site, and the acts it rests on."""
    row = _site(request, pk, "site.view")
    now = timezone.now()
    context = {
        "site": row,
        "zone": row.time_zone,
        "now": now,
        "lines": selectors.lines(row, at=now),
        "movements": row.tracer_movements.select_related("batch", "recorded_by").order_by(
            "-happened_at", "-pk"
        )[:100],
        "may": rights(request.user, row.scope(), "batch.record"),
    }
    return render(request, "trials/site_accountability.html", context)


@form_methods
def movement_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Record that doses of a tracer were ordered, came, or went."""
    row = _site(request, pk, "batch.record")
    version = row.version_in_force
    form = MovementForm(
        sent(request),
        zone=row.time_zone,
        batches=row.batches.all(),
        tracers=version.tracers.all() if version else (),
    )

    def record(found: dict) -> str:
        accountability.record(row, by=request.user, **found)
        return _page_of(row)

    done = perform(request, form, record)
    page = ActPage("Record an act", "Record", _page_of(row), f"Site {row}", _page_of(row))
    return done or act_page(request, form, page)


@form_methods
def movement_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back an act that was recorded by mistake."""
    movement = permissions.fetched(
        TracerMovement.objects.select_related("site__trial", "batch"),
        request.user,
        "batch.record",
        pk=pk,
    )
    form = ReasonForm(sent(request))

    def undo(found: dict) -> str:
        accountability.undo(movement, reason=found["reason"], by=request.user)
        return _page_of(movement.site)

    done = perform(request, form, undo)
    page = ActPage(
        "Take back",
        "Take back",
        _page_of(movement.site),
        str(movement).capitalize(),
        _page_of(movement.site),
        intro="It no longer counts, and stays readable with the reason.",
        is_grave=True,
    )
    return done or act_page(request, form, page)


def _site(request: HttpRequest, pk: int, permission: str) -> Site:
    return permissions.fetched(
        Site.objects.select_related("trial"), request.user, permission, pk=pk
    )


def _page_of(site: Site) -> str:
    return reverse("site_accountability", args=[site.pk])
