"""What complete forms say of a patient, as evidence that criteria are judged on.

The trial file names the items that give a variable, and what dates them: another item, or the day
of the visit. The mistake to fear is evidence that outlives its answer: each correction of the form,
and of the visit's day, tells it anew, and what says nothing any more is void for the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import JSONField, Q, Value

from trials import case_report_forms, item_evidence
from trials.case_report_forms import Form, Item
from trials.item_evidence import Saying
from trials.item_values import Entered, ItemError
from trials.models import (
    Evidence,
    FormEntry,
    Injection,
    ItemValue,
    Patient,
    ScheduledScan,
    User,
    VisitRecord,
)
from trials.rules import IMPLAUSIBLE
from trials.services import evidence, moments, queries
from trials.services.errors import Invalid

State = FormEntry.State
LONGEST_SOURCE = 200
UNDATABLE = "evidence-undatable"
CORRECTED = "The form says otherwise now."


class Undatable(Invalid):
    """Evidence that can't be of the day it is said to be of; `errors` says why, by item."""

    def __init__(self, errors: Mapping[str, ItemError]) -> None:
        self.errors = errors
        super().__init__("values", " ".join(one.message for one in errors.values()))


def tell(entry: FormEntry, form: Form, *, by: User, is_moved: bool = False) -> list[Evidence]:
    """Evidence of what an entry says now, in place of what it said. Inside the action of it.

    One that `is_moved` may have said something under the version that it left.
    """
    items = [one for one in form.items if one.evidence]
    if not items and not is_moved:
        return []
    standing = _standing(entry)
    rows = ItemValue.objects.filter(entry=entry, asked_version=None)
    by_item = {row.item: row for row in rows}
    entered = {name: row.entered for name, row in by_item.items()}
    is_of_visit = any(not item_evidence.dated_by(one) for one in items)
    visit_day = _day_of_visit(entry) if is_of_visit else ""
    told: list[Evidence] = []
    errors: dict[str, ItemError] = {}
    for item in items:
        row = by_item.get(item.identifier)
        if row is None:
            continue
        said = None if entry.state != State.COMPLETE else item_evidence.saying(item, row.entered)
        day = _day(item, by_item, visit_day)
        before = standing.pop(row.pk, None)
        try:
            found = (said, item_evidence.details(item, entered)) if said and day else None
            told += _told(entry, form, item, row, found, day, before, by)
        except Invalid as wrong:
            errors[item.identifier] = ItemError(wrong.code, wrong.message)
    if errors:
        raise Undatable(errors)
    told += [_void(one, by) for one in standing.values() if not one.is_void]
    return told


def tell_or_ask(
    entry: FormEntry, form: Form, *, by: User, is_moved: bool = False
) -> list[Evidence]:
    """The same where the form is not what is being done: it stops no injection, visit or move.

    What can't be of its day is void, and the site is asked about it.
    """
    try:
        with transaction.atomic():
            told = tell(entry, form, by=by, is_moved=is_moved)
    except Undatable as wrong:
        queries.raise_by_rule(entry, rule=UNDATABLE, text=f"No evidence of this form: {wrong}")
        return [_void(one, by) for one in _standing(entry).values() if not one.is_void]
    queries.settle_by_rule(entry, rule=UNDATABLE, text="The form gives its evidence now.")
    return told


def tell_visit(patient: Patient, visit: str, *, by: User) -> list[Evidence]:
    """The same of every complete form of a visit, whose day was recorded or became another."""
    entries = FormEntry.objects.filter(patient=patient, visit=visit, state=State.COMPLETE)
    told: list[Evidence] = []
    for entry in entries.select_related("version").prefetch_related("values"):
        entry.patient = patient
        form = case_report_forms.forms_of(entry.version.definition)[entry.form]
        if any(one.evidence and not item_evidence.dated_by(one) for one in form.items):
            told += tell_or_ask(entry, form, by=by)
    return told


def tell_scan(scan: ScheduledScan, *, by: User) -> None:
    """The same of the visit of a scan: when its tracer was given is the day of the visit."""
    if scan.planned_scan.visit:
        tell_visit(scan.patient, scan.planned_scan.visit.identifier, by=by)


def _standing(entry: FormEntry) -> dict[int | None, Evidence]:
    """What was said last of each value, void rows among them."""
    rows = Evidence.objects.filter(item_value__entry=entry, superseded_by=None).order_by("pk")
    return {one.item_value_id: one for one in rows}


def _told(
    entry: FormEntry,
    form: Form,
    item: Item,
    row: ItemValue,
    found: tuple[Saying, dict[str, Any]] | None,
    day: str,
    before: Evidence | None,
    by: User,
) -> list[Evidence]:
    """A new row, unless what stands says the same."""
    if found is None:
        return [_void(before, by)] if before and not before.is_void else []
    said, details = found
    day = moments.happened(day, zone=entry.patient.site.time_zone, field="observed_at")
    is_study_specific = dict(item.evidence or {}).get("is_study_specific", False)
    says = (said.variable, said.value, said.unit, day, is_study_specific, details)
    if before and not before.is_void and _says(before) == says:
        return []
    if before and before.variable != said.variable:
        if not before.is_void:
            _void(before, by)
        before = None
    better = evidence.note(
        patient=entry.patient,
        variable=said.variable,
        value=said.value,
        unit=said.unit,
        observed_at=day,
        is_study_specific=is_study_specific,
        source=_source(entry, form, item),
        details=details,
        item_value=row,
        recorded_by=by,
    )
    if before:
        _supersede(before, better)
    return [better]


def _void(before: Evidence, by: User) -> Evidence:
    """That nothing is said any more: no criterion reads it, and what stood stays beside it."""
    row = Evidence.objects.create(
        patient=before.patient,
        variable=before.variable,
        value=Value(None, JSONField()),
        unit=before.unit,
        observed_at=before.observed_at,
        is_study_specific=before.is_study_specific,
        source=before.source,
        item_value=before.item_value,
        is_void=True,
        recorded_by=by,
    )
    row.value = None
    _supersede(before, row)
    return row


def _supersede(before: Evidence, row: Evidence) -> None:
    Evidence.objects.filter(pk=before.pk).update(superseded_by=row)
    queries.settle_by_rule(before, rule=IMPLAUSIBLE, text=CORRECTED)


def _says(row: Evidence) -> tuple[str, Any, str, str, bool, dict[str, Any]]:
    said = (row.variable, row.value, row.unit, row.observed_at, row.is_study_specific)
    return (*said, row.details)


def _day(item: Item, rows: Mapping[str, ItemValue], visit_day: str) -> str:
    name = item_evidence.dated_by(item)
    if not name:
        return visit_day
    dating = rows.get(name)
    return str((dating.entered if dating else Entered()).value or "")


def _day_of_visit(entry: FormEntry) -> str:
    """When the visit took place: as it is recorded, else when its tracer was given."""
    held = VisitRecord.objects.filter(
        patient=entry.patient_id, planned_visit__identifier=entry.visit, undone_because=""
    ).first()
    if held:
        return held.took_place_at
    given = (
        Injection.objects.filter(
            Q(scheduled_scan__planned_scan__visit__identifier=entry.visit),
            scheduled_scan__patient=entry.patient_id,
        )
        # One that was aborted is none of the visit: its scan is given once more.
        .exclude(scheduled_scan__state=ScheduledScan.State.CANCELLED)
        .order_by("injected_at")
        .first()
    )
    zone = ZoneInfo(entry.patient.site.time_zone)
    return given.injected_at.astimezone(zone).isoformat(timespec="minutes") if given else ""


def _source(entry: FormEntry, form: Form, item: Item) -> str:
    labels = case_report_forms.visit_labels(entry.version.definition)
    where = f", {labels.get(entry.visit, entry.visit)}" if entry.visit else ""
    which = f" {entry.repeat}" if form.is_repeating else ""
    return f"Form {form.label}{which}{where}: {item.label}"[:LONGEST_SOURCE]
