"""Shapes of the API about tracer accountability."""

from __future__ import annotations

from rest_framework import serializers

from trials import accountability
from trials.api.fields import Key, Line, Moment, Text
from trials.models import AccountabilityReview, TracerMovement


class Movement(serializers.ModelSerializer):
    class Meta:
        model = TracerMovement
        fields = [
            "id",
            "kind",
            "tracer",
            "batch",
            "doses",
            "activity_mbq",
            "happened_at",
            "reference",
            "undone_because",
        ]


class RecordMovement(serializers.Serializer):
    kind = serializers.ChoiceField(choices=TracerMovement.Kind.choices)
    tracer = Line(max_length=40, default="", allow_blank=True, help_text="Of an order.")
    batch = Key(allow_null=True, default=None, help_text="Of every act but an order.")
    doses = serializers.IntegerField(
        min_value=1,
        max_value=accountability.MOST_DOSES,
        help_text="Patient doses: a syringe is one, a vial as many as are drawn from it.",
    )
    activity_mbq = serializers.FloatField(
        allow_null=True,
        default=None,
        min_value=0,
        max_value=accountability.MOST_MBQ,
        help_text="MBq at that time; null is not assayed.",
    )
    happened_at = Moment()
    reference = Line(max_length=200, default="", allow_blank=True)


class Review(serializers.ModelSerializer):
    signer_name = serializers.CharField(source="reviewed_by.__str__")

    class Meta:
        model = AccountabilityReview
        fields = ["id", "tracer", "remark", "balance", "sha256", "signer_name", "reviewed_at"]


class Reviewed(serializers.Serializer):
    tracer = serializers.CharField()
    sha256 = serializers.CharField(
        source="now.sha256", help_text="Of balance and movements now: sign what was looked at."
    )
    balance = serializers.JSONField(source="now.balance")
    movements = serializers.JSONField(
        source="now.movements",
        help_text="Each as number, act, doses, batch, MBq, time, reference, why taken back.",
    )
    review = Review(allow_null=True, help_text="The newest one.")
    since = serializers.CharField(
        allow_blank=True, help_text="What overtook it, in words; empty: it stands."
    )
    stands = serializers.BooleanField()


class SignReview(serializers.Serializer):
    tracer = Line(max_length=40)
    seen = Line(max_length=64, help_text="sha256 of what was looked at.")
    remark = Text(default="", allow_blank=True)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class Balance(serializers.Serializer):
    tracer = serializers.CharField()
    batch = serializers.CharField(
        source="batch.number", default=None, allow_null=True, help_text="null: all batches."
    )
    ordered = serializers.IntegerField(source="balance.by_kind.ordered")
    received = serializers.IntegerField(source="balance.by_kind.received")
    dispensed = serializers.IntegerField(source="balance.by_kind.dispensed")
    returned = serializers.IntegerField(source="balance.by_kind.returned")
    destroyed = serializers.IntegerField(source="balance.by_kind.destroyed")
    on_hand = serializers.IntegerField(source="balance.on_hand")
    activity_mbq = serializers.FloatField(
        source="balance.activity_mbq", allow_null=True, help_text="MBq now; null is not known."
    )
    injections = serializers.IntegerField()
