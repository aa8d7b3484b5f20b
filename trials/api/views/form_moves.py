"""Forms of a site under a newer version: what would become of them, and the act that moves them."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from trials.api import form_moves as shapes
from trials.api.base import Endpoint, asked, operation
from trials.api.views.sites import site_for
from trials.models import ProtocolVersion
from trials.services import form_moves


class FormMoves(Endpoint):
    @operation("tryFormMoves", tag="sites", answers=shapes.MovePlan)
    def get(self, request: Request, pk: int, version: int) -> Response:
        """What would become of each form of an earlier version; nothing is kept of it."""
        site = site_for(request, "version.activate", pk)
        row = get_object_or_404(ProtocolVersion, pk=version, trial=site.trial_id)
        return self.show(form_moves.plan(row, site=site, by=request.user), shapes.MovePlan)

    @operation("moveForms", tag="sites", asks=shapes.MoveForms, answers=shapes.FormMove(many=True))
    def post(self, request: Request, pk: int, version: int) -> Response:
        """Let every form move that can, as it was shown."""
        site = site_for(request, "version.activate", pk)
        row = get_object_or_404(ProtocolVersion, pk=version, trial=site.trial_id)
        given = asked(request, shapes.MoveForms)
        made = form_moves.move(row, site=site, by=request.user, **given)
        return Response(shapes.FormMove(made, many=True).data)
