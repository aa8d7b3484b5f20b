"""Exports over the API: order, look, download."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from reporting import models, selectors
from reporting.api import serializers
from reporting.services import exports
from reporting.views.exports import as_file, differences_as_file
from trials import permissions
from trials.api.base import Endpoint, asked, filtered, operation
from trials.models import Trial


class Exports(Endpoint):
    @operation("listExports", tag="exports", answers=serializers.Export(many=True))
    def get(self, request: Request) -> Response:
        """The exports of the user's trials, newest first."""
        rows = permissions.listed(selectors.exports(), request.user, "export.view")
        return self.page(rows, serializers.Export)

    @operation(
        "orderExport",
        tag="exports",
        asks=serializers.OrderExport,
        answers=serializers.Export,
        status=201,
    )
    def post(self, request: Request) -> Response:
        """Order an export of a whole trial; look again until it is frozen or failed."""
        given = asked(request, serializers.OrderExport)
        trial = permissions.fetched(
            Trial.objects, request.user, "export.create", identifier=given["trial"]
        )
        ordered = exports.request(
            trial, reason=given["reason"], by=request.user, formats=given["formats"]
        )
        row = selectors.exports().get(pk=ordered.pk)
        return self.show(row, serializers.Export, status=201)


class OneExport(Endpoint):
    @operation("getExport", tag="exports", answers=serializers.Export)
    def get(self, request: Request, pk: int) -> Response:
        """One export: how far it is, and its manifest."""
        return self.show(export_for(request, pk), serializers.Export)


class Download(Endpoint):
    @extend_schema(
        operation_id="downloadExport",
        tags=["exports"],
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """The files of a frozen export, zipped; 409 as long as it is not frozen."""
        row = export_for(request, pk)
        return as_file(row, exports.download(row, by=request.user))


class Differences(Endpoint):
    @operation(
        "getExportDifferences",
        tag="exports",
        answers=serializers.DatasetDifference(many=True),
        filters=serializers.Since,
    )
    def get(self, request: Request, pk: int) -> Response:
        """The datasets that differ from an earlier export of the trial, and how much."""
        found = exports.differences(*_compared(request, pk), by=request.user)
        return Response(serializers.DatasetDifference(found, many=True).data)


class DifferencesFile(Endpoint):
    @extend_schema(
        operation_id="downloadExportDifferences",
        tags=["exports"],
        parameters=[serializers.Since],
        responses={(200, "text/csv"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Every row and value that differs; both exports count as downloaded."""
        newer, older = _compared(request, pk)
        content = exports.differences_file(newer, older, by=request.user)
        return differences_as_file(newer, older, content)


def _compared(request: Request, pk: int) -> tuple[models.Export, models.Export]:
    since = filtered(request, serializers.Since)["since"]
    return export_for(request, pk), export_for(request, since)


def export_for(request: Request, pk: int) -> models.Export:
    return permissions.fetched(selectors.exports(), request.user, "export.view", pk=pk)
