"""Exports over the API: order, look, download."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from reporting import models, selectors
from reporting.api import serializers
from reporting.services import (
    dataset_rows,
    deliveries,
    exports,
    increments,
    opening,
    rebuilds,
    unblinding,
)
from reporting.views.delivery import answered
from reporting.views.exports import differences_as_file
from trials import permissions
from trials.api.authentication import ExportAuthentication
from trials.api.base import Endpoint, asked, filtered, operation
from trials.models import Trial

JSON = "application/json"
CONDITIONS = [
    OpenApiParameter(name, location=OpenApiParameter.HEADER, description=said)
    for name, said in (
        ("Range", "`bytes=first-last`, one range."),
        ("If-Range", "The ETag of what the range goes on with; of another the whole is sent."),
        ("If-None-Match", "ETags of what is held already."),
    )
]


class ExportEndpoint(Endpoint):
    """An address of exports, open to tokens that do nothing but read them."""

    authentication_classes = [ExportAuthentication, SessionAuthentication]


class Exports(ExportEndpoint):
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
            trial,
            reason=given["reason"],
            by=request.user,
            formats=given["formats"],
            privacy=given["privacy"],
            unblinding_reason=given["unblinding_reason"],
            cut_off=given["cut_off"],
            at_event=given["at_event"],
            at_moment=given["at_moment"],
        )
        row = selectors.exports().get(pk=ordered.pk)
        return self.show(row, serializers.Export, status=201)


class ExportsWaiting(Endpoint):
    @operation("listExportsWaiting", tag="exports", answers=serializers.Export(many=True))
    def get(self, request: Request) -> Response:
        """Unblinded exports that wait for a second person, the longest waiting first."""
        rows = permissions.listed(selectors.exports(), request.user, "export.unblind")
        return self.page(selectors.waiting(rows), serializers.Export)


class Decision(Endpoint):
    @operation(
        "decideUnblinding",
        tag="exports",
        asks=serializers.DecideUnblinding,
        answers=serializers.Export,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Agree that an unblinded export is made, or decline it; never of one's own order."""
        row = permissions.fetched(selectors.exports(), request.user, "export.unblind", pk=pk)
        given = asked(request, serializers.DecideUnblinding)
        act = unblinding.approve if given["decision"] == "approve" else unblinding.decline
        act(row, reason=given["reason"], by=request.user)
        return self.show(selectors.exports().get(pk=pk), serializers.Export)


class OneExport(ExportEndpoint):
    @operation("getExport", tag="exports", answers=serializers.Export)
    def get(self, request: Request, pk: int) -> Response:
        """One export: how far it is, and its manifest."""
        return self.show(export_for(request, pk), serializers.Export)


class CancelExport(ExportEndpoint):
    @operation("cancelExport", tag="exports", answers=serializers.Export)
    def post(self, request: Request, pk: int) -> Response:
        """Call off an export that is not frozen yet; its worker stops at the next batch of rows."""
        return _acted(self, request, pk, exports.cancel)


class ResumeExport(ExportEndpoint):
    @operation("resumeExport", tag="exports", answers=serializers.Export)
    def post(self, request: Request, pk: int) -> Response:
        """Begin a cancelled or failed export again, of a new instant."""
        return _acted(self, request, pk, exports.resume)


def _acted(endpoint: Endpoint, request: Request, pk: int, act: Callable[..., object]) -> Response:
    row = permissions.fetched(selectors.exports(), request.user, "export.create", pk=pk)
    act(row, by=request.user)
    return endpoint.show(selectors.exports().get(pk=row.pk), serializers.Export)


def _file(name: str, *kinds: str, parameters: Sequence = ()):
    """What the API's description says of a file, and of a part of it."""
    binary = {(200, kind): OpenApiTypes.BINARY for kind in kinds}
    parts = {206: OpenApiResponse(description="The bytes that Range asks for.")}
    return extend_schema(
        operation_id=name,
        tags=["exports"],
        parameters=[*CONDITIONS, *parameters],
        responses={
            **binary,
            **parts,
            304: OpenApiResponse(description="It is what If-None-Match names."),
            412: OpenApiResponse(description="It is not what If-Match names."),
            416: OpenApiResponse(description="Range begins behind its end."),
        },
    )


class Deliveries(ExportEndpoint):
    """Addresses of files: whatever Accept says, a file is what it is."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple:  # noqa: ARG002  DRF's signature
        return self.get_renderers()[0], JSON


class Download(Deliveries):
    @_file("downloadExport", "application/zip")
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        """The files of a frozen export, zipped; 409 as long as it is not frozen."""
        return answered(request, deliveries.whole(export_for(request, pk), by=request.user))


class OneFile(Deliveries):
    @_file("downloadExportFile", "application/octet-stream")
    def get(self, request: Request, pk: int, path: str) -> HttpResponseBase:
        """One file of a frozen export, by its path in the manifest; its SHA-256 is its ETag."""
        return answered(request, deliveries.one(export_for(request, pk), path, by=request.user))


class Signature(Deliveries):
    @_file("downloadExportSignature", "application/octet-stream")
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        """The detached Ed25519 signature of SHA256SUMS; 409 when the export is not signed."""
        return answered(request, deliveries.signature(export_for(request, pk), by=request.user))


class Datasets(ExportEndpoint):
    @operation("listExportDatasets", tag="exports", answers=serializers.Dataset(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The datasets of a frozen export, each with its columns as they were frozen."""
        row = export_for(request, pk)
        found = dataset_rows.datasets(row, by=request.user).values()
        counts = {file["path"]: file["rows"] for file in row.manifest["files"]}
        context = {"counts": counts}
        return Response(serializers.Dataset(found, many=True, context=context).data)


class OneDataset(Deliveries):
    @_file(
        "getExportDataset",
        "text/csv",
        "application/vnd.apache.parquet",
        "application/json",
        "application/x-ndjson",
        parameters=[
            OpenApiParameter("columns", description="Names with commas between; all if none."),
            OpenApiParameter("format", enum=list(dataset_rows.FORMATS), default="csv"),
            OpenApiParameter(
                "where",
                {"type": "object", "additionalProperties": {"type": "string"}},
                style="form",
                explode=True,
                description="Any column by its name, with a value that rows must have; of several "
                "values of a column one is enough, and an empty one is a missing value.",
            ),
        ],
    )
    def get(self, request: Request, pk: int, name: str) -> HttpResponseBase:
        """Rows of a dataset of a frozen export; an unknown column or filter is refused by name."""
        asked = dict(request.query_params.lists())
        columns = ",".join(asked.pop("columns", []))
        *_, format = asked.pop("format", [dataset_rows.FORMATS[0]])
        found = dataset_rows.chosen(
            export_for(request, pk),
            name,
            columns=[one.strip() for one in columns.split(",") if one.strip()],
            filters=asked,
            format=format,
            by=request.user,
        )
        return answered(request, found)


class Rebuilds(ExportEndpoint):
    @operation("listExportRebuilds", tag="exports", answers=serializers.Rebuild(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """What came of each time the export was made once more, the newest first."""
        return self.page(selectors.rebuilds(export_for(request, pk)), serializers.Rebuild)

    @operation("rebuildExport", tag="exports", answers=serializers.Rebuild, status=201)
    def post(self, request: Request, pk: int) -> Response:
        """Make a frozen export once more from the audit trail; look until it is done or failed."""
        row = permissions.fetched(selectors.exports(), request.user, "export.create", pk=pk)
        ordered = rebuilds.request(row, by=request.user)
        return self.show(
            selectors.rebuilds(row).get(pk=ordered.pk), serializers.Rebuild, status=201
        )


class Differences(ExportEndpoint):
    @operation(
        "getExportDifferences",
        tag="exports",
        answers=serializers.DatasetDifference(many=True),
        filters=serializers.Since,
    )
    def get(self, request: Request, pk: int) -> Response:
        """The datasets that differ from an earlier export of the trial, and how much."""
        found = opening.differences(*_compared(request, pk), by=request.user)
        return Response(serializers.DatasetDifference(found, many=True).data)


class DifferencesFile(ExportEndpoint):
    @extend_schema(
        operation_id="downloadExportDifferences",
        tags=["exports"],
        parameters=[serializers.Since],
        responses={(200, "text/csv"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Every row and value that differs; both exports count as downloaded."""
        newer, older = _compared(request, pk)
        content = opening.differences_file(newer, older, by=request.user)
        return differences_as_file(newer, older, content)


class Changes(ExportEndpoint):
    @operation(
        "getExportChanges",
        tag="exports",
        answers=serializers.DatasetChanges(many=True),
        filters=serializers.Since,
    )
    def get(self, request: Request, pk: int) -> Response:
        """The datasets that changed since an earlier export of the trial; the files have rows."""
        found = increments.since(*_compared(request, pk), by=request.user)
        return Response(serializers.DatasetChanges(found, many=True).data)


class ChangesOfDataset(Deliveries):
    @extend_schema(
        operation_id="downloadExportChangesOfDataset",
        tags=["exports"],
        parameters=[serializers.Since],
        responses={(200, "text/csv"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int, name: str) -> HttpResponse:
        """Rows added and changed since an earlier export, and tombstones; a header if none."""
        newer, older = _compared(request, pk)
        content = increments.one_file(newer, older, name, by=request.user)
        return differences_as_file(newer, older, content, f"-{name}.csv")


class ChangesFile(Deliveries):
    @extend_schema(
        operation_id="downloadExportChanges",
        tags=["exports"],
        parameters=[serializers.Since],
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """All that makes this export of an earlier one, zipped; both count as downloaded."""
        newer, older = _compared(request, pk)
        content = increments.all_files(newer, older, by=request.user)
        return differences_as_file(newer, older, content, ".zip")


def _compared(request: Request, pk: int) -> tuple[models.Export, models.Export]:
    since = filtered(request, serializers.Since)["since"]
    return export_for(request, pk), export_for(request, since)


def export_for(request: Request, pk: int) -> models.Export:
    return permissions.fetched(selectors.exports(), request.user, "export.view", pk=pk)
