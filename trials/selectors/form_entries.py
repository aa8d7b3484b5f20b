"""Forms of a patient as pages, API and lists show them, in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from trials import (
    case_report_forms,
    item_computations,
    item_conditions,
    item_values,
    permissions,
)
from trials.case_report_forms import Form, Item
from trials.item_values import Entered
from trials.kleene import Truth
from trials.models import (
    AuditEvent,
    FormEntry,
    FormMove,
    ImportedLine,
    ItemValue,
    Patient,
    ProtocolVersion,
    Query,
    Signature,
    SourceVerification,
    User,
)
from trials.selectors import form_evidence
from trials.services import form_entries, form_reviews, panel_rights

State = FormEntry.State
ENTRIES, VALUES = FormEntry._meta.db_table, ItemValue._meta.db_table


@dataclass(frozen=True)
class Standing:
    """An entry with what is open about it."""

    entry: FormEntry
    open_queries: int


@dataclass(frozen=True)
class Line:
    """A form at a visit: what was entered so far, and whether more may be."""

    form: Form
    visit: str
    visit_label: str
    entries: tuple[Standing, ...]
    may_begin: bool
    # Whether the form is asked of the patient can't be told yet.
    is_doubtful: bool = False

    @property
    def state(self) -> str:
        """The state of the whole line, in a word."""
        if not self.entries:
            return "not begun"
        if any(one.entry.state == State.DRAFT for one in self.entries):
            return State.DRAFT
        return State.COMPLETE


@dataclass(frozen=True)
class Past:
    """A value as it stood before, with who changed it to that, when and why."""

    shown: str
    by: str
    at: datetime
    reason: str
    # The line of a file that it came from; none where it was typed.
    line: ImportedLine | None = None


@dataclass(frozen=True)
class Field:
    """An item of an entry: what stands, what stood before, and what is said about it."""

    item: Item
    row: ItemValue | None
    shown: str
    is_asked: bool
    asked_if: str
    # How it follows from the others, if nobody enters it.
    rule: str = ""
    history: tuple[Past, ...] = ()
    queries: tuple[Query, ...] = ()
    mark: SourceVerification | None = None
    digest: str = ""
    # The version that asked it last, where that of the entry asks it no more.
    asked_last_by: str = ""
    # What it gives criteria to judge on, if anything.
    given: form_evidence.Given | None = None

    @property
    def is_verified(self) -> bool:
        """Whether a monitor compared the very value that stands."""
        return self.mark is not None and self.mark.evidence_sha256 == self.digest


@dataclass(frozen=True)
class Opened:
    """One entry with everything known of it."""

    entry: FormEntry
    form: Form
    visit_label: str
    fields: tuple[Field, ...]
    queries: tuple[Query, ...]
    signature: Signature | None
    is_signature_standing: bool
    # All that stand: of a panel each member signs.
    signatures: tuple[Signature, ...] = ()


def rows() -> QuerySet[FormEntry]:
    """Entries with what their pages name."""
    return FormEntry.objects.select_related(
        "patient__trial", "patient__site", "version", "begun_by", "completed_by", "draft__saved_by"
    )


def fetched(user: User, permission: str, pk: int) -> FormEntry:
    """An entry for an act; one of the truth panel takes the panel's permission."""
    of_panel = FormEntry.objects.filter(pk=pk, is_of_panel=True).exists()
    taken = panel_rights.permission_for(permission, is_of_panel=of_panel)
    return permissions.fetched(rows(), user, taken, pk=pk)


def lines_of(patient: Patient, *, is_of_panel: bool = False) -> list[Line]:
    """What the version in force asks of a patient, by visit, and what was entered besides.

    What is asked of the truth panel stands apart.
    """
    version = patient.site.version_in_force
    definition = version.definition if version else {}
    asked = case_report_forms.forms_of(definition)
    forms = {name: one for name, one in asked.items() if one.is_of_panel == is_of_panel}
    entries = list(
        FormEntry.objects.filter(patient=patient, is_of_panel=is_of_panel)
        .exclude(state=State.UNDONE)
        .select_related("version", "completed_by")
    )
    asks = _open_queries(entries)
    by_place: dict[tuple[str, str], list[Standing]] = defaultdict(list)
    for entry in entries:
        standing = Standing(entry, asks.get(entry.pk, 0))
        by_place[entry.form, entry.visit].append(standing)
    labels = case_report_forms.visit_labels(definition)
    truths = form_entries.asked_of(forms.values(), patient, now=timezone.now())
    lines = [
        _line(form, visit, labels, by_place.pop((form.identifier, visit), []), truths[name])
        for visit in ("", *labels)
        for name, form in forms.items()
        if visit in (form.visits or ("",))
    ]
    kept = [line for line in lines if line.entries or truths[line.form.identifier] is not Truth.NO]
    return [*kept, *_of_earlier_versions(by_place)]


def opened(entry: FormEntry) -> Opened:
    """An entry of `rows` with its fields, their history, queries and marks."""
    form = form_entries.form_of(entry)
    rows = list(entry.values.select_related("asked_version"))
    values = {row.item: row for row in rows if row.asked_version_id is None}
    past = [row for row in rows if row.asked_version_id is not None]
    answers = item_values.answers({name: row.entered for name, row in values.items()})
    asked = item_conditions.asked(form, answers)
    history = _history(entry, rows)
    about = _queries_about(entry, rows)
    marks = {
        one.item_value_id: one
        for one in SourceVerification.objects.filter(item_value__entry=entry)
        .select_related("verified_by")
        .order_by("pk")
    }
    given = form_evidence.given_by(entry, form)
    signature = form_reviews.signatures.of(entry)
    standing = form_reviews.standing_signatures(entry) if entry.is_of_panel else []
    return Opened(
        entry=entry,
        form=form,
        visit_label=case_report_forms.visit_labels(entry.version.definition).get(
            entry.visit, entry.visit
        ),
        fields=tuple(
            replace(
                _field(form, item, values.get(item.identifier), asked, history, about, marks),
                given=given.get(item.identifier),
            )
            for item in form.items
        )
        + tuple(
            _field(then, item, row, frozenset(), history, about, marks)
            for row in past
            if (then := _form_under(entry, row.asked_version)) and (item := then.item(row.item))
        ),
        queries=tuple(about.get((ENTRIES, entry.pk), ())),
        signature=signature,
        is_signature_standing=bool(signature and form_reviews.signature_in_force(entry)),
        signatures=tuple(standing),
    )


def history_of(entry: FormEntry) -> dict[str, list[Past]]:
    """Every value of every item, the first one first."""
    rows = list(entry.values.all())
    found = _history(entry, rows)
    return {row.item: found[row.pk] for row in rows if row.pk in found}


def _line(
    form: Form, visit: str, labels: Mapping[str, str], entries: list[Standing], truth: Truth
) -> Line:
    return Line(
        form=form,
        visit=visit,
        visit_label=labels.get(visit, ""),
        entries=tuple(entries),
        may_begin=truth is not Truth.NO and (form.is_repeating or not entries),
        is_doubtful=truth is Truth.UNKNOWN,
    )


def _of_earlier_versions(by_place: Mapping[tuple[str, str], list[Standing]]) -> Iterator[Line]:
    """What was entered and is asked no more."""
    for (_, visit), entries in by_place.items():
        first = entries[0].entry
        labels = case_report_forms.visit_labels(first.version.definition)
        yield Line(
            form_entries.form_of(first), visit, labels.get(visit, visit), tuple(entries), False
        )


def _open_queries(entries: Iterable[FormEntry]) -> dict[int, int]:
    """How many queries about an entry or a value of it are not closed, by entry."""
    keys = {entry.pk for entry in entries}
    owners = dict(ItemValue.objects.filter(entry__in=keys).values_list("pk", "entry"))
    asked = Query.objects.exclude(state=Query.State.CLOSED)
    found: dict[int, int] = defaultdict(int)
    for table, pk in (
        asked.filter(subject_table=ENTRIES, subject_pk__in=keys)
        | asked.filter(subject_table=VALUES, subject_pk__in=owners)
    ).values_list("subject_table", "subject_pk"):
        found[pk if table == ENTRIES else owners[pk]] += 1
    return found


def _queries_about(
    entry: FormEntry, values: Iterable[ItemValue]
) -> dict[tuple[str, int], list[Query]]:
    keys = [row.pk for row in values]
    rows = Query.objects.filter(subject_table=ENTRIES, subject_pk=entry.pk) | Query.objects.filter(
        subject_table=VALUES, subject_pk__in=keys
    )
    found: dict[tuple[str, int], list[Query]] = defaultdict(list)
    for row in rows.order_by("pk"):
        found[row.subject_table, row.subject_pk].append(row)
    return found


def _form_under(entry: FormEntry, version: ProtocolVersion) -> Form | None:
    return case_report_forms.forms_of(version.definition).get(entry.form)


def _form_at(entry: FormEntry, moves: Sequence[FormMove], at: datetime) -> Form:
    """The form that an entry was under at a time: what it moved from, before it moved."""
    version = next((one.from_version for one in moves if at < one.moved_at), entry.version)
    return _form_under(entry, version) or form_entries.form_of(entry)


def _history(entry: FormEntry, rows: Iterable[ItemValue]) -> dict[int, list[Past]]:
    """Each value as the trail has it, under the version that held then: what changed is laid over
    what stood before."""
    keys_of = {str(row.pk): row.pk for row in rows}
    events = list(AuditEvent.objects.filter(table=VALUES, row__in=keys_of).order_by("pk"))
    moves = list(entry.moves.select_related("from_version")) if entry.revision > 1 else []
    stood: dict[int, dict[str, Any]] = defaultdict(dict)
    found: dict[int, list[Past]] = defaultdict(list)
    form = form_entries.form_of(entry)
    keys = {key for event in events if (key := (event.after or {}).get("imported_line_id"))}
    files = ImportedLine.objects.select_related("form_import").defer(*LONG)
    lines = files.in_bulk(keys) if keys else {}
    for event in events:
        name = keys_of[event.row]
        stood[name] = stood[name] | (event.after or {})
        kept = Entered(*(stood[name].get(key) for key in ("value", "missing", "reason")))
        then = _form_at(entry, moves, event.at) if moves else form
        item = then.item(stood[name].get("item", "")) or form.item(stood[name].get("item", ""))
        said = item_values.shown(item, kept) if item and kept != EMPTIED else "emptied"
        line = lines.get(stood[name].get("imported_line_id"))
        found[name].append(Past(said, event.actor_name, event.at, event.reason, line))
    return found


EMPTIED = Entered()
# What of an import is not needed to name it.
LONG = ("form_import__content", "form_import__plan")


def _field(
    form: Form,
    item: Item,
    row: ItemValue | None,
    asked: frozenset[str],
    history: Mapping[int, list[Past]],
    about: Mapping[tuple[str, int], list[Query]],
    marks: Mapping[int, SourceVerification],
) -> Field:
    return Field(
        item=item,
        row=row,
        shown="" if row is None or row.is_empty else item_values.shown(item, row.entered),
        is_asked=item.identifier in asked,
        asked_if=item_conditions.words(item.condition, form) if item.condition else "",
        rule=item_computations.words(form, item) if item.computed else "",
        history=tuple(history.get(row.pk, ())) if row else (),
        queries=tuple(about.get((VALUES, row.pk), ())) if row else (),
        mark=marks.get(row.pk) if row else None,
        digest=form_reviews.digest_of(row) if row else "",
        asked_last_by=row.asked_version.label if row and row.asked_version else "",
    )
