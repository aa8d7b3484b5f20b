"""Shapes of the API about the effective dose of a patient."""

from __future__ import annotations

from rest_framework import serializers


class Irradiation(serializers.Serializer):
    dlp_mgy_cm = serializers.FloatField(allow_null=True, help_text="mGy cm, by the dose report.")
    region = serializers.CharField(allow_null=True)


class Proposed(serializers.Serializer):
    dlp_mgy_cm = serializers.FloatField(help_text="mGy cm; never added up by itself.")
    basis = serializers.ChoiceField(
        choices=["report", "estimate"],
        help_text="The scanner's dose report, or CTDIvol times the length of the CT.",
    )
    explanation = serializers.CharField()
    region = serializers.CharField(allow_blank=True, help_text="As the dose report says.")


class ScanDose(serializers.Serializer):
    scan = serializers.IntegerField(source="scan.pk")
    label = serializers.CharField(source="exposure.label")
    net_activity_mbq = serializers.FloatField(source="exposure.net_activity_mbq", allow_null=True)
    is_upper_bound = serializers.BooleanField(
        source="exposure.is_upper_bound", help_text="The residual activity was not measured."
    )
    msv_per_mbq = serializers.FloatField(source="exposure.msv_per_mbq", allow_null=True)
    is_coefficient_proposed = serializers.BooleanField(source="exposure.is_proposed")
    coefficient_source = serializers.ListField(child=serializers.CharField())
    irradiations = Irradiation(source="exposure.irradiations", many=True)
    proposed = Proposed(source="exposure.proposed", allow_null=True)
    why_not_proposed = serializers.CharField(allow_blank=True)
    comparison = serializers.ChoiceField(
        choices=["agrees", "differs", ""],
        help_text="How the recorded dose-length product stands to the proposed one.",
    )
    tracer_msv = serializers.FloatField(
        source="dose.tracer_msv", allow_null=True, help_text="null is not known, never zero."
    )
    ct_msv = serializers.FloatField(source="dose.ct_msv", allow_null=True)
    total_msv = serializers.FloatField(source="dose.total_msv", allow_null=True)
    gaps = serializers.ListField(source="dose.gaps", child=serializers.CharField())


class PatientDose(serializers.Serializer):
    scans = ScanDose(many=True)
    known_msv = serializers.FloatField(
        source="together.known_msv", help_text="A lower bound unless is_complete."
    )
    is_complete = serializers.BooleanField(source="together.is_complete")
    limit_msv = serializers.FloatField(
        source="together.limit_msv", allow_null=True, help_text="As far as a source states it."
    )
    standing = serializers.ChoiceField(
        source="together.standing", choices=["within", "outside", "not checkable"]
    )
