"""Shapes of the API about monitoring visits."""

from __future__ import annotations

from rest_framework import serializers

from trials.api.fields import Key, Line, Text
from trials.models import ActionItem, ActionItemTurn, MonitoringVisit


class VisitFilter(serializers.Serializer):
    site = Key(required=False)


class ItemTurn(serializers.ModelSerializer):
    author = serializers.StringRelatedField()

    class Meta:
        model = ActionItemTurn
        fields = ["state", "text", "author", "written_at"]


class Item(serializers.ModelSerializer):
    turns = ItemTurn(many=True)

    class Meta:
        model = ActionItem
        fields = ["id", "visit", "number", "text", "owner", "due_on", "state", "turns"]


class Visit(serializers.ModelSerializer):
    items = Item(many=True)
    recorded_by = serializers.StringRelatedField()

    class Meta:
        model = MonitoringVisit
        fields = [
            "id",
            "site",
            "kind",
            "held_on",
            "attendees",
            "summary",
            "findings",
            "version",
            "recorded_by",
            "recorded_at",
            "items",
        ]


class Report(serializers.Serializer):
    kind = serializers.ChoiceField(choices=MonitoringVisit.Kind.choices)
    held_on = serializers.DateField()
    attendees = Text(help_text="By name and function, one in a line; no patient.")
    summary = Text(max_length=20_000)
    findings = Text(max_length=20_000, allow_blank=True, default="")


class CorrectReport(Report):
    version = Key(help_text="The version that was looked at.")
    reason = Line(max_length=500)


class SignReport(serializers.Serializer):
    version = Key(help_text="The version that was looked at.")
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class Signed(serializers.Serializer):
    visit = serializers.IntegerField(source="subject_pk")
    signer_name = serializers.CharField()
    signed_at = serializers.DateTimeField()
    meaning = serializers.CharField(source="get_meaning_display")
    content_sha256 = serializers.CharField()


class RaiseItem(serializers.Serializer):
    text = Text()
    owner = Line(max_length=120)
    due_on = serializers.DateField()
