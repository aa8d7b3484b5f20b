"""Shapes of the API about case report forms."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from trials import models
from trials.api.conduct import Password
from trials.api.fields import CleanJSONField, Key, Line
from trials.api.serializers import Reason
from trials.selectors.form_entries import Line as Asked
from trials.services import form_entries

VALUES = (
    "By item: a number, a text, true or false, a list of codes; or an object with `missing` (ND, "
    "NK, NA, RF) and `reason`."
)
REVISION = "Of what was looked at: another one is refused, with what stands now."


class FormItemValue(serializers.Serializer):
    """One item of a form: what stands, and what was said of it."""

    id = serializers.IntegerField(source="row.pk", default=None)
    item = serializers.CharField(source="item.identifier")
    label = serializers.CharField(source="item.label")
    value = serializers.JSONField(source="row.value", default=None)
    missing = serializers.CharField(source="row.missing", default="")
    reason = serializers.CharField(source="row.reason", default="")
    unit = serializers.CharField(source="item.unit")
    shown = serializers.CharField()
    rule = serializers.CharField(help_text="How it is computed; empty where it is entered.")
    digest = serializers.CharField()
    is_asked = serializers.BooleanField()
    is_verified = serializers.BooleanField()
    queries = serializers.SerializerMethodField()

    def get_queries(self, one: Any) -> list[int]:
        return [query.pk for query in one.queries]


class FormEntry(serializers.ModelSerializer):
    begun_by = serializers.StringRelatedField()
    completed_by = serializers.StringRelatedField()
    protocol_version = serializers.CharField(source="version.label")

    class Meta:
        model = models.FormEntry
        fields = [
            "id",
            "patient",
            "form",
            "visit",
            "repeat",
            "protocol_version",
            "state",
            "revision",
            "undone_because",
            "report_due_at",
            "begun_by",
            "begun_at",
            "completed_by",
            "completed_at",
        ]


class OpenedForm(serializers.Serializer):
    """A form with its values; a draft with what was typed instead, and the draft's revision."""

    entry = FormEntry()
    label = serializers.CharField(source="form.label")
    items = FormItemValue(source="fields", many=True)
    is_signed = serializers.BooleanField(source="is_signature_standing")
    draft = serializers.SerializerMethodField()
    draft_revision = serializers.IntegerField(source="entry.draft.revision")

    @extend_schema_field(serializers.DictField())
    def get_draft(self, one: Any) -> dict:
        return one.entry.draft.given if one.entry.state == models.FormEntry.State.DRAFT else {}


class AskedForm(serializers.Serializer):
    """A form that is asked of a patient at a visit, or at any time, and its entries."""

    form = serializers.CharField(source="form.identifier")
    label = serializers.CharField(source="form.label")
    visit = serializers.CharField()
    state = serializers.CharField()
    may_begin = serializers.BooleanField()
    is_doubtful = serializers.BooleanField()
    is_proposed = serializers.BooleanField(source="form.is_proposed")
    entries = serializers.SerializerMethodField()

    @extend_schema_field(FormEntry(many=True))
    def get_entries(self, line: Asked) -> list[dict]:
        return [dict(FormEntry(one.entry).data) for one in line.entries]


class BeginForm(serializers.Serializer):
    form = Line(max_length=30)
    visit = Line(max_length=20, default="", allow_blank=True)


class FillForm(serializers.Serializer):
    values = CleanJSONField(help_text=VALUES)
    revision = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text=REVISION)

    def validate_values(self, values: Any) -> dict:
        if not isinstance(values, dict) or len(values) > form_entries.MOST_ITEMS:
            raise serializers.ValidationError("Give an object: a value for each item.")
        return values


class CorrectForm(FillForm, Reason):
    """The items that change, and why; null empties one."""


class SignForm(Password):
    revision = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text=REVISION)


class SeenValue(serializers.Serializer):
    id = Key(help_text="Of the value.")
    digest = Line(max_length=64, help_text="Of what was compared.")


class VerifyForm(serializers.Serializer):
    values = serializers.ListField(child=SeenValue(), min_length=1, max_length=200)
    note = Line(max_length=200, default="", allow_blank=True)


class ImportedLine(serializers.ModelSerializer):
    """Where a value came from that was not typed."""

    file_sha256 = serializers.CharField(source="form_import.file_sha256")
    source = serializers.CharField(source="form_import.source")
    import_id = serializers.CharField(source="form_import.import_id")

    class Meta:
        model = models.ImportedLine
        fields = ["form_import", "number", "file_sha256", "source", "import_id"]


class PastValue(serializers.Serializer):
    """A value as it stood, with who entered it, when and why."""

    item = serializers.CharField()
    shown = serializers.CharField()
    by = serializers.CharField()
    at = serializers.DateTimeField()
    reason = serializers.CharField()
    imported_line = ImportedLine(source="line", allow_null=True)


class Saved(serializers.Serializer):
    revision = serializers.IntegerField()
    saved_at = serializers.DateTimeField()
