"""What a site needs before it may enrol, and what of it is missing on a day.

ICH E6(R3) and the laws behind it ask for approvals and people before the first patient. The
one mistake to fear is an approval that ran out: readiness is asked for a day, never once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

# How long before its end an approval is spoken of.
WARNING = timedelta(days=30)
REQUIRED = ("ethics", "authority", "radiation_protection", "contract", "initiation_visit")
SCANNER = "scanner"


@dataclass(frozen=True, slots=True)
class Approval:
    """A document of a kind (and tracer, for a scanner), in force from one day to another."""

    kind: str
    granted_on: date
    expires_on: date | None = None
    ended_on: date | None = None
    tracer: str = ""

    def holds(self, on: date) -> bool:
        ends = [day for day in (self.expires_on, self.ended_on) if day]
        return self.granted_on <= on and all(on <= day for day in ends)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a site needs: the kind, the tracer if any, and until when it is there."""

    kind: str
    tracer: str
    is_there: bool
    until: date | None = None

    def ends_soon(self, on: date) -> bool:
        return self.is_there and self.until is not None and self.until <= on + WARNING


@dataclass(frozen=True, slots=True)
class Site:
    """What the record holds of a site's readiness."""

    approvals: Sequence[Approval]
    tracers: Sequence[str]
    has_leader: bool
    has_version: bool
    has_consent_version: bool


def needs(site: Site, *, on: date) -> list[Need]:
    """Everything a site needs, in the order of a checklist.

    >>> site = Site([Approval("ethics", date(2026, 1, 1))], ["PTF"], True, True, True)
    >>> [one.kind for one in needs(site, on=date(2026, 2, 1)) if one.is_there]
    ['principal_investigator', 'protocol_version', 'consent_version', 'ethics']
    """
    return [
        Need("principal_investigator", "", site.has_leader),
        Need("protocol_version", "", site.has_version),
        Need("consent_version", "", site.has_consent_version),
        *(_need(site, kind, "", on) for kind in REQUIRED),
        *(_need(site, SCANNER, tracer, on) for tracer in site.tracers),
    ]


def _need(site: Site, kind: str, tracer: str, on: date) -> Need:
    found = [
        one for one in site.approvals if one.kind == kind and one.tracer == tracer and one.holds(on)
    ]
    if not found:
        return Need(kind, tracer, is_there=False)
    ends = [_end(one) for one in found]
    return Need(
        kind, tracer, is_there=True, until=None if None in ends else max(filter(None, ends))
    )


def _end(one: Approval) -> date | None:
    return min((day for day in (one.expires_on, one.ended_on) if day), default=None)
