"""Reports of a trial over the API: which there are, and one of them as data."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from reporting.api.views import export_for
from reporting.reports.content import Figure, Table, data_columns, data_rows
from reporting.services import reports as services
from reporting.views.reports import made_for, trial_for
from trials.api.base import Endpoint, operation


class ListedReport(serializers.Serializer):
    """A report, whether the caller may see it and whether it has data."""

    name = serializers.CharField(source="report.name")
    title = serializers.CharField(source="report.title")
    question = serializers.CharField(source="report.question")
    is_open = serializers.BooleanField()
    has_data = serializers.BooleanField()
    why = serializers.CharField(help_text="Why it is held back or has no data.")
    export = serializers.IntegerField(
        source="export.pk",
        default=None,
        allow_null=True,
        help_text="An unblinded export that gives what is held back otherwise.",
    )


class LeftOut(serializers.Serializer):
    reason = serializers.CharField()
    count = serializers.IntegerField()


class ReportPart(serializers.Serializer):
    """A table with its rows in full numbers, or a figure with its words."""

    kind = serializers.ChoiceField(["table", "figure"])
    title = serializers.CharField()
    n = serializers.IntegerField()
    of = serializers.CharField(help_text="What n counts.")
    missing = serializers.SerializerMethodField()
    notes = serializers.ListField(child=serializers.CharField())
    columns = serializers.SerializerMethodField()
    rows = serializers.SerializerMethodField()
    alternative = serializers.SerializerMethodField(help_text="Of a figure, in words.")

    @extend_schema_field(LeftOut(many=True))
    def get_missing(self, part: Table | Figure) -> list[dict]:
        return [{"reason": reason, "count": count} for reason, count in part.missing]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_columns(self, part: Table | Figure) -> list[str]:
        return data_columns(part) if isinstance(part, Table) else []

    @extend_schema_field(serializers.ListField(child=serializers.ListField()))
    def get_rows(self, part: Table | Figure) -> list[list[Any]]:
        return list(data_rows(part)) if isinstance(part, Table) else []

    def get_alternative(self, part: Table | Figure) -> str:
        return part.alternative if isinstance(part, Figure) else ""


class TrialReport(serializers.Serializer):
    """A report as it came out, of which rows and of which moment."""

    name = serializers.CharField(source="report.name")
    title = serializers.CharField(source="report.title")
    trial = serializers.CharField(source="trial.identifier")
    as_of = serializers.DateTimeField()
    source = serializers.CharField()
    software = serializers.SerializerMethodField()
    why_empty = serializers.CharField(source="content.why_empty")
    parts = ReportPart(source="content.parts", many=True)

    def get_software(self, made: services.Made) -> dict[str, str]:
        return dict(made.software)


class TrialReports(Endpoint):
    @operation("listReports", tag="reports", answers=ListedReport(many=True))
    def get(self, request: Request, identifier: str) -> Response:
        """Which reports a trial has, which have data, and why not."""
        rows = services.listed(trial_for(request.user, identifier), by=request.user)
        return Response(ListedReport(rows, many=True).data)


class ReportsOfExport(Endpoint):
    @operation("listExportReports", tag="reports", answers=ListedReport(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """Which reports a frozen export gives, and why it refuses the others."""
        rows = services.of_export(export_for(request, pk), by=request.user)
        return Response(ListedReport(rows, many=True).data)


class OneReport(Endpoint):
    @operation("getReport", tag="reports", answers=TrialReport)
    def get(self, request: Request, identifier: str, name: str) -> Response:
        """A report as data; `?export=` names a frozen export, without it rows are of now."""
        made = made_for(request, identifier, name)
        response = self.show(made, TrialReport)
        content = JSONRenderer().render(response.data)
        services.hand_out(made, "json", content, by=request.user)
        return response
