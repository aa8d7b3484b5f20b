"""Shapes of the API about what scan days rest on: batches, scanners, clocks."""

from __future__ import annotations

from rest_framework import serializers

from trials import accountability, models
from trials.api.fields import Key, Line, Moment
from trials.api.serializers import Reason

Rows = serializers.ModelSerializer


class Batch(Rows):
    class Meta:
        model = models.Batch
        fields = [
            "id",
            "tracer",
            "number",
            "calibration_activity_mbq",
            "calibrated_at",
            "expires_at",
            "released_at",
            "released_by",
            "certificate",
            *accountability.RELEASE_DATA,
        ]


class Measured(serializers.Serializer):
    """What a certificate of analysis says was measured; null where it says nothing."""

    volume_ml = serializers.FloatField(allow_null=True, required=False)
    substance_mass_ug = serializers.FloatField(
        allow_null=True, required=False, help_text="Of the peptide or other substance."
    )
    radiochemical_purity_percent = serializers.FloatField(allow_null=True, required=False)
    ph = serializers.FloatField(allow_null=True, required=False)
    germanium_breakthrough_percent = serializers.FloatField(allow_null=True, required=False)


class Certify(Measured, Reason):
    number = Line(max_length=60, required=False)
    calibration_activity_mbq = serializers.FloatField(required=False)
    calibrated_at = Moment(required=False)
    expires_at = Moment(required=False)
    released_at = Moment(required=False, help_text="Of a batch that is released.")
    released_by = Line(max_length=120, required=False)
    certificate = Line(
        max_length=200, required=False, allow_blank=True, help_text="The certificate, as filed."
    )


class Release(serializers.Serializer):
    released_at = Moment()
    released_by = Line(max_length=120, help_text="The qualified person.")


class RecordBatch(Measured):
    tracer = Line(max_length=40, help_text="Identifier of a tracer of the protocol.")
    number = Line(max_length=60)
    calibration_activity_mbq = serializers.FloatField(help_text="MBq at calibration.")
    calibrated_at = Moment()
    expires_at = Moment()
    certificate = Line(max_length=200, default="", allow_blank=True)
    released_at = Moment(allow_null=True, default=None)
    released_by = Line(max_length=120, default="", allow_blank=True)


class Check(Rows):
    factor = serializers.FloatField(
        allow_null=True, help_text="Scanner over dose calibrator; never applied to a number."
    )

    class Meta:
        model = models.ScannerCheck
        fields = ["id", "kind", "tracer", "factor", "valid_from", "valid_until", "reference"]


class Scanner(Rows):
    checks = Check(many=True)

    class Meta:
        model = models.Scanner
        fields = [
            "id",
            "name",
            "manufacturer",
            "model",
            "software",
            "serial_number",
            "station_name",
            "retired_on",
            "checks",
        ]


class RegisterScanner(serializers.Serializer):
    name = Line(max_length=60)
    manufacturer = Line(max_length=80)
    model = Line(max_length=80)
    software = Line(max_length=80, default="", allow_blank=True)
    serial_number = Line(max_length=80, default="", allow_blank=True)
    station_name = Line(max_length=40, default="", allow_blank=True)


class Retire(Reason):
    on = serializers.DateField()


class Qualify(serializers.Serializer):
    tracer = Line(max_length=40)
    valid_from = serializers.DateField()
    valid_until = serializers.DateField()
    reference = Line(max_length=200)


class CrossCalibrate(serializers.Serializer):
    factor = serializers.FloatField(help_text="Scanner over dose calibrator.")
    valid_from = serializers.DateField()
    valid_until = serializers.DateField()
    reference = Line(max_length=200)


class Clock(Rows):
    ahead_s = serializers.FloatField(help_text="Seconds ahead of the reference clock.")

    class Meta:
        model = models.ClockReading
        fields = ["id", "instrument", "scanner", "ahead_s", "read_at"]


class ReadClock(serializers.Serializer):
    instrument = serializers.ChoiceField(choices=models.ClockReading.Instrument.choices)
    scanner = Key(allow_null=True, default=None)
    ahead_s = serializers.FloatField(help_text="Seconds ahead; negative if behind.")
    read_at = Moment()
