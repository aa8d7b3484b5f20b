"""What scan days rest on at a site: batches, scanners, clocks."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from trials import permissions
from trials.forms import (
    BatchForm,
    BatchReleaseForm,
    CertificateForm,
    ClockForm,
    CrossCalibrationForm,
    QualificationForm,
    ScannerForm,
    ScannerRetireForm,
)
from trials.models import Batch, Scanner, Site
from trials.selectors import scan_day as selectors
from trials.services import batches, clocks, scanners
from trials.views.acts import ActPage, act_page, form_methods, perform, rights, sent

RIGHTS = ("batch.record", "scanner.manage", "injection.record", "audit.view")


@require_safe
def scan_day(request: HttpRequest, pk: int) -> HttpResponse:
    """The batches, scanners and clocks of a site, and what of them is not in order."""
    row = _site(request, pk, "site.view")
    context = {
        "site": row,
        "may": rights(request.user, row.scope(), *RIGHTS),
        "batches": row.batches.select_related("recorded_by")[:50],
        "now": timezone.now(),
        "today": row.today(),
        "scanners": row.scanners.prefetch_related("checks"),
        "clocks": selectors.clocks(row),
    }
    return render(request, "trials/scan_day.html", context)


@form_methods
def batch_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Record a batch as its certificate says."""
    row = _site(request, pk, "batch.record")
    form = BatchForm(sent(request), zone=row.time_zone, tracers=_tracers(row))
    return _act(
        request,
        row,
        form,
        lambda found: batches.record(row, by=request.user, **found),
        title="Record a batch",
        submit="Record",
    )


@form_methods
def batch_release(request: HttpRequest, pk: int) -> HttpResponse:
    """Record that a batch was released."""
    batch = permissions.fetched(
        Batch.objects.select_related("site__trial"), request.user, "batch.record", pk=pk
    )
    form = BatchReleaseForm(sent(request), zone=batch.site.time_zone)
    return _act(
        request,
        batch.site,
        form,
        lambda found: batches.release(batch, by=request.user, **found),
        title=f"Release of {batch}",
        submit="Record the release",
    )


@form_methods
def batch_certify(request: HttpRequest, pk: int) -> HttpResponse:
    """Complete or correct what is recorded of a batch by its certificate."""
    batch = permissions.fetched(
        Batch.objects.select_related("site__trial"), request.user, "batch.record", pk=pk
    )
    form = CertificateForm(sent(request), batch=batch)
    return _act(
        request,
        batch.site,
        form,
        lambda found: batches.certify(batch, by=request.user, **found),
        title=f"Certificate of {batch}",
        submit="Record what it says",
    )


@form_methods
def scanner_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a scanner to the register."""
    row = _site(request, pk, "scanner.manage")
    return _act(
        request,
        row,
        ScannerForm(sent(request)),
        lambda found: scanners.register(row, by=request.user, **found),
        title="Register a scanner",
        submit="Register",
    )


@form_methods
def scanner_retire(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a scanner be used no more."""
    scanner = _scanner(request, pk)
    return _act(
        request,
        scanner.site,
        ScannerRetireForm(sent(request), initial={"on": scanner.site.today()}),
        lambda found: scanners.retire(scanner, by=request.user, **found),
        title=f"Retire {scanner}",
        submit="Retire",
        is_grave=True,
    )


@form_methods
def qualification_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Record that a scanner is qualified for a tracer."""
    scanner = _scanner(request, pk)
    return _act(
        request,
        scanner.site,
        QualificationForm(
            sent(request),
            tracers=_tracers(scanner.site),
            initial={"valid_from": scanner.site.today()},
        ),
        lambda found: scanners.qualify(scanner, by=request.user, **found),
        title=f"Qualification of {scanner}",
        submit="Record",
    )


@form_methods
def cross_calibration_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Record a cross-calibration of a scanner."""
    scanner = _scanner(request, pk)
    return _act(
        request,
        scanner.site,
        CrossCalibrationForm(sent(request), initial={"valid_from": scanner.site.today()}),
        lambda found: scanners.cross_calibrate(scanner, by=request.user, **found),
        title=f"Cross-calibration of {scanner}",
        submit="Record",
    )


@form_methods
def clock_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Record how far a clock is off."""
    row = _site(request, pk, "injection.record")
    form = ClockForm(sent(request), zone=row.time_zone, scanners=row.scanners.all())
    return _act(
        request,
        row,
        form,
        lambda found: clocks.compare(row, by=request.user, **found),
        title="Compare a clock",
        submit="Record",
        intro="From this moment on the times of the instrument are corrected by it, visibly.",
    )


def _tracers(site: Site) -> list:
    version = site.version_in_force
    return list(version.tracers.all()) if version else []


def _act(
    request: HttpRequest,
    site: Site,
    form,
    act: Callable[[dict], object],
    *,
    title: str,
    submit: str,
    **more,
) -> HttpResponse:
    """A form about the scan days of a site that leads back to them."""
    address = reverse("site_day", args=[site.pk])

    def performed(found: dict) -> str:
        act(found)
        return address

    done = perform(request, form, performed)
    page = ActPage(title, submit, address, f"Site {site}, {site.trial}", address, **more)
    return done or act_page(request, form, page)


def _site(request: HttpRequest, pk: int, permission: str) -> Site:
    return permissions.fetched(
        Site.objects.select_related("trial"), request.user, permission, pk=pk
    )


def _scanner(request: HttpRequest, pk: int) -> Scanner:
    rows = Scanner.objects.select_related("site__trial")
    return permissions.fetched(rows, request.user, "scanner.manage", pk=pk)
