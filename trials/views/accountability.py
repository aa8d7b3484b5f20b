"""What became of the tracers at a site."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from trials import permissions
from trials.forms import ReasonForm
from trials.forms.accountability import MovementForm, ReviewForm
from trials.models import AccountabilityReview, Signature, Site, TracerMovement
from trials.selectors import accountability as selectors
from trials.services import accountability, signatures
from trials.views.acts import ActPage, act_page, form_methods, form_page, perform, rights, sent

# Rows of each list of the page; the exports have all.
NEWEST = 100


@require_safe
def site_accountability(request: HttpRequest, pk: int) -> HttpResponse:
    """The running balance of each tracer and batch of a site, and the acts it rests on."""
    row = _site(request, pk, "site.view")
    now = timezone.now()
    lines = selectors.lines(row, at=now)
    context = {
        "site": row,
        "zone": row.time_zone,
        "now": now,
        "lines": lines,
        "reviewed": selectors.reviewed(row, lines),
        "movements": list(selectors.movements(row)[: NEWEST + 1]),
        "given": list(selectors.given(row)[: NEWEST + 1]),
        "newest": NEWEST,
        "may": rights(request.user, row.scope(), "batch.record", "accountability.sign"),
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


@form_methods
def accountability_sign(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign the balance of a tracer, shown whole."""
    row = _site(request, pk, "accountability.sign")
    tracer = request.GET.get("tracer", "")
    every = selectors.lines(row, at=timezone.now())
    if tracer not in {one.tracer for one in every}:
        raise Http404
    now = selectors.frozen(row, tracer, among=every)
    form = ReviewForm(sent(request), initial={"seen": now.sha256})
    address = _page_of(row)

    def sign(found: dict) -> str:
        accountability.review(row, tracer=tracer, by=request.user, **found)
        return address

    done = perform(request, form, sign)
    intro = f"By signing you say: {Signature.Meaning.ACCOUNTABILITY.label}."
    page = ActPage(
        f"Review of {tracer}", "Sign", address, f"Tracers at site {row}", address, intro=intro
    )
    context = {"form": form, "page": page, "site": row, "frozen": now}
    return done or form_page(request, "trials/accountability_sign.html", context)


@require_safe
def accountability_review(request: HttpRequest, pk: int) -> HttpResponse:
    """One review as it was signed, and what came since."""
    rows = AccountabilityReview.objects.select_related("site__trial", "reviewed_by")
    row = permissions.fetched(rows, request.user, "site.view", pk=pk)
    context = {
        "review": row,
        "frozen": selectors.Frozen(row.balance, row.movements),
        "signature": signatures.of(row),
        "since": selectors.overtaken_by(row, selectors.frozen(row.site, row.tracer)),
    }
    return render(request, "trials/accountability_review.html", context)


def _site(request: HttpRequest, pk: int, permission: str) -> Site:
    return permissions.fetched(
        Site.objects.select_related("trial"), request.user, permission, pk=pk
    )


def _page_of(site: Site) -> str:
    return reverse("site_accountability", args=[site.pk])
