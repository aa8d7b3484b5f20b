"""Normal-organ uptake over the API."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from imaging.models import ReferenceRegion
from imaging.selectors import organs
from trials.api.base import Endpoint, filtered, operation
from trials.api.fields import Line


class UptakeOfScan(serializers.Serializer):
    """One sphere on one scan; the address of its derivation is made from `region`."""

    region = serializers.IntegerField(source="pk")
    patient = serializers.SerializerMethodField()
    scan = serializers.SerializerMethodField()
    suvmean = serializers.FloatField(help_text="g/mL")
    suvmax = serializers.FloatField(allow_null=True, help_text="g/mL")
    suvpeak = serializers.FloatField(allow_null=True, help_text="g/mL")
    volume_ml = serializers.FloatField(allow_null=True, help_text="Of the sphere.")
    uptake_minutes = serializers.FloatField(
        allow_null=True, help_text="From injection to the bed that shows the organ."
    )
    net_activity_mbq = serializers.SerializerMethodField()

    def get_patient(self, region: ReferenceRegion) -> str:
        return organs.scan_of(region).patient.identifier

    def get_scan(self, region: ReferenceRegion) -> int:
        return organs.scan_of(region).pk

    def get_net_activity_mbq(self, region: ReferenceRegion) -> float | None:
        return organs.net_activity_mbq(region)


class Summary(serializers.Serializer):
    """Of SUVmean over the scans, g/mL."""

    n = serializers.IntegerField()
    mean = serializers.FloatField()
    sd = serializers.FloatField(allow_null=True, help_text="Of a sample; null of one scan.")
    median = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class Organ(serializers.Serializer):
    kind = serializers.CharField()
    patients = serializers.IntegerField()
    suvmean = Summary(source="found")
    scans = UptakeOfScan(many=True, source="rows")


class OrganTable(serializers.Serializer):
    trial = serializers.CharField(source="trial.identifier")
    planned_scan = serializers.CharField(source="planned.identifier")
    tracer = serializers.CharField(source="planned.tracer.name")
    organs = Organ(many=True)


class OrganFilter(serializers.Serializer):
    trial = Line(max_length=40, required=False, help_text="Identifier of one trial.")


class OrganUptake(Endpoint):
    @operation("listOrganUptake", tag="images", answers=OrganTable(many=True), filters=OrganFilter)
    def get(self, request: Request) -> Response:
        """Normal-organ uptake by planned scan: the scans behind it, mean, SD, median, range."""
        rows = organs.listed(request.user)
        if trial := filtered(request, OrganFilter).get("trial"):
            rows = rows.filter(
                quantification__series__imaging_study__scheduled_scan__patient__trial__identifier=trial
            )
        return Response(OrganTable(organs.tables(rows), many=True).data)
