"""Trials and what their protocols plan."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import serializers
from trials.api.base import Endpoint, operation
from trials.models import Trial


class Trials(Endpoint):
    @operation("listTrials", tag="trials", answers=serializers.TrialLine(many=True))
    def get(self, request: Request) -> Response:
        """The trials of the user."""
        rows = permissions.listed(Trial.objects, request.user, "trial.view")
        return self.page(rows, serializers.TrialLine)


class OneTrial(Endpoint):
    @operation("getTrial", tag="trials", answers=serializers.Trial)
    def get(self, request: Request, identifier: str) -> Response:
        """A trial, its sites that the user sees, and what its newest protocol version plans.

        What no source states is empty or null, never guessed.
        """
        trial = permissions.fetched(
            Trial.objects, request.user, "trial.view", identifier=identifier
        )
        trial.seen_sites = trial.sites.visible_to(request.user, "trial.view")
        version = trial.newest_version
        trial.planned_scans = version.planned_scans.select_related("tracer") if version else []
        trial.criteria = version.criteria.all() if version else []
        return self.show(trial, serializers.Trial)
