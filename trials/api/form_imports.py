"""Shapes of the API about files of form values."""

from __future__ import annotations

import base64
import binascii

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from trials import import_layouts, models
from trials.api.fields import Line, Text
from trials.import_rows import DATE_ORDERS, LONGEST_MARK
from trials.services.form_imports import LONGEST_NAME, READING


class FormImport(serializers.ModelSerializer):
    """A file that was sent, how it is read, and what it does in numbers."""

    trial = serializers.CharField(source="trial.identifier")
    sent_by = serializers.StringRelatedField()
    confirmed_by = serializers.StringRelatedField()
    counts = serializers.DictField(child=serializers.IntegerField())

    class Meta:
        model = models.FormImport
        fields = [
            "id",
            "trial",
            "form",
            "source",
            "import_id",
            "file_name",
            "file_sha256",
            "reading",
            "state",
            "counts",
            "plan_sha256",
            "message",
            "reason",
            "sent_by",
            "sent_at",
            "confirmed_by",
            "entered_at",
        ]


class ColumnError(serializers.Serializer):
    column = serializers.CharField(help_text="Empty: the whole row.")
    message = serializers.CharField()


class ItemChange(serializers.Serializer):
    item = serializers.CharField()
    label = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()
    is_verified = serializers.BooleanField(default=False)


class PlannedRow(serializers.Serializer):
    """What a row of the file would do: new, changed, equal, or refused with its errors."""

    line = serializers.IntegerField()
    patient = serializers.CharField()
    visit = serializers.CharField()
    repeat = serializers.CharField()
    act = serializers.CharField()
    is_signed = serializers.BooleanField(
        default=False, help_text="A signature falls and is to be renewed."
    )
    entry = serializers.IntegerField(default=None)
    changes = ItemChange(many=True, default=[])
    errors = ColumnError(many=True, default=[])


class PlannedImport(FormImport):
    notes = serializers.SerializerMethodField()
    rows = serializers.SerializerMethodField()

    class Meta(FormImport.Meta):
        fields = [*FormImport.Meta.fields, "notes", "rows"]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_notes(self, row: models.FormImport) -> list[str]:
        return row.plan.get("notes", [])

    @extend_schema_field(PlannedRow(many=True))
    def get_rows(self, row: models.FormImport) -> list[dict]:
        return [dict(PlannedRow(one).data) for one in row.plan.get("rows", ())]


class Base64Field(serializers.CharField):
    """Bytes as base64."""

    def to_internal_value(self, data: object) -> bytes:
        try:
            return base64.b64decode(super().to_internal_value(data), validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("Send the file's bytes as base64.") from None


class SendFormImport(serializers.Serializer):
    trial = Line(max_length=40)
    form = Line(max_length=30)
    file_name = Line(max_length=200)
    content = Base64Field(help_text="The file's bytes as base64.")
    source = Line(max_length=LONGEST_NAME, help_text="Where it comes from.")
    import_id = Line(max_length=LONGEST_NAME, help_text="What the source calls it; entered once.")
    layout = serializers.ChoiceField(choices=list(import_layouts.KINDS), default=READING["layout"])
    patient_column = Line(max_length=100, default="", allow_blank=True)
    visits = Text(default="", allow_blank=True, help_text="As visit_1_arm_1=PET1.")
    date_order = serializers.ChoiceField(choices=list(DATE_ORDERS), default=READING["date_order"])
    decimal_comma = serializers.BooleanField(default=READING["decimal_comma"])
    missing = Text(default="", allow_blank=True, help_text="As -99=NK, -98=ND: not done.")
    emptied = Line(
        max_length=LONGEST_MARK,
        default="",
        allow_blank=True,
        help_text="What a cell says that empties an answer, as <empty>; without it no file does.",
    )


class ConfirmFormImport(serializers.Serializer):
    digest = Line(max_length=64, help_text="`plan_sha256` of what was looked at.")
    reason = Line(
        max_length=300, default="", allow_blank=True, help_text="Needed where values change."
    )
