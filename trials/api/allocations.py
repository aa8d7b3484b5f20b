"""Shapes of the API about the randomisation of a patient."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from trials.models import Allocation as Row
from trials.selectors import strata
from trials.services import allocations


class Stratum(serializers.Serializer):
    """A part of the stratum as it was at the allocation, and as the record has it now."""

    name = serializers.CharField(help_text="`site`, or the variable.")
    stratified_as = serializers.CharField(source="part.value")
    evidence = serializers.IntegerField(
        source="part.evidence", default=None, allow_null=True, help_text="null for a site."
    )
    observed_at = serializers.CharField(source="part.observed_at", default=None, allow_null=True)
    now = serializers.CharField(allow_null=True, help_text="null where nothing is recorded.")
    now_evidence = serializers.IntegerField(allow_null=True)
    is_otherwise = serializers.BooleanField(
        help_text="Corrected since: the patient is mis-stratified, and stays where they are."
    )


class Allocation(serializers.ModelSerializer):
    sequence = serializers.SerializerMethodField(
        help_text="Identifier of the sequence; null where you may not see it."
    )
    periods = serializers.SerializerMethodField(
        help_text="Planned scans in their order; empty where you may not see it."
    )
    is_concealed = serializers.SerializerMethodField()
    strata = serializers.SerializerMethodField()

    class Meta:
        model = Row
        fields = ["id", "allocated_at", "is_concealed", "sequence", "periods", "strata"]

    def get_sequence(self, row: Row) -> str | None:
        return self._seen(row).get("identifier")

    def get_periods(self, row: Row) -> list[str]:
        return self._seen(row).get("periods", [])

    @extend_schema_field(Stratum(many=True))
    def get_strata(self, row: Row) -> list[dict[str, Any]]:
        return Stratum(strata.of_allocation(row), many=True).data

    def get_is_concealed(self, row: Row) -> bool:
        return allocations.is_concealed(row)

    def _seen(self, row: Row) -> dict[str, Any]:
        is_seen = allocations.may_see(row, self.context["request"].user)
        return allocations.sequence_of(row) if is_seen else {}
