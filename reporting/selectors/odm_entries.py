"""What an ODM file says of a trial: its versions, sites and people, and entries with their history.

Read within the transaction of an export, a batch of entries at a time, so that memory does not
grow with the trial.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from operator import itemgetter
from typing import Any

from django.db.models import F, Prefetch

from reporting.blinding import Blinding
from reporting.datasets.case_report_forms import FormTable
from reporting.datasets.tells import Tag
from reporting.derived import usubjid
from reporting.odm.clinical import Audit, Change, Entry, Signed, Stood
from reporting.odm.document import Site, Study
from reporting.odm.metadata import Version
from reporting.selectors.rows import NO_MORE_USE
from trials import case_report_forms, roles
from trials.case_report_forms import Form
from trials.item_values import Entered
from trials.models import (
    AuditEvent,
    FormEntry,
    FormMove,
    ItemValue,
    Membership,
    Signature,
    Trial,
    User,
)
from trials.services import form_reviews

# Entries in memory at a time.
BATCH = 500
ENTRIES, VALUES = FormEntry._meta.db_table, ItemValue._meta.db_table
State = FormEntry.State
# What an item's row holds of its value.
VALUE_COLUMNS = ("value", "missing", "reason")


def study(trial: Trial, tables: Mapping[str, FormTable]) -> Study:
    """The trial as the file's metadata and administrative data say it."""
    versions = [
        Version(one.number, one.label, one.definition) for one in trial.versions.order_by("number")
    ]
    return Study(
        identifier=trial.identifier,
        name=trial.acronym or trial.identifier,
        description=trial.title or trial.identifier,
        versions=versions,
        tables=tables,
        sites=list(_sites(trial)),
        users=_users(trial),
        meanings={Signature.Meaning.FORM.value: Signature.Meaning.FORM.label},
    )


def entries(trial: Trial, *, with_undone: bool, blinding: Blinding) -> Iterator[Entry]:
    """Complete entries by version, patient and visit; with those taken back, in their order.

    Of patients who forbid its use nothing leaves, as in every dataset; what the truth panel
    decided leaves once it may be told.
    """
    unseen = blinding.unseen(Tag.REFERENCE)
    states = [State.COMPLETE, *([State.UNDONE] if with_undone else [])]
    rows = (
        FormEntry.objects.filter(patient__trial=trial, state__in=states, completed_at__isnull=False)
        .exclude(patient__withdrawals__extent__in=NO_MORE_USE)
        .select_related("patient__site", "version")
        .defer("version__definition", "version__text")
        .order_by("version__number", "patient__identifier", "visit", "form", "repeat", "pk")
    )
    reader = _Reader(trial)
    rows_in_turn = rows.prefetch_related(
        Prefetch("values", ItemValue.objects.annotate(asked_by=F("asked_version__number"))),
        Prefetch("moves", FormMove.objects.select_related("from_version")),
    ).iterator(chunk_size=BATCH)
    while batch := list(islice(rows_in_turn, BATCH)):
        yield from reader.read(
            [
                one
                for one in batch
                if not one.is_of_panel
                or usubjid(trial.identifier, one.patient.identifier) not in unseen
            ]
        )


class _Reader:
    """Reads what belongs to a batch of entries: events of the trail, and signatures."""

    def __init__(self, trial: Trial) -> None:
        self.versions: dict[int, int] = {}
        self.forms: dict[int, dict[str, Form]] = {}
        for pk, number, definition in trial.versions.values_list("pk", "number", "definition"):
            self.versions[pk] = number
            self.forms[number] = case_report_forms.forms_of(definition)

    def read(self, batch: list[FormEntry]) -> Iterator[Entry]:
        values = {str(one.pk): one for entry in batch for one in entry.values.all()}
        events = _events(VALUES, values)
        of_entries = _events(ENTRIES, {str(one.pk) for one in batch})
        signatures: dict[int, list[Signature]] = defaultdict(list)
        keys = [one.pk for one in batch]
        for one in Signature.objects.filter(subject_table=ENTRIES, subject_pk__in=keys).order_by(
            "pk"
        ):
            signatures[one.subject_pk].append(one)
        for entry in batch:
            yield self._entry(entry, events, of_entries[str(entry.pk)], signatures[entry.pk])

    def _entry(
        self,
        entry: FormEntry,
        events: Mapping[str, list[AuditEvent]],
        own: list[AuditEvent],
        signatures: Iterable[Signature],
    ) -> Entry:
        site = entry.patient.site.code
        completed = _last(own, State.COMPLETE)
        undone = _last(own, State.UNDONE)
        form = self.forms[entry.version.number][entry.form]
        # What the truth panel says in words leaves in no export.
        tells_why = not entry.is_of_panel
        changes = [
            numbered
            for one in entry.values.all()
            for numbered in _changes(events[str(one.pk)], own, self.versions, site, tells_why)
        ]
        return Entry(
            patient=entry.patient.identifier,
            site=site,
            number=entry.version.number,
            form=entry.form,
            visit=entry.visit,
            repeat=entry.repeat,
            is_repeating=form.is_repeating,
            completed=_audit(completed, site) if completed else _as_recorded(entry, site),
            removed=_audit(undone, site, tells_why) if undone else None,
            values=[
                Stood(one.item, one.entered, one.asked_by or entry.version.number)
                for one in entry.values.all()
            ],
            changes=[change for _, change in sorted(changes, key=itemgetter(0))],
            signatures=[
                Signed(
                    one.meaning,
                    Audit(one.signed_by_id, site, one.signed_at),
                    form_reviews.is_what_was_signed(entry, one.content_sha256),
                )
                for one in signatures
            ],
            system={
                "completed_at": entry.completed_at,
                "changed_unblinded_at": entry.changed_unblinded_at,
                "record_table": ENTRIES,
                "record_pk": entry.pk,
            },
        )


def _changes(
    events: Iterable[AuditEvent],
    own: list[AuditEvent],
    versions: Mapping[int, int],
    site: str,
    tells_why: bool,
) -> Iterator[tuple[int, Change]]:
    """What became of a value, event by event with its number; what says nothing new is none."""
    completed = _last(own, State.COMPLETE)
    kept: dict[str, Any] = {}
    before: Stood | None = None
    for event in events:
        kept |= event.after or {}
        number = versions[kept.get("asked_version_id") or _version_at(event, own)]
        value = Entered(*(kept.get(name) for name in VALUE_COLUMNS))
        after = Stood(kept["item"], value, number)
        is_first = completed is not None and _is_one_act(event, completed)
        if after != before:
            audit = _audit(event, site, tells_why and not is_first)
            yield event.pk, Change(before, after, is_first, audit)
        before = after


def _version_at(event: AuditEvent, own: Iterable[AuditEvent]) -> int:
    """The version that an entry was under at an event; of one that moves it, the newer."""
    held = [
        one.after["version_id"]
        for one in own
        if "version_id" in (one.after or {}) and (one.pk < event.pk or _is_one_act(one, event))
    ]
    return held[-1]


def _is_one_act(one: AuditEvent, other: AuditEvent) -> bool:
    return (one.transaction, one.action) == (other.transaction, other.action)


def _events(table: str, rows: Iterable[str]) -> dict[str, list[AuditEvent]]:
    found: dict[str, list[AuditEvent]] = defaultdict(list)
    kept = ("pk", "row", "at", "transaction", "after", "action", "reason", "actor")
    for event in AuditEvent.objects.filter(table=table, row__in=rows).order_by("pk").only(*kept):
        found[event.row].append(event)
    return found


def _last(events: Iterable[AuditEvent], state: str) -> AuditEvent | None:
    return next(
        (one for one in reversed(list(events)) if (one.after or {}).get("state") == state), None
    )


def _audit(event: AuditEvent, site: str, with_reason: bool = False) -> Audit:
    reason = event.reason if with_reason else ""
    return Audit(event.actor, site, event.at, reason, f"audit event {event.pk}")


def _as_recorded(entry: FormEntry, site: str) -> Audit:
    """Who completed an entry as its row says it."""
    return Audit(entry.completed_by_id or entry.begun_by_id, site, entry.completed_at)


def _sites(trial: Trial) -> Iterator[Site]:
    newest = trial.newest_version
    for site in trial.sites.prefetch_related("activations__version").order_by("code"):
        held = [
            (one.version.number, one.effective_on)
            for one in sorted(site.activations.all(), key=lambda one: (one.effective_on, one.pk))
        ]
        if not held and newest:
            held = [(newest.number, newest.loaded_at.date())]
        yield Site(site.code, site.name, held)


def _users(trial: Trial) -> list[tuple[int, str]]:
    """Everyone who may be referred to, by number and role: names of people do not leave."""
    held: dict[int, list[str]] = defaultdict(list)
    labels = {one.value: one.label for one in roles.Role}
    for user, role in (
        Membership.objects.filter(trial=trial).order_by("user", "role").values_list("user", "role")
    ):
        if labels[role] not in held[user]:
            held[user].append(labels[role])
    acted = set(
        AuditEvent.objects.filter(trial=trial.pk).values_list("actor", flat=True).distinct()
    )
    systems = set(User.objects.filter(is_system=True).values_list("pk", flat=True))
    return [
        (
            number,
            ", ".join(held[number])
            or ("The system" if number in systems else "No role in the trial today"),
        )
        for number in sorted(acted | set(held) | systems)
    ]
