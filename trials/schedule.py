"""Visits of the protocol as dated windows of one patient, and how each stands at a moment.

A window is counted from its anchor: consent, enrolment, or the actual time of an earlier
visit; where that is still to come, from its planned time, which makes the window
provisional; where neither is known there is no window, and that is said. Both ends belong to
the window, months are calendar months, days are days of the site.

The mistake to fear is a window nobody stated: without one nothing is early, late or missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from types import MappingProxyType

from trials.spans import Span, moment, shifted


class Standing(StrEnum):
    """Where a planned visit stands; the value is the word on the screen."""

    NO_ANCHOR = "waits for its anchor"
    NO_WINDOW = "no window stated"
    AHEAD = "not yet"
    DUE = "due"
    OVERDUE = "overdue"
    MISSED = "missed"
    SCHEDULED = "scheduled"
    SCHEDULED_OUTSIDE = "scheduled outside its window"
    DONE = "done"
    DONE_OUTSIDE = "done outside its window"
    DONE_UNSURE = "done, whether within its window can't be told"


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of the protocol; durations are signed ISO 8601, empty where not stated."""

    identifier: str
    label: str
    anchor: str
    target: str = ""
    earliest: str = ""
    latest: str = ""
    has_scan: bool = False
    # The identifiers of its planned scans.
    scans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Appointment:
    """A scan given a time for a visit, and when its tracer was given."""

    planned_at: datetime
    injected_at: datetime | None = None

    @property
    def at(self) -> datetime:
        return self.injected_at or self.planned_at


@dataclass(frozen=True, slots=True)
class Dated:
    """A visit with its dates in UTC, as far as they are known.

    `off_by` is how far outside its window it was done, or is scheduled.
    """

    visit: Visit
    standing: Standing
    target_at: datetime | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    at: datetime | None = None
    is_provisional: bool = False
    off_by: timedelta | None = None
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class Anchor:
    """A time that windows are counted from, as precise as it is known."""

    span: Span
    is_actual: bool = True


def dated(
    visits: Sequence[Visit],
    *,
    anchors: Mapping[str, Anchor],
    appointments: Mapping[str, Appointment],
    now: datetime,
    zone: tzinfo,
    done: Mapping[str, Span] = MappingProxyType({}),
) -> list[Dated]:
    """Every visit of a patient with its window and standing.

    Parameters
    ----------
    visits : sequence of Visit
        In the order of the protocol; a visit may be the anchor of any other.
    anchors : mapping
        "consent", "enrolment" and whatever else is not a visit.
    appointments : mapping
        By the identifier of the visit.
    now : datetime
        With its zone.
    zone : tzinfo
        Of the site.
    done : mapping
        When visits without a scan took place, as precise as it is known.
    """
    found, _ = _resolved(visits, anchors, appointments, now, zone, done)
    return found


def anchors_of(
    visits: Sequence[Visit],
    *,
    anchors: Mapping[str, Anchor],
    appointments: Mapping[str, Appointment],
    now: datetime,
    zone: tzinfo,
    done: Mapping[str, Span] = MappingProxyType({}),
) -> dict[str, Anchor]:
    """When each visit and scan took place, else is planned; parameters as of `dated`.

    Named `visit.<identifier>` and `scan.<identifier>`. One without a time, even a target, is
    left out; a scan nobody scheduled is planned for when its visit is.
    """
    found, known = _resolved(visits, anchors, appointments, now, zone, done)
    for one in found:
        name = f"visit.{one.visit.identifier}"
        if name not in known and one.target_at:
            known[name] = Anchor(moment(one.target_at), is_actual=False)
        for scan in one.visit.scans if name in known else ():
            known.setdefault(f"scan.{scan}", Anchor(known[name].span, is_actual=False))
    return known


def _resolved(
    visits: Sequence[Visit],
    anchors: Mapping[str, Anchor],
    appointments: Mapping[str, Appointment],
    now: datetime,
    zone: tzinfo,
    done: Mapping[str, Span],
) -> tuple[list[Dated], dict[str, Anchor]]:
    recorded = {name: span for name, span in done.items() if name not in appointments}
    known = dict(anchors) | _visit_anchors(appointments)
    known |= {f"visit.{name}": Anchor(span) for name, span in recorded.items()}
    by_name = {one.identifier: one for one in visits}
    found: dict[str, Dated] = {}

    def resolve(visit: Visit, path: tuple[str, ...]) -> Dated:
        name = visit.identifier
        if name in found:
            return found[name]
        parent = by_name.get(visit.anchor.removeprefix("visit."))
        if visit.anchor not in known and parent and parent.identifier not in path:
            before = resolve(parent, (*path, name))
            if before.target_at:
                # Neither given nor scheduled: its target is the best that is known.
                known[visit.anchor] = Anchor(moment(before.target_at), is_actual=False)
        anchor = known.get(visit.anchor)
        if name in recorded:
            found[name] = _done(visit, anchor, recorded[name], zone)
        else:
            found[name] = _dated(visit, anchor, appointments.get(name), now, zone)
        return found[name]

    return [resolve(one, ()) for one in visits], known


def _visit_anchors(appointments: Mapping[str, Appointment]) -> dict[str, Anchor]:
    return {
        f"visit.{name}": Anchor(moment(one.at), is_actual=one.injected_at is not None)
        for name, one in appointments.items()
    }


def _dated(
    visit: Visit,
    anchor: Anchor | None,
    appointment: Appointment | None,
    now: datetime,
    zone: tzinfo,
) -> Dated:
    target, opens, closes = _window(visit, anchor, zone)
    at = appointment.at if appointment else None
    off_by = _off_by(at, opens, closes)
    return Dated(
        visit=visit,
        standing=_standing(anchor, appointment, (target, opens, closes), off_by, now),
        target_at=target,
        opens_at=opens,
        closes_at=closes,
        at=at,
        is_provisional=anchor is not None and not anchor.is_actual,
        off_by=off_by,
        is_done=appointment is not None and appointment.injected_at is not None,
    )


def _done(visit: Visit, anchor: Anchor | None, took_place: Span, zone: tzinfo) -> Dated:
    """A visit that was recorded. One known to the day may straddle an end of its window."""
    target, opens, closes = _window(visit, anchor, zone)
    sides = (took_place.first, took_place.last)
    off_by = [_off_by(one, opens, closes) for one in sides]
    standing = Standing.DONE
    if any(off_by):
        standing = Standing.DONE_OUTSIDE if all(off_by) else Standing.DONE_UNSURE
    return Dated(
        visit=visit,
        standing=standing,
        target_at=target,
        opens_at=opens,
        closes_at=closes,
        at=took_place.first,
        is_provisional=anchor is not None and not anchor.is_actual,
        off_by=min((one for one in off_by if one), key=abs) if all(off_by) else None,
        is_done=True,
    )


def _window(
    visit: Visit, anchor: Anchor | None, zone: tzinfo
) -> tuple[datetime | None, datetime | None, datetime | None]:
    if anchor is None:
        return None, None, None
    first, last = anchor.span.first, anchor.span.last
    return (
        shifted(first, visit.target, zone) if visit.target else None,
        shifted(first, visit.earliest, zone) if visit.earliest else None,
        shifted(last, visit.latest, zone, to_end_of_day=True) if visit.latest else None,
    )


def _off_by(
    at: datetime | None, opens: datetime | None, closes: datetime | None
) -> timedelta | None:
    if at is None:
        return None
    if opens and at < opens:
        return at - opens
    return at - closes if closes and at > closes else None


def _standing(
    anchor: Anchor | None,
    appointment: Appointment | None,
    window: tuple[datetime | None, datetime | None, datetime | None],
    off_by: timedelta | None,
    now: datetime,
) -> Standing:
    if appointment and appointment.injected_at:
        return Standing.DONE_OUTSIDE if off_by else Standing.DONE
    if appointment:
        if appointment.planned_at < now:
            return Standing.OVERDUE
        return Standing.SCHEDULED_OUTSIDE if off_by else Standing.SCHEDULED
    if anchor is None:
        return Standing.NO_ANCHOR
    target, opens, closes = window
    if opens is None and closes is None:
        return Standing.NO_WINDOW
    if opens and now < opens:
        return Standing.AHEAD
    if closes and now > closes:
        return Standing.MISSED
    is_late = target is not None and now > target + timedelta(days=1)
    return Standing.OVERDUE if is_late else Standing.DUE


# What asks for an act of the site, the most urgent first.
URGENCY = (
    Standing.OVERDUE,
    Standing.MISSED,
    Standing.DUE,
    Standing.SCHEDULED_OUTSIDE,
    Standing.SCHEDULED,
)


def urgent(found: Sequence[Dated], *, until: datetime) -> Iterator[Dated]:
    """The visits that ask for an act until a moment, the most urgent first."""
    asked = [
        one
        for one in found
        if one.standing in URGENCY
        and not (
            one.standing in {Standing.SCHEDULED, Standing.SCHEDULED_OUTSIDE} and _later(one, until)
        )
    ]
    yield from sorted(asked, key=lambda one: (URGENCY.index(one.standing), one.closes_at or until))


def _later(one: Dated, until: datetime) -> bool:
    return one.at is not None and one.at > until
