"""Case report forms filled in: begun, drafted, completed, corrected, taken back.

What is typed is kept as a draft every few seconds and leaves no trail; the record begins when
the form is complete, and from there each value has one row whose trail is its history, so that
queries and marks on it survive every correction. The one mistake to fear is two people at one
form: who saves over what they have not seen is told, and loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from trials import case_report_forms, expressions, item_conditions, item_values, permissions
from trials.case_report_forms import Form
from trials.item_values import Entered, Given, ItemError, Moment
from trials.kleene import Truth
from trials.models import (
    AuditEvent,
    Delegation,
    FormDraft,
    FormEntry,
    ImportedLine,
    ItemValue,
    Patient,
    ProtocolVersion,
    User,
)
from trials.services import (
    assessments,
    audit,
    delegations,
    deviations,
    form_evidence,
    panel,
    panel_rights,
    patients,
    queries,
)
from trials.services.errors import Invalid, Refused

State = FormEntry.State
RECORD = Delegation.Duty.RECORD
# Rules that ask, and the one that drafts a deviation.
UNUSUAL, REPORT_DUE, REPORT_LATE = "value-unusual", "report-due", "report-late"
# What a form has at most by its schema.
MOST_ITEMS = 200
FORMS = FormEntry._meta.db_table
Raw = Mapping[str, Any]


class WrongItems(Invalid):
    """A form with something to mend; `errors` says what, by item."""

    def __init__(self, form: Form, errors: Mapping[str, ItemError]) -> None:
        self.errors = {name: errors[name].message for name in _ordered(form, errors)}
        count = len(self.errors)
        super().__init__(
            "values",
            f"{count} item{'s' * (count > 1)} to mend: {' '.join(self.errors.values())}",
            code="wrong-items",
        )


class Overtaken(Refused):
    """Somebody else saved the form since it was looked at; `now` is what stands."""

    def __init__(self, who: str, at: datetime, now: Raw) -> None:
        super().__init__(
            "changed-meanwhile",
            f"{who} saved this form on {at.astimezone(UTC):%Y-%m-%d at %H:%M} UTC, after you "
            "opened it. Nothing of yours is lost: compare, then save again.",
        )
        self.now = now


def form_of(entry: FormEntry) -> Form:
    """The form as the version states it that the entry was begun under."""
    return case_report_forms.forms_of(entry.version.definition)[entry.form]


def standing_of(entry: FormEntry) -> dict[str, Any]:
    """What stands in a form, as it would be sent: without what is computed from it."""
    computed = {one.identifier for one in form_of(entry).items if one.computed is not None}
    standing = {name: row.entered for name, row in rows_of(entry).items() if not row.is_empty}
    return _raws({name: one for name, one in standing.items() if name not in computed})


def rows_of(entry: FormEntry) -> dict[str, ItemValue]:
    """The values that the form of an entry asks, by item: not those of an earlier version alone."""
    return {row.item: row for row in entry.values.all() if row.asked_version_id is None}


def asked_of(forms: Collection[Form], patient: Patient, *, now: datetime) -> dict[str, Truth]:
    """Whether each form is for a patient, as far as can be told; by its identifier."""
    found = {one.identifier: Truth.YES for one in forms}
    some = {one.identifier: one.applies_to for one in forms if one.applies_to is not None}
    if some:
        record = assessments.record_of(patient, None, now=now)
        found |= {name: expressions.evaluate(node, record).truth for name, node in some.items()}
    return found


def begin(patient: Patient, *, form: str, visit: str = "", by: User) -> FormEntry:
    """Begin a form: an empty draft. One that is begun and does not repeat is gone on with."""
    known = in_force(patient, form)
    _require(patient, by, is_of_panel=known is not None and known.is_of_panel)
    patients.require_participation(patient)
    patients.require_consent_stands(patient)
    version = assessments.version_of(patient, None)
    if known is None:
        raise Invalid("form", f"{version} asks no form {form!r:.40}.")
    require_visit(known, visit)
    if asked_of([known], patient, now=timezone.now())[form] is Truth.NO:
        raise Refused("not-for-this-patient", f"{known.label} is not asked of {patient}.")
    with audit.action(
        "form.begun", actor=by, reason="form", trial=patient.trial_id, patient=patient.pk
    ):
        locked = patients.hold_still(patient)
        patients.require_participation(locked)
        rows = FormEntry.objects.filter(patient=locked, form=form, visit=visit)
        standing = rows.exclude(state=State.UNDONE).order_by("-repeat").first()
        if standing and not known.is_repeating:
            return standing
        repeat = standing.repeat + 1 if standing else 1
        return start(locked, version, form=known, visit=visit, repeat=repeat, by=by)


def start(
    patient: Patient, version: ProtocolVersion, *, form: Form, visit: str, repeat: int, by: User
) -> FormEntry:
    """An empty draft at a place that was looked at before. Inside the action of a service."""
    entry = FormEntry.objects.create(
        patient=patient,
        version=version,
        form=form.identifier,
        visit=visit,
        repeat=repeat,
        is_of_panel=form.is_of_panel,
        begun_by=by,
    )
    FormDraft.objects.create(entry=entry, saved_by=by)
    return entry


def save_draft(entry: FormEntry, *, given: Raw, revision: int, by: User) -> FormDraft:
    """Keep what was typed, right or wrong. `revision` is that of the draft it was typed over."""
    _require(entry.patient, by, is_of_panel=entry.is_of_panel)
    _require_names(form_of(entry), given)
    with transaction.atomic():
        draft = _draft(entry, revision, given)
        if draft.given != given:
            draft.given, draft.saved_by, draft.saved_at = dict(given), by, timezone.now()
            draft.revision += 1
            draft.save(update_fields=["given", "saved_by", "saved_at", "revision"])
    return draft


def complete(entry: FormEntry, *, given: Raw, revision: int, by: User) -> FormEntry:
    """Make what was typed the record, if every item is right; raises WrongItems otherwise."""
    patient = entry.patient
    _require(patient, by, is_of_panel=entry.is_of_panel)
    patients.require_participation(patient)
    form = form_of(entry)
    values = checked(form, given, patient)
    with audit.action(
        "form.completed", actor=by, reason="form", trial=patient.trial_id, patient=patient.pk
    ):
        patients.require_participation(patients.hold_still(patient))
        _draft(entry, revision, given)
        locked = FormEntry.objects.select_for_update().get(pk=entry.pk)
        enter(locked, form, values, by=by)
    return locked


def enter(
    entry: FormEntry,
    form: Form,
    values: Mapping[str, Entered],
    *,
    by: User,
    line: ImportedLine | None = None,
) -> None:
    """Make checked values the record of a locked draft. Inside the action of a service."""
    _require_own_key(form, values, entry)
    rows = [
        ItemValue(entry=entry, item=name, imported_line=line, **_columns(values[name]))
        for name in values
    ]
    ItemValue.objects.bulk_create(rows)
    entry.state, entry.completed_by, entry.completed_at = State.COMPLETE, by, timezone.now()
    entry.save(update_fields=["state", "completed_by", "completed_at"])
    panel.name_change(entry)
    # Nothing was asked about rows that are new: none is settled.
    for row in rows:
        _ask_if_unusual(form, row)
    mind_clock(entry, form, values)
    tell_evidence(entry, form, by=by)


def correct(entry: FormEntry, *, given: Raw, revision: int, reason: str, by: User) -> FormEntry:
    """Change items of a complete form; those that are not given stay as they are."""
    patient = entry.patient
    _require(patient, by, is_of_panel=entry.is_of_panel)
    audit.require_reason(reason)
    form = form_of(entry)
    _require_names(form, given)
    with audit.action(
        "form.corrected", actor=by, reason=reason, trial=patient.trial_id, patient=patient.pk
    ):
        patients.hold_still(patient)
        locked = FormEntry.objects.select_for_update().get(pk=entry.pk)
        _require_state(locked, State.COMPLETE, "Only a complete form is corrected.")
        standing = standing_of(locked)
        if locked.revision != revision:
            last = AuditEvent.objects.filter(table=FORMS, row=str(locked.pk)).latest("pk")
            raise Overtaken(last.actor_name, last.at, standing)
        values = checked(form, {**standing, **given}, patient)
        if not change(locked, form, values, by=by):
            raise Refused("nothing-changed", "The form says so already: nothing was changed.")
    return locked


def change(
    entry: FormEntry,
    form: Form,
    values: Mapping[str, Entered],
    *,
    by: User,
    line: ImportedLine | None = None,
) -> list[str]:
    """Let checked values stand in a locked complete form, and tell which items differed.

    Inside the action of a service, whose reason becomes that of each changed value.
    """
    every = {row.item: row for row in entry.values.all()}
    rows = {name: row for name, row in every.items() if row.asked_version_id is None}
    changed = differing({name: row.entered for name, row in rows.items()}, values)
    if changed:
        _require_own_key(form, values, entry)
    for name in changed:
        row = every.get(name) or ItemValue(entry=entry, item=name)
        row.asked_version = None
        for column, value in _columns(values.get(name, Entered())).items():
            setattr(row, column, value)
        row.imported_line = line
        row.save()
        rows[name] = row
    if changed:
        entry.revision += 1
        entry.save(update_fields=["revision"])
        panel.name_change(entry)
    for name in changed:
        if not _ask_if_unusual(form, rows[name]):
            queries.settle_by_rule(rows[name], rule=UNUSUAL, text=_why_settled(rows[name]))
    if changed:
        mind_clock(entry, form, values)
        tell_evidence(entry, form, by=by)
    return changed


def differing(standing: Mapping[str, Entered], values: Mapping[str, Entered]) -> list[str]:
    """The items whose value or code is not the same on both sides."""
    return [
        name
        for name in {**standing, **values}
        if values.get(name, Entered()) != standing.get(name, Entered())
    ]


def undo(entry: FormEntry, *, reason: str, by: User) -> FormEntry:
    """Take back a form that should not have been filled in; everything in it stays readable."""
    patient = entry.patient
    _require(patient, by, is_of_panel=entry.is_of_panel)
    audit.require_reason(reason)
    with audit.action(
        "form.undone", actor=by, reason=reason, trial=patient.trial_id, patient=patient.pk
    ):
        patients.hold_still(patient)
        locked = FormEntry.objects.select_for_update().get(pk=entry.pk)
        if locked.state == State.UNDONE:
            raise Refused("undone-already", "This form was taken back already.")
        locked.state, locked.undone_because = State.UNDONE, reason.strip()
        locked.report_due_at = None
        locked.save(update_fields=["state", "undone_because", "report_due_at"])
        panel.name_change(locked)
        queries.settle_by_rule(locked, rule=REPORT_DUE, text="The form was taken back.")
        deviations.judge_by_rule(locked, rule=REPORT_LATE, finding=None)
        for row in locked.values.all():
            queries.settle_by_rule(row, rule=UNUSUAL, text="The form was taken back.")
        tell_evidence(locked, form_of(locked), by=by)
    return locked


def moment_of(patient: Patient) -> Moment:
    """Now, on the calendar of the patient's site."""
    return Moment(timezone.now(), ZoneInfo(patient.site.time_zone))


def in_force(patient: Patient, form: str) -> Form | None:
    """A form as the version in force at the patient's site asks it."""
    version = patient.site.version_in_force
    return case_report_forms.forms_of(version.definition).get(form) if version else None


def permission_to_begin(patient: int, form: str) -> str:
    """What beginning a form of a patient takes; of one that is not there, what forms take."""
    row = Patient.objects.select_related("site").filter(pk=patient).first()
    known = in_force(row, form) if row else None
    return panel_rights.permission_for("form.record", is_of_panel=bool(known and known.is_of_panel))


def _require(patient: Patient, by: User, *, is_of_panel: bool) -> None:
    permission = panel_rights.permission_for("form.record", is_of_panel=is_of_panel)
    permissions.require(by, permission, patient)
    # The panel is no part of a site, whose delegation log names the site's people.
    if not is_of_panel:
        delegations.require(by, RECORD, patient.site)


def require_visit(form: Form, visit: str) -> None:
    """Raise unless a form is asked at a visit; with none, unless it is asked at any time."""
    if form.visits and visit not in form.visits:
        known = ", ".join(form.visits)
        raise Invalid("visit", f"{form.label} is asked at: {known}; got {visit or 'no visit'!r}.")
    if visit and not form.visits:
        raise Invalid("visit", f"{form.label} is asked at any time: name no visit.")


def _require_names(form: Form, given: Raw) -> None:
    known = {one.identifier for one in form.items}
    unknown = {
        name: ItemError("no-such-item", f"The form has no item {name!r:.60}.")
        for name in sorted(set(given) - known)
    }
    if unknown:
        raise WrongItems(form, unknown)


def _require_state(entry: FormEntry, state: str, expected: str) -> None:
    if entry.state != state:
        raise Refused(
            "wrong-state", f"This form is {entry.get_state_display().lower()}. {expected}"
        )


def _draft(entry: FormEntry, revision: int, given: Raw) -> FormDraft:
    """The draft, locked and as it was seen; saved again in the same words it is no conflict."""
    draft = (
        FormDraft.objects.select_for_update(of=("self",))
        .select_related("saved_by")
        .get(entry=entry)
    )
    state = FormEntry.objects.only("state").get(pk=entry.pk)
    _require_state(state, State.DRAFT, "Only a draft is saved and completed: correct the form.")
    if draft.revision != revision and draft.given != given:
        raise Overtaken(str(draft.saved_by), draft.saved_at, draft.given)
    return draft


def checked(form: Form, given: Raw, patient: Patient) -> dict[str, Entered]:
    """Typed values of a whole form of a patient; raises WrongItems."""
    read: dict[str, Given] = {}
    errors: dict[str, ItemError] = {}
    for name, one in given.items():
        try:
            read[name] = item_values.given(one)
        except ItemError as error:
            errors[name] = error
    found = item_values.checked(form, read, at=moment_of(patient))
    errors = {**found.errors, **errors}
    if errors:
        raise WrongItems(form, errors)
    return dict(found.values)


def _require_own_key(form: Form, values: Mapping[str, Entered], entry: FormEntry) -> None:
    """No two entries of a form about the same, as the same lesion."""
    if not form.keyed_by:
        return
    key = _key(form, {name: one.value for name, one in values.items()})
    others = FormEntry.objects.filter(
        patient=entry.patient_id, form=entry.form, visit=entry.visit, state=State.COMPLETE
    ).exclude(pk=entry.pk)
    for other in others.prefetch_related("values"):
        if _key(form, {row.item: row.value for row in other.values.all()}) == key:
            said = ", ".join(filter(None, (form.item(one).label for one in form.keyed_by)))
            raise Refused(
                "entered-already",
                f"Entry {other.repeat} of {form.label} has the same {said}: correct that one.",
            )


def _key(form: Form, values: Mapping[str, Any]) -> list[str]:
    return [" ".join(str(values.get(name) or "").split()).casefold() for name in form.keyed_by]


def _columns(value: Entered) -> dict[str, Any]:
    return {"value": value.value, "missing": value.missing, "reason": value.reason}


def _raws(values: Mapping[str, Entered]) -> dict[str, Any]:
    return {
        name: item_values.raw(Given(one.value, one.missing, one.reason))
        for name, one in values.items()
    }


def _ordered(form: Form, names: Mapping[str, Any]) -> list[str]:
    order = [one.identifier for one in form.items]
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


def _ask_if_unusual(form: Form, row: ItemValue) -> bool:
    """A value outside of its soft limits is kept as its source says, and asked about."""
    item = form.item(row.item)
    if not item or not item_values.is_unusual(item, row.value):
        return False
    limits = item_values.limits_words(item.soft, item.unit)
    said = item_values.shown(item, row.entered)
    text = f"{item.label} {said} is not {limits}: check it against the source, and correct it "
    queries.raise_by_rule(row, rule=UNUSUAL, text=f"{text}or confirm it.")
    return True


def _why_settled(row: ItemValue) -> str:
    if row.value is None:
        return "The value was taken away."
    return "The value is within its limits now."


def mind_clock(entry: FormEntry, form: Form, values: Mapping[str, Entered]) -> None:
    """A report that is due: asked for until it is made, a deviation when it was made late."""
    due = _due(form, values, ZoneInfo(entry.patient.site.time_zone))
    done = form.clock and values.get(form.clock.done)
    is_running = due is not None and not (done and done.value)
    if entry.report_due_at != (due if is_running else None):
        entry.report_due_at = due if is_running else None
        entry.save(update_fields=["report_due_at"])
    if form.clock is None:
        return
    if is_running:
        said = f"{form.clock.text} within {form.clock.hours:g} h: by {_told(due)}."
        queries.raise_by_rule(entry, rule=REPORT_DUE, text=f"{said} Enter when it was.")
    else:
        queries.settle_by_rule(entry, rule=REPORT_DUE, text="The report is made, or not due.")
    deviations.judge_by_rule(entry, rule=REPORT_LATE, finding=_late(form, due, done))


def tell_evidence(entry: FormEntry, form: Form, *, by: User) -> None:
    """What the form says now, as evidence; raises WrongItems where that can't be of its day."""
    try:
        form_evidence.tell(entry, form, by=by)
    except form_evidence.Undatable as error:
        raise WrongItems(form, error.errors) from error


def _due(form: Form, values: Mapping[str, Entered], zone: ZoneInfo) -> datetime | None:
    clock = form.clock
    if clock is None or item_conditions.holds(clock.when, item_values.answers(values)) is not (
        Truth.YES
    ):
        return None
    known = values.get(clock.known)
    if known is None or not known.value:
        return None
    # In UTC: hours pass while clocks change.
    due = datetime.fromisoformat(known.value).astimezone(UTC) + timedelta(hours=clock.hours)
    return due.astimezone(zone)


def _late(
    form: Form, due: datetime | None, done: Entered | None
) -> tuple[str, dict[str, Any]] | None:
    if due is None or not done or not done.value:
        return None
    at = datetime.fromisoformat(done.value)
    if at <= due:
        return None
    said = f"{form.clock.text} within {form.clock.hours:g} h: it was due by {_told(due)}"
    values = {"found": at.isoformat(), "expected": due.isoformat(), "unit": ""}
    return f"{said} and made on {_told(at)}.", values


def _told(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M %Z}"
