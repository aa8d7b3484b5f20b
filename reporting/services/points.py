"""A point in the audit trail that an export is of: the record as it stood then, read back.

A number of an event alone does not say which transactions were done: they take numbers before they
commit. So a point is kept as a snapshot of its own. In it is every transaction that is done now and
whose last event is not after the one named; of those that overlap it, none in part. What commits
later is after the point, whatever its numbers, so that who asks for the changes since misses none.

Two things are of today, as nobody may have data by asking for the past: what has to be kept back of
who is blind now, and who withdrew the use of their data since. Both are kept with the export, so
that it can be made once more.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from django.db import connection

from reporting import manifest
from reporting.blinding import Blinding
from reporting.datasets.tells import Tag
from reporting.models import Export
from reporting.selectors import blinding
from reporting.selectors.rows import NO_MORE_USE
from reporting.services import rebuilding
from reporting.services.snapshots import Instant
from trials.models import AuditEvent, Trial, Withdrawal
from trials.services.errors import Invalid

# Its upper bound, and what is below it and not in: transactions that have an event on both sides of
# the point, and those that are under way now. Events of one transaction are looked for within
# an hour, since a database that was restored may give its number to another one, days later.
_SNAPSHOT = """
    with of_then as (
        select transaction, max(at) as at from trials_auditevent
        where id <= %(event)s group by transaction),
    overlapping as (
        select o.transaction from of_then o where exists (
            select from trials_auditevent e
            where e.id > %(event)s and e.transaction = o.transaction
                and e.at < o.at + interval '1 hour')),
    bounds as (select coalesce(max(transaction), 2) + 1 as upper from of_then),
    out as (
        select transaction as one from overlapping
        union
        select pg_snapshot_xip(pg_current_snapshot())::text::bigint)
    select b.upper, array(select one from out where one < b.upper order by one)
    from bounds b
"""


def named(
    trial: Trial, *, event: int | None = None, moment: datetime | None = None
) -> dict[str, Any]:
    """The point of an event of the trail, or of the last one until a moment, to keep.

    Raises
    ------
    Invalid
        When the trail has no such point, or the trial was not there.
    """
    field = "at_event" if event is not None else "at_moment"
    if event is not None and moment is not None:
        raise Invalid("at_moment", "Name an event or a moment, not both.")
    if event is None and moment is None:
        return {}
    row = _event(field, event, moment)
    began = AuditEvent.objects.filter(table="trials_trial", row=str(trial.pk), operation="I")
    first = began.order_by("pk").values_list("pk", flat=True).first()
    if first is not None and row.pk < first:
        raise Invalid(field, f"{trial} was not there yet: its record begins with event {first}.")
    with connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT, {"event": row.pk})
        upper, out = cursor.fetchone()
    lower = min([*out, upper])
    return {
        "as_of": manifest.moment(moment or row.at),
        "audit_event": row.pk,
        "snapshot": f"{lower}:{upper}:{','.join(map(str, out))}",
    }


def _event(field: str, event: int | None, moment: datetime | None) -> AuditEvent:
    rows = AuditEvent.objects.only("pk", "at").order_by("-pk")
    newest = rows.first()
    if newest is None:
        raise Invalid(field, "The audit trail is empty.")
    if event is not None:
        if not 0 < event <= newest.pk:
            raise Invalid(field, f"The trail has events 1 to {newest.pk}: name one of them.")
        found = rows.filter(pk__lte=event).first()
    else:
        found = rows.filter(at__lte=moment).order_by("-at", "-pk").first()
        if moment is not None and moment > newest.at:
            raise Invalid(
                field,
                f"The last event of the trail is of {manifest.moment(newest.at)}: name a moment "
                "until then, or none for the record as it is.",
            )
    if found is None:
        raise Invalid(field, "The trail begins later.")
    return found


def instant(export: Export) -> Instant:
    """The point that an export was ordered of."""
    said = export.point
    return Instant(datetime.fromisoformat(said["as_of"]), said["audit_event"], said["snapshot"])


def held_today(export: Export) -> dict[str, Any]:
    """What of today an export of an earlier point has to hold to, to keep with it."""
    kept = blinding.of(export.trial, is_unblinded=export.is_unblinded)
    withdrawn = Withdrawal.objects.filter(patient__trial=export.trial, extent__in=NO_MORE_USE)
    return {
        "withdrawals": sorted(withdrawn.values_list("pk", flat=True)),
        "concealed": sorted(kept.concealed),
        "of_patients": {tag: sorted(found) for tag, found in sorted(kept.of_patients.items())},
        "subjects": sorted(map(list, kept.subjects)),
        "why": list(kept.why),
    }


def kept(export: Export, then: Blinding) -> Blinding:
    """What an export keeps back: of an earlier point what it had to then, and has to now."""
    said = export.point.get("today")
    if said is None:
        return then
    today = {Tag(tag): frozenset(found) for tag, found in said["of_patients"].items()}
    return Blinding(
        is_unblinded=then.is_unblinded,
        concealed=then.concealed | {Tag(one) for one in said["concealed"]},
        of_patients={
            tag: then.of_patients.get(tag, frozenset()) | today.get(tag, frozenset())
            for tag in {*then.of_patients, *today}
        },
        subjects=then.subjects | {(table, pk) for table, pk in said["subjects"]},
        why=tuple(dict.fromkeys([*then.why, *said["why"]])),
    )


def read_back(export: Export, instant: Instant) -> AbstractContextManager[Instant]:
    """The record as it stood at an instant, without who withdrew the use of their data since."""
    today = export.point.get("today", {})
    return rebuilding.as_it_stood(instant, withdrawals=today.get("withdrawals", ()))
