"""Shapes of the API about the randomisation of a patient."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from trials.models import Allocation as Row
from trials.services import allocations


class Allocation(serializers.ModelSerializer):
    sequence = serializers.SerializerMethodField(
        help_text="Identifier of the sequence; null where you may not see it."
    )
    periods = serializers.SerializerMethodField(
        help_text="Planned scans in their order; empty where you may not see it."
    )
    is_concealed = serializers.SerializerMethodField()

    class Meta:
        model = Row
        fields = ["id", "allocated_at", "is_concealed", "sequence", "periods"]

    def get_sequence(self, row: Row) -> str | None:
        return self._seen(row).get("identifier")

    def get_periods(self, row: Row) -> list[str]:
        return self._seen(row).get("periods", [])

    def get_is_concealed(self, row: Row) -> bool:
        return allocations.is_concealed(row)

    def _seen(self, row: Row) -> dict[str, Any]:
        is_seen = allocations.may_see(row, self.context["request"].user)
        return allocations.sequence_of(row) if is_seen else {}
