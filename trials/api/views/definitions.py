"""The trial file, its conflicts and its cohorts."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import conduct, serializers
from trials.api.base import Endpoint, asked, operation
from trials.models import Trial
from trials.services import cohorts, protocols, settlements
from trials.views import definitions as pages


class TrialFiles(Endpoint):
    @operation("loadTrialFile", tag="trials", asks=conduct.TrialFile, answers=conduct.Loaded)
    def post(self, request: Request) -> Response:
        """Load a trial file, or by default only say what it would change.

        A file with something to mend is refused whole, each error with its line.
        """
        permissions.require_somewhere(request.user, "trial.load")
        given = asked(request, conduct.TrialFile)
        loaded = protocols.load_trial(given["text"], by=request.user, dry_run=given["dry_run"])
        return self.show(loaded, conduct.Loaded)


class TrialSchema(Endpoint):
    @operation("getTrialFileSchema", tag="trials", answers=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        """The JSON Schema of trial files."""
        return pages.trial_schema(request)


class TrialFile(Endpoint):
    @operation("getTrialFile", tag="trials", answers=OpenApiTypes.STR)
    def get(self, request: Request, identifier: str, number: int) -> HttpResponse:
        """The trial file of a version, as it was loaded."""
        return pages.trial_file(request, identifier, number)


class TrialUsdm(Endpoint):
    @operation("getTrialUsdm", tag="trials", answers=OpenApiTypes.OBJECT)
    def get(self, request: Request, identifier: str, number: int) -> HttpResponse:
        """The definition of a version as CDISC USDM v4."""
        return pages.trial_usdm(request, identifier, number)


class Conflicts(Endpoint):
    @operation("listConflicts", tag="trials", answers=conduct.Conflict(many=True))
    def get(self, request: Request, identifier: str) -> Response:
        """Where the sources of a trial disagree, and what was decided."""
        trial = _trial(request, identifier, "trial.view")
        version = trial.newest_version
        found = settlements.conflicts(version) if version else []
        return self.page(found, conduct.Conflict)

    @operation(
        "settleConflict",
        tag="trials",
        asks=conduct.Settle,
        answers=conduct.Conflict(many=True),
        status=201,
    )
    def post(self, request: Request, identifier: str) -> Response:
        """Decide which reading holds."""
        trial = _trial(request, identifier, "trial.settle")
        settlements.settle(trial, by=request.user, **asked(request, conduct.Settle))
        found = settlements.conflicts(trial.newest_version)
        shown = conduct.Conflict(found, many=True, context=self.get_serializer_context())
        return Response(shown.data, status=201)


class Cohorts(Endpoint):
    @operation("listCohorts", tag="trials", answers=conduct.CohortRoom(many=True))
    def get(self, request: Request, identifier: str) -> Response:
        """The cohorts of a trial and the room they have."""
        trial = _trial(request, identifier, "trial.view")
        version = trial.newest_version
        return self.page(cohorts.rooms(version) if version else [], conduct.CohortRoom)


class SwitchCohort(Endpoint):
    @operation(
        "switchCohort",
        tag="trials",
        asks=serializers.Reason,
        answers=conduct.CohortRoom(many=True),
    )
    def post(self, request: Request, identifier: str, cohort: str, switch: str) -> Response:
        """Close a cohort, or reopen it."""
        if switch not in {"close", "reopen"}:
            raise Http404
        trial = _trial(request, identifier, "cohort.close")
        change = cohorts.close if switch == "close" else cohorts.reopen
        change(trial, cohort=cohort, by=request.user, **asked(request, serializers.Reason))
        rooms = cohorts.rooms(trial.newest_version)
        shown = conduct.CohortRoom(rooms, many=True, context=self.get_serializer_context())
        return Response(shown.data)


def _trial(request: Request, identifier: str, permission: str) -> Trial:
    return permissions.fetched(Trial.objects, request.user, permission, identifier=identifier)
