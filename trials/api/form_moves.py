"""Shapes of the API about forms that move to a newer version of the protocol."""

from __future__ import annotations

from rest_framework import serializers

from trials import models
from trials.api.fields import Line


class ItemMove(serializers.Serializer):
    """What becomes of one item; new ones have no name before, dropped ones none after."""

    kind = serializers.CharField(
        help_text="carried, renamed, converted, computed, added, dropped, code_gone or refused"
    )
    before = serializers.CharField()
    after = serializers.CharField()
    label = serializers.CharField()
    sentence = serializers.CharField()
    needs_renewal = serializers.BooleanField()


class PlannedMove(serializers.Serializer):
    """What becomes of one form that was filled in; `stays` says why it does not move."""

    entry = serializers.IntegerField(source="entry.pk")
    patient = serializers.IntegerField(source="entry.patient_id")
    label = serializers.CharField()
    visit = serializers.CharField(source="entry.visit")
    repeat = serializers.IntegerField(source="entry.repeat")
    from_version = serializers.CharField(source="entry.version.label")
    stays = serializers.CharField(help_text="Empty where it moves.")
    moves = ItemMove(many=True)
    marks_to_renew = serializers.ListField(child=serializers.CharField())
    is_signature_to_renew = serializers.BooleanField()


class MovePlan(serializers.Serializer):
    """What would become of every form of a site, and the digest that lets exactly that happen."""

    digest = serializers.CharField()
    entries = PlannedMove(many=True)


class MoveForms(serializers.Serializer):
    digest = Line(max_length=64, help_text="Of the plan that was looked at.")
    reason = Line(max_length=400)


class FormMove(serializers.ModelSerializer):
    from_version = serializers.CharField(source="from_version.label")
    to_version = serializers.CharField(source="to_version.label")
    moved_by = serializers.StringRelatedField()
    outcome = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="By item: what became of it, its name before, its name after.",
    )

    class Meta:
        model = models.FormMove
        fields = [
            "id",
            "entry",
            "from_version",
            "to_version",
            "outcome",
            "reason",
            "moved_by",
            "moved_at",
        ]
