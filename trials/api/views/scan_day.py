"""Batches, scanners and clocks of a site."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import scan_day as shapes
from trials.api.base import Endpoint, asked, operation
from trials.api.views.sites import site_for
from trials.models import Batch, Scanner
from trials.services import batches, clocks, scanners
from trials.services.errors import Invalid


class Batches(Endpoint):
    @operation("listBatches", tag="scan days", answers=shapes.Batch(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The batches of a site, the newest first."""
        return self.page(site_for(request, "site.view", pk).batches.all(), shapes.Batch)

    @operation(
        "recordBatch",
        tag="scan days",
        asks=shapes.RecordBatch,
        answers=shapes.Batch,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record a batch as its certificate says."""
        site = site_for(request, "batch.record", pk)
        row = batches.record(site, by=request.user, **asked(request, shapes.RecordBatch))
        return self.show(row, shapes.Batch, status=201)


class ReleaseBatch(Endpoint):
    @operation("releaseBatch", tag="scan days", asks=shapes.Release, answers=shapes.Batch)
    def post(self, request: Request, pk: int) -> Response:
        """Record that the qualified person released a batch."""
        rows = Batch.objects.select_related("site")
        row = permissions.fetched(rows, request.user, "batch.record", pk=pk)
        given = asked(request, shapes.Release)
        return self.show(batches.release(row, by=request.user, **given), shapes.Batch)


class CertifyBatch(Endpoint):
    @operation("certifyBatch", tag="scan days", asks=shapes.Certify, answers=shapes.Batch)
    def post(self, request: Request, pk: int) -> Response:
        """Complete or correct what is recorded of a batch; what is left out stays.

        What was given of it is held against its release and expiry again.
        """
        rows = Batch.objects.select_related("site")
        row = permissions.fetched(rows, request.user, "batch.record", pk=pk)
        given = asked(request, shapes.Certify)
        return self.show(batches.certify(row, by=request.user, **given), shapes.Batch)


class Scanners(Endpoint):
    @operation("listScanners", tag="scan days", answers=shapes.Scanner(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The scanners of a site with what they are qualified for."""
        site = site_for(request, "site.view", pk)
        return self.page(site.scanners.prefetch_related("checks"), shapes.Scanner)

    @operation(
        "registerScanner",
        tag="scan days",
        asks=shapes.RegisterScanner,
        answers=shapes.Scanner,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Add a scanner to the register of a site."""
        site = site_for(request, "scanner.manage", pk)
        row = scanners.register(site, by=request.user, **asked(request, shapes.RegisterScanner))
        return self.show(row, shapes.Scanner, status=201)


class RetireScanner(Endpoint):
    @operation("retireScanner", tag="scan days", asks=shapes.Retire, answers=shapes.Scanner)
    def post(self, request: Request, pk: int) -> Response:
        """Let a scanner be used no more from a day."""
        row = _scanner(request, pk)
        given = asked(request, shapes.Retire)
        return self.show(scanners.retire(row, by=request.user, **given), shapes.Scanner)


class Qualifications(Endpoint):
    @operation(
        "qualifyScanner", tag="scan days", asks=shapes.Qualify, answers=shapes.Check, status=201
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record that a scanner is qualified for a tracer."""
        given = asked(request, shapes.Qualify)
        row = scanners.qualify(_scanner(request, pk), by=request.user, **given)
        return self.show(row, shapes.Check, status=201)


class CrossCalibrations(Endpoint):
    @operation(
        "crossCalibrateScanner",
        tag="scan days",
        asks=shapes.CrossCalibrate,
        answers=shapes.Check,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record a cross-calibration; an expired one flags every scan after it."""
        given = asked(request, shapes.CrossCalibrate)
        row = scanners.cross_calibrate(_scanner(request, pk), by=request.user, **given)
        return self.show(row, shapes.Check, status=201)


class Clocks(Endpoint):
    @operation("listClocks", tag="scan days", answers=shapes.Clock(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """Every comparison of a clock at a site, the newest first."""
        site = site_for(request, "site.view", pk)
        return self.page(site.clock_readings.order_by("-read_at", "-pk"), shapes.Clock)

    @operation(
        "readClock", tag="scan days", asks=shapes.ReadClock, answers=shapes.Clock, status=201
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record by how much a clock was ahead of a reference clock."""
        site = site_for(request, "injection.record", pk)
        given = asked(request, shapes.ReadClock)
        if given["scanner"] is not None:
            scanner = site.scanners.filter(pk=given["scanner"]).first()
            if scanner is None:
                raise Invalid("scanner", f"{site} has no scanner with this key.")
            given["scanner"] = scanner
        row = clocks.compare(site, by=request.user, **given)
        return self.show(row, shapes.Clock, status=201)


def _scanner(request: Request, pk: int) -> Scanner:
    rows = Scanner.objects.select_related("site").prefetch_related("checks")
    return permissions.fetched(rows, request.user, "scanner.manage", pk=pk)
