"""What the truth panel is shown of a patient: the reference standard, and what it decided."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from trials import case_report_forms, item_computations, item_values
from trials.models import FormEntry, Membership, PanelUnblinding, Patient
from trials.roles import Role
from trials.selectors import form_entries
from trials.selectors.form_entries import Line
from trials.services import form_reviews

State = FormEntry.State


@dataclass(frozen=True)
class Shown:
    """An item of the evidence, and how it was computed if it was."""

    label: str
    value: str
    rule: str


@dataclass(frozen=True)
class Evidence:
    """A completed form of the reference standard."""

    label: str
    visit: str
    repeat: int | None
    items: tuple[Shown, ...]


@dataclass(frozen=True)
class Decision:
    """What the panel decided in one entry, with who signed it as it stands."""

    entry: FormEntry
    label: str
    signed_by: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A patient as the panel sees it."""

    evidence: list[Evidence]
    lines: list[Line]
    decisions: list[Decision]
    members: int
    unblinding: PanelUnblinding | None


def patients() -> QuerySet[Patient]:
    """Patients with how far the panel is with them."""
    of_panel = Q(form_entries__is_of_panel=True) & ~Q(form_entries__state=State.UNDONE)
    complete = of_panel & Q(form_entries__state=State.COMPLETE)
    return (
        Patient.objects.filter(
            state__in=[Patient.State.ENROLLED, Patient.State.WITHDRAWN],
            trial__versions__definition__forms__contains=[{"role": "panel"}],
        )
        .select_related("trial", "panel_unblinding")
        .annotate(
            begun=Count("form_entries", filter=of_panel, distinct=True),
            decided=Count("form_entries", filter=complete, distinct=True),
        )
        .order_by("trial__identifier", "identifier", "pk")
    )


def case_of(patient: Patient) -> Case:
    """Everything the panel is shown of a patient."""
    entries = list(
        FormEntry.objects.filter(patient=patient)
        .exclude(state=State.UNDONE)
        .select_related("version", "patient")
        .prefetch_related("values")
        .order_by("form", "visit", "repeat")
    )
    decided = [one for one in entries if one.is_of_panel and one.state == State.COMPLETE]
    return Case(
        evidence=_evidence(entries),
        lines=form_entries.lines_of(patient, is_of_panel=True),
        decisions=[_decision(one) for one in decided],
        members=_members(patient),
        unblinding=PanelUnblinding.objects.filter(patient=patient)
        .select_related("unblinded_by")
        .first(),
    )


def _evidence(entries: Collection[FormEntry]) -> list[Evidence]:
    found = []
    for entry in entries:
        form = case_report_forms.forms_of(entry.version.definition)[entry.form]
        if not form.is_reference or entry.state != State.COMPLETE:
            continue
        values = {row.item: row.entered for row in entry.values.all() if not row.is_empty}
        labels = case_report_forms.visit_labels(entry.version.definition)
        items = tuple(
            Shown(
                item.label,
                item_values.shown(item, values[item.identifier]),
                item_computations.words(form, item) if item.computed else "",
            )
            for item in form.items
            if item.identifier in values
        )
        repeat = entry.repeat if form.is_repeating else None
        found.append(Evidence(form.label, labels.get(entry.visit, ""), repeat, items))
    return found


def _decision(entry: FormEntry) -> Decision:
    form = case_report_forms.forms_of(entry.version.definition)[entry.form]
    label = f"{form.label} {entry.repeat}" if form.is_repeating else form.label
    names = tuple(one.signer_name for one in form_reviews.standing_signatures(entry))
    return Decision(entry, label, names)


def _members(patient: Patient) -> int:
    held = Membership.objects.current().filter(trial=patient.trial_id, role=Role.PANEL)
    return held.values("user").distinct().count()
