"""Monitoring visits and their action items."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import monitoring as shapes
from trials.api.base import Endpoint, asked, filtered, operation
from trials.api.serializers import Turn
from trials.api.views.sites import site_for
from trials.models import ActionItem, MonitoringVisit
from trials.services import monitoring as services

VISITS = MonitoringVisit.objects.select_related("site__trial", "recorded_by").prefetch_related(
    "items__turns__author"
)
State = ActionItem.State


class Visits(Endpoint):
    @operation(
        "listMonitoringVisits",
        tag="monitoring",
        answers=shapes.Visit(many=True),
        filters=shapes.VisitFilter,
    )
    def get(self, request: Request) -> Response:
        """Monitoring visits, the last one first, each with its action items."""
        wanted = filtered(request, shapes.VisitFilter)
        rows = permissions.listed(VISITS, request.user, "monitoring.view")
        return self.page(rows.filter(**wanted), shapes.Visit)


class SiteVisits(Endpoint):
    @operation(
        "recordMonitoringVisit",
        tag="monitoring",
        asks=shapes.Report,
        answers=shapes.Visit,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Report a visit that took place."""
        site = site_for(request, "monitoring.record", pk)
        made = services.record(site, by=request.user, **asked(request, shapes.Report))
        return self.show(made, shapes.Visit, status=201)


class OneVisit(Endpoint):
    @operation("getMonitoringVisit", tag="monitoring", answers=shapes.Visit)
    def get(self, request: Request, pk: int) -> Response:
        """One visit with its action items."""
        return self.show(visit_for(request, "monitoring.view", pk), shapes.Visit)


class CorrectVisit(Endpoint):
    @operation(
        "correctMonitoringVisit", tag="monitoring", asks=shapes.CorrectReport, answers=shapes.Visit
    )
    def post(self, request: Request, pk: int) -> Response:
        """Correct a report with a reason; 409 if it was corrected meanwhile."""
        row = visit_for(request, "monitoring.record", pk)
        services.correct(row, by=request.user, **asked(request, shapes.CorrectReport))
        return self.show(VISITS.get(pk=pk), shapes.Visit)


class SignVisit(Endpoint):
    @operation(
        "signMonitoringVisit", tag="monitoring", asks=shapes.SignReport, answers=shapes.Signed
    )
    def post(self, request: Request, pk: int) -> Response:
        """Sign a report with its action items."""
        row = visit_for(request, "monitoring.record", pk)
        given = asked(request, shapes.SignReport)
        return self.show(services.sign(row, by=request.user, **given), shapes.Signed)


class VisitItems(Endpoint):
    @operation(
        "raiseActionItem", tag="monitoring", asks=shapes.RaiseItem, answers=shapes.Item, status=201
    )
    def post(self, request: Request, pk: int) -> Response:
        """Raise an action item of a visit."""
        row = visit_for(request, "monitoring.record", pk)
        made = services.add_item(row, by=request.user, **asked(request, shapes.RaiseItem))
        return self.show(made, shapes.Item, status=201)


class ItemDone(Endpoint):
    @operation("doneActionItem", tag="monitoring", asks=Turn, answers=shapes.Item)
    def post(self, request: Request, pk: int) -> Response:
        """Say that an item is done, for the monitor to check."""
        return _moved(self, request, pk, State.DONE, "action_item.answer")


class CloseItem(Endpoint):
    @operation("closeActionItem", tag="monitoring", asks=Turn, answers=shapes.Item)
    def post(self, request: Request, pk: int) -> Response:
        """Close an item."""
        return _moved(self, request, pk, State.CLOSED, "monitoring.record")


class ReopenItem(Endpoint):
    @operation("reopenActionItem", tag="monitoring", asks=Turn, answers=shapes.Item)
    def post(self, request: Request, pk: int) -> Response:
        """Open an item again that is not done after all."""
        return _moved(self, request, pk, State.OPEN, "monitoring.record")


def visit_for(request: Request, permission: str, pk: int) -> MonitoringVisit:
    return permissions.fetched(VISITS, request.user, permission, pk=pk)


def _moved(view: Endpoint, request: Request, pk: int, to: str, permission: str) -> Response:
    rows = ActionItem.objects.select_related("visit__site__trial")
    row = permissions.fetched(rows, request.user, permission, pk=pk)
    moved = services.move_item(row, to, by=request.user, **asked(request, Turn))
    return view.show(moved, shapes.Item)
