"""One image series: its headers, its numbers, and what is decided about it."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from imaging import selectors
from imaging.models import ConformanceFinding, Quantification, Series
from imaging.selectors import written
from imaging.services import reconciliation, reviews, trying
from imaging.views.measured import measured
from trials import permissions
from trials.forms import ReasonForm
from trials.models import ProtocolVersion, Site
from trials.views.acts import ActPage, act_page, form_methods, perform, sent


@require_safe
def series(request: HttpRequest, pk: int) -> HttpResponse:
    """One image series: what its headers say, how its SUV was computed, its lesions."""
    row = permissions.fetched(
        Series.objects.select_related(
            "imaging_study__scheduled_scan__patient__site",
            "imaging_study__scheduled_scan__planned_scan",
            "transmittal",
            "drawn_on",
        ),
        request.user,
        "images.view",
        pk=pk,
    )
    context = {
        "series": row,
        "scan": row.imaging_study.scheduled_scan,
        "findings": row.findings.filter(is_current=True).select_related("overridden_by"),
        "may_override": request.user.may_for("images.decide", row.scope()),
        "proofs": row.proofs.all(),
        "others": Series.objects.filter(
            imaging_study__scheduled_scan=row.imaging_study.scheduled_scan_id, modality="PT"
        ).exclude(pk=row.pk)
        if row.modality == "PT"
        else [],
    }
    if request.user.may_for("quantification.view", row.scope()):
        run = _run_asked_for(request, row)
        runs = row.quantifications.order_by("-run")
        context |= {"may_see_numbers": True, "may_see_drawings": True, "runs": runs}
        context |= measured(run)
        context["objects"] = written.of_run(run, request.user)
    return render(request, "imaging/series.html", context)


def _run_asked_for(request: HttpRequest, row: Series) -> Quantification | None:
    """An earlier run by its number, which stays readable; the current one unless asked."""
    number = request.GET.get("run", "")
    if not number:
        return selectors.current_quantification(row)
    if not (number.isascii() and number.isdigit() and len(number) < 9):
        raise Http404
    return get_object_or_404(Quantification, series=row, run=int(number))


@form_methods
def suv_accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the candidate of a series hold, with a reason."""
    row = permissions.fetched(
        Series.objects.select_related("imaging_study__scheduled_scan__patient__site"),
        request.user,
        "images.decide",
        pk=pk,
    )
    run = get_object_or_404(Quantification, series=row, is_current=True)
    form = ReasonForm(sent(request))
    address = reverse("series", args=[row.pk])

    def act(found: dict) -> str:
        reviews.accept(run, by=request.user, **found)
        return address

    done = perform(request, form, act)
    page = ActPage(
        "Let the candidate hold",
        "Let it hold",
        address,
        str(row),
        address,
        intro=f"{run.message} With your reason it is measured and flagged.",
        is_grave=True,
    )
    return done or act_page(request, form, page)


@form_methods
def series_count(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one of several PET series count for its scan, with a reason."""
    row = permissions.fetched(
        Series.objects.select_related("imaging_study__scheduled_scan__patient__site"),
        request.user,
        "images.decide",
        pk=pk,
    )
    form = ReasonForm(sent(request))
    address = reverse("series", args=[row.pk])

    def act(found: dict) -> str:
        reviews.count(row, by=request.user, **found)
        return address

    done = perform(request, form, act)
    page = ActPage(
        "Let this series count",
        "Let it count",
        address,
        str(row),
        address,
        intro="It stands for the scan then; the others are kept. The decision ends when another "
        "series that could count comes, or one of these goes.",
    )
    return done or act_page(request, form, page)


@form_methods
def finding_override(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a conformance finding pass, with a reason."""
    row = permissions.fetched(
        ConformanceFinding.objects.select_related(
            "series__imaging_study__scheduled_scan__patient__site"
        ),
        request.user,
        "images.decide",
        pk=pk,
    )
    form = ReasonForm(sent(request))
    address = reverse("series", args=[row.series_id])

    def act(found: dict) -> str:
        reconciliation.override(row, by=request.user, **found)
        return address

    done = perform(request, form, act)
    page = ActPage(
        "Let it pass",
        "Let it pass",
        address,
        str(row.series),
        address,
        intro=f"{row.text} It stays a finding, and its deviation one; what it asked is closed with "
        "your reason.",
        is_grave=True,
    )
    return done or act_page(request, form, page)


@require_safe
def conformance_try(request: HttpRequest, pk: int, version: int) -> HttpResponse:
    """What the rules of a protocol version would find otherwise in the archive of a site."""
    site = permissions.fetched(
        Site.objects.select_related("trial"), request.user, "version.activate", pk=pk
    )
    row = get_object_or_404(ProtocolVersion, pk=version, trial=site.trial_id)
    found, count = trying.rules(row, site=site, by=request.user)
    context = {"site": site, "version": row, "found": found, "count": count}
    return render(request, "imaging/conformance_try.html", context)
