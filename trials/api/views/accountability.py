"""Tracer accountability of a site."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import accountability as shapes
from trials.api.base import Endpoint, asked, operation
from trials.api.serializers import Reason
from trials.api.views.sites import site_for
from trials.models import Batch, TracerMovement
from trials.selectors import accountability as selectors
from trials.services import accountability
from trials.services.errors import Invalid


class Movements(Endpoint):
    @operation("listTracerMovements", tag="scan days", answers=shapes.Movement(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """What was ordered, received, dispensed, returned and destroyed at a site."""
        site = site_for(request, "site.view", pk)
        return self.page(site.tracer_movements.all(), shapes.Movement)

    @operation(
        "recordTracerMovement",
        tag="scan days",
        asks=shapes.RecordMovement,
        answers=shapes.Movement,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record that doses of a tracer were ordered, came, or went."""
        site = site_for(request, "batch.record", pk)
        given = asked(request, shapes.RecordMovement)
        if given["batch"] is not None:
            given["batch"] = Batch.objects.filter(site=site, pk=given["batch"]).first()
            if given["batch"] is None:
                raise Invalid("batch", "There is no such batch at this site.")
        row = accountability.record(site, by=request.user, **given)
        return self.show(row, shapes.Movement, status=201)


class UndoMovement(Endpoint):
    @operation("undoTracerMovement", tag="scan days", asks=Reason, answers=shapes.Movement)
    def post(self, request: Request, pk: int) -> Response:
        """Take back an act that was recorded by mistake."""
        rows = TracerMovement.objects.select_related("site", "batch")
        row = permissions.fetched(rows, request.user, "batch.record", pk=pk)
        given = asked(request, Reason)
        return self.show(accountability.undo(row, by=request.user, **given), shapes.Movement)


class Reviews(Endpoint):
    @operation("listAccountabilityReviews", tag="scan days", answers=shapes.Reviewed(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """Each tracer of a site as it stands now, with its newest review and what came since."""
        site = site_for(request, "site.view", pk)
        found = selectors.reviewed(site, selectors.lines(site, at=timezone.now()))
        return Response(shapes.Reviewed(found, many=True).data)

    @operation(
        "signAccountabilityReview",
        tag="scan days",
        asks=shapes.SignReview,
        answers=shapes.Review,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Sign the balance of a tracer; 409 if something was recorded since it was looked at."""
        site = site_for(request, "accountability.sign", pk)
        given = asked(request, shapes.SignReview)
        row = accountability.review(site, by=request.user, **given)
        return self.show(row, shapes.Review, status=201)


class Balances(Endpoint):
    @operation("getTracerBalance", tag="scan days", answers=shapes.Balance(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The balance of each tracer and batch of a site, with the activity as of now."""
        site = site_for(request, "site.view", pk)
        found = selectors.lines(site, at=timezone.now())
        return Response(shapes.Balance(found, many=True).data)
