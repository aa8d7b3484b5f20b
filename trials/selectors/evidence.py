"""What is known of a patient, each value with the ones it replaced and why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from trials.models import AuditEvent, Consent, Evidence, Patient
from trials.variables import VARIABLES

# Acts that put one value in the place of another, each with its reason.
CORRECTING = (
    "evidence.corrected",
    "form.corrected",
    "form.imported",
    "form.moved",
    "form.undone",
    "visit.corrected",
    "visit.undone",
    "injection.corrected",
)


@dataclass
class Fact:
    """A recorded value, the reason it was corrected to, and the values it replaced."""

    evidence: Evidence
    label: str
    reason: str = ""
    earlier: list[Fact] = field(default_factory=list)


def facts_of(patient: Patient, **filters) -> list[Fact]:
    """Values in force in the order of their labels, with the earlier ones; two queries."""
    rows = patient.evidence.filter(**filters).select_related(
        "recorded_by", "scheduled_scan__planned_scan", "finding", "item_value"
    )
    reasons = reasons_of(patient, CORRECTING, Evidence)
    facts = {row.pk: Fact(row, label_of(row.variable), reasons.get(row.pk, "")) for row in rows}
    for fact in list(facts.values()):
        newer = fact
        while newer.evidence.superseded_by_id:
            newer = facts[newer.evidence.superseded_by_id]
        if newer is not fact:
            newer.earlier.insert(0, fact)
    in_force = [fact for fact in facts.values() if not fact.evidence.superseded_by_id]
    return sorted(in_force, key=lambda fact: (fact.label.lower(), fact.evidence.pk))


def reasons_of(
    patient: Patient, actions: Collection[str], model: type[Evidence | Consent]
) -> dict[int, str]:
    """Why rows of `model` came about by one of `actions`, as the trail has it."""
    events = AuditEvent.objects.filter(
        patient=patient.pk, table=model._meta.db_table, action__in=actions
    ).order_by("pk")
    # A correction writes the new row and then marks the old one: the new row's reason counts.
    written = events.filter(operation="I") if model is Evidence else events
    return {int(row): reason for row, reason in written.values_list("row", "reason")}


def label_of(variable: str) -> str:
    """What a variable is called; its name if it is no longer known."""
    known = VARIABLES.get(variable)
    return known.label if known else variable
