"""The compared adrenals of a run over the API."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from imaging.api import serializers
from imaging.models import Quantification
from imaging.selectors import adrenals
from trials import permissions
from trials.api.base import Endpoint, operation


class AdrenalDerivation(Endpoint):
    @operation("getAdrenalDerivation", tag="images", answers=serializers.Node)
    def get(self, request: Request, pk: int, which: str) -> Response:
        """How one number of the compared adrenals, or their side, came about.

        `which` is ratio, index, liver_left, liver_right or side. Not found unless a reader
        stands for both adrenals. Origin as for a lesion.
        """
        run = permissions.fetched(
            Quantification.objects.select_related("series__transmittal"),
            request.user,
            "quantification.view",
            pk=pk,
        )
        found = adrenals.shown(run, request.user)
        with_origin = request.user.may_for("images.view", run.scope())
        node = adrenals.derivation(found, which, with_origin=with_origin)
        return Response(node.to_json())
