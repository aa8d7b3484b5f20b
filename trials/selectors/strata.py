"""The strata of an allocation beside what the record says of them now."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from trials import stratification
from trials.models import Allocation, Evidence
from trials.stratification import Standing


def of_allocation(allocation: Allocation) -> list[Standing]:
    """Each part of the stratum with its source and its value of today; one query."""
    patient = allocation.patient
    names = [one["variable"] for one in allocation.strata if one["by"] == "evidence"]
    standing = Evidence.objects.filter(patient=patient, superseded_by=None, is_void=False)
    recorded = standing.filter(variable__in=names)
    return stratification.standings(
        allocation.strata,
        recorded.values("pk", "variable", "value", "observed_at"),
        site=patient.site.code,
        allocated_at=allocation.allocated_at,
        zone=ZoneInfo(patient.site.time_zone),
    )
