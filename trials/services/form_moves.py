"""Complete forms of a site that move to a newer version of the protocol.

First everything that would become of them is shown; then a data manager lets it happen, with a
reason, for all that can move at once. Rows keep their keys, so queries and marks go along: a mark
and a signature stand as long as what they are on says the same, and what needs renewal is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from trials import canonical, case_report_forms, form_moves, permissions
from trials.case_report_forms import Form
from trials.form_moves import Move
from trials.models import (
    FormEntry,
    FormMove,
    ItemValue,
    Patient,
    ProtocolVersion,
    Site,
    SourceVerification,
    User,
)
from trials.services import audit, form_entries, form_evidence, form_reviews, panel, queries
from trials.services.errors import Invalid, Refused

State = FormEntry.State
ANSWER_GONE = "answer-gone"


@dataclass(frozen=True)
class Planned:
    """What becomes of one entry; `stays` says why it does not move, and is empty if it does."""

    entry: FormEntry
    label: str
    moves: tuple[Move, ...]
    stays: str
    # Verified items whose mark falls, and whether the signature does.
    marks_to_renew: tuple[str, ...]
    is_signature_to_renew: bool

    def shown(self) -> list:
        """What fixes this plan."""
        said = [[one.kind, one.before, one.after] for one in self.moves]
        return [self.entry.pk, self.entry.revision, self.stays, said]


@dataclass(frozen=True)
class Plan:
    """What becomes of every entry of a site that is of an earlier version."""

    entries: tuple[Planned, ...]

    @property
    def digest(self) -> str:
        return canonical.sha256([one.shown() for one in self.entries])

    @property
    def moving(self) -> list[Planned]:
        return [one for one in self.entries if not one.stays]


def plan(version: ProtocolVersion, *, site: Site, by: User) -> Plan:
    """Show what would become of the entries of a site. Nothing is kept of it."""
    permissions.require(by, "version.activate", site)
    if version.trial_id != site.trial_id:
        raise Invalid("version", f"{version} is no version of {site.trial}.")
    rows = (
        FormEntry.objects.filter(patient__site=site, version__number__lt=version.number)
        .exclude(state=State.UNDONE)
        .select_related("patient", "version")
        .prefetch_related("values")
    )
    forms = case_report_forms.forms_of(version.definition)
    marks = SourceVerification.objects.filter(item_value__entry__in=rows).order_by("pk")
    digests = dict(marks.values_list("item_value", "evidence_sha256"))
    return Plan(tuple(_planned(entry, forms, digests) for entry in rows))


def move(
    version: ProtocolVersion, *, site: Site, digest: str, reason: str, by: User
) -> list[FormMove]:
    """Let every entry move that can, as it was shown: `digest` is that of the plan."""
    permissions.require(by, "version.activate", site)
    audit.require_reason(reason)
    if site.version_in_force != version:
        raise Refused("not-in-force", f"{version} does not hold at {site}: activate it first.")
    with transaction.atomic():
        held = Patient.objects.filter(site=site).order_by("pk").select_for_update(no_key=True)
        patients = {one.pk: one for one in held}
        found = plan(version, site=site, by=by)
        if found.digest != digest:
            raise Refused(
                "changed-meanwhile", "The record changed since this was shown: look again."
            )
        if not found.moving:
            raise Refused("nothing-to-move", "No form of this site can move to this version.")
        return [
            _moved(one, version, patients[one.entry.patient_id], reason, by) for one in found.moving
        ]


def _planned(entry: FormEntry, forms: Mapping[str, Form], digests: Mapping[int, str]) -> Planned:
    before, after = form_entries.form_of(entry), forms.get(entry.form)
    rows = form_entries.rows_of(entry)
    stays = _stays(entry, before, after)
    moves: list[Move] = []
    if after and not stays:
        values = {name: row.entered for name, row in rows.items() if not row.is_empty}
        moves = form_moves.moves(before, after, values)
        if form_moves.is_refused(moves):
            stays = " ".join(one.sentence for one in moves if one.kind == form_moves.REFUSED)
        else:
            stays = _taken(entry, moves)
    renewed = [one for one in moves if one.needs_renewal]
    return Planned(
        entry=entry,
        label=before.label,
        moves=tuple(moves),
        stays=stays,
        marks_to_renew=tuple(
            one.label
            for one in renewed
            if one.before
            and one.kind != form_moves.DROPPED
            and digests.get(rows[one.before].pk) == form_reviews.digest_of(rows[one.before])
        ),
        is_signature_to_renew=bool(
            renewed and not stays and form_reviews.signature_in_force(entry)
        ),
    )


def _stays(entry: FormEntry, before: Form, after: Form | None) -> str:
    if entry.state == State.DRAFT:
        return "It is a draft, which keeps to its version: complete it, or take it back."
    if after is None:
        return f"{before.label} is asked no more: what was entered stays as it is."
    if after.is_of_panel != entry.is_of_panel:
        return f"{after.label} is decided by others in this version: what was entered stays."
    if entry.visit not in (after.visits or ("",)):
        return f"{after.label} is not asked at {entry.visit or 'any time'} any more."
    return ""


def _taken(entry: FormEntry, moves: Sequence[Move]) -> str:
    """An entry has one row of a name, also where it is empty or of an earlier version alone."""
    names = {row.item for row in entry.values.all()}
    clashing = [one for one in moves if one.before != one.after and one.after in names]
    return " ".join(
        f"{one.label} is called {one.after} now, as another value of this form was: it stays."
        for one in clashing
        if one.before
    )


def _moved(
    planned: Planned, version: ProtocolVersion, patient: Patient, reason: str, by: User
) -> FormMove:
    entry, earlier = planned.entry, planned.entry.version
    with audit.action(
        "form.moved", actor=by, reason=reason, trial=patient.trial_id, patient=patient.pk
    ):
        row = FormMove.objects.create(
            entry=entry,
            from_version=earlier,
            to_version=version,
            outcome=[[one.kind, one.before, one.after] for one in planned.moves],
            reason=reason.strip(),
            moved_by=by,
            moved_at=timezone.now(),
        )
        values = form_entries.rows_of(entry)
        for one in planned.moves:
            if one.before:
                _carry(one, values[one.before], earlier)
            elif one.kind == form_moves.COMPUTED:
                _carry(one, ItemValue(entry=entry, item=one.after), earlier)
        entry.version, entry.revision, entry.patient = version, entry.revision + 1, patient
        entry.save(update_fields=["version", "revision"])
        form = form_entries.form_of(entry)
        if any(one.needs_renewal for one in planned.moves):
            panel.name_change(entry)
        kept = {one.after: one.value for one in planned.moves if one.after and one.value}
        form_entries.mind_clock(entry, form, kept)
        form_evidence.tell_or_ask(entry, form, by=by, is_moved=True)
    return row


def _carry(one: Move, row: ItemValue, earlier: ProtocolVersion) -> None:
    if one.kind == form_moves.DROPPED:
        row.asked_version = earlier
        row.save(update_fields=["asked_version"])
    elif one.kind == form_moves.COMPUTED and one.value:
        row.value, row.missing, row.reason = one.value.value, one.value.missing, one.value.reason
        row.save()
    elif one.kind in (form_moves.RENAMED, form_moves.CONVERTED) and one.value:
        row.item, row.value = one.after, one.value.value
        row.save(update_fields=["item", "value"])
    elif one.kind == form_moves.CODE_GONE:
        row.item = one.after
        row.save(update_fields=["item"])
        queries.raise_by_rule(
            row, rule=ANSWER_GONE, text=f"{one.sentence} Correct it by the source."
        )
