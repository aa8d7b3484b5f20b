"""Shapes of the API about the truth panel. Nothing of a scan stands in any of them."""

from __future__ import annotations

from rest_framework import serializers

from trials import models
from trials.api.form_entries import AskedForm


class PanelPatient(serializers.ModelSerializer):
    """A patient whose truth is decided, and how far the panel is."""

    trial = serializers.CharField(source="trial.identifier")
    patient = serializers.CharField(source="__str__")
    begun = serializers.IntegerField()
    decided = serializers.IntegerField()
    unblinded_at = serializers.DateTimeField(source="panel_unblinding.unblinded_at", default=None)

    class Meta:
        model = models.Patient
        fields = ["id", "trial", "patient", "begun", "decided", "unblinded_at"]


class ShownItem(serializers.Serializer):
    label = serializers.CharField()
    value = serializers.CharField(help_text="In words, with its unit.")
    rule = serializers.CharField(help_text="How it is computed; empty where it is entered.")


class ReferenceForm(serializers.Serializer):
    """A completed form of the reference standard."""

    label = serializers.CharField()
    visit = serializers.CharField()
    repeat = serializers.IntegerField(allow_null=True)
    items = ShownItem(many=True)


class PanelDecision(serializers.Serializer):
    """What the panel decided in one form, and who signed it as it stands."""

    entry = serializers.IntegerField(source="entry.pk")
    label = serializers.CharField()
    signed_by = serializers.ListField(child=serializers.CharField())


class PanelUnblinding(serializers.ModelSerializer):
    unblinded_by = serializers.StringRelatedField()

    class Meta:
        model = models.PanelUnblinding
        fields = ["patient", "reason", "unblinded_by", "unblinded_at"]


class PanelCase(serializers.Serializer):
    """Everything the panel is shown of a patient."""

    evidence = ReferenceForm(many=True)
    forms = AskedForm(source="lines", many=True)
    decisions = PanelDecision(many=True)
    members = serializers.IntegerField(help_text="Who hold the role today; each signs.")
    unblinding = PanelUnblinding(allow_null=True)
