"""All that a judgement looked at, as JSON, and back: so that it can be judged again.

What is frozen is the criteria as they were and the record as the engine saw it, never a
reference to a row that may change. The one mistake to fear is a round trip that loses
something: what is thawed equals what was frozen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from trials import canonical
from trials.eligibility import Criterion
from trials.readings import Anchor, Consent, Fact, Record
from trials.spans import Span

Frozen = dict[str, Any]
TIMES = ("withdrawn_at", "recorded_at")


def frozen(criteria: Sequence[Criterion], record: Record) -> Frozen:
    """Criteria and record as they go into JSON."""
    return {
        "criteria": [
            asdict(one) | {"conflicts_with": list(one.conflicts_with)} for one in criteria
        ],
        "record": {
            "sex_at_birth": record.sex_at_birth,
            "birth": record.birth,
            "facts": [
                asdict(one) | {"recorded_at": _text(one.recorded_at)} for one in record.facts
            ],
            "consents": [_frozen_consent(one) for one in record.consents],
            "anchors": {name: anchor(one) for name, one in record.anchors.items()},
            "zone": _zone_name(record.zone),
            "tracer": record.tracer,
        },
    }


def thawed(inputs: Mapping[str, Any]) -> tuple[list[Criterion], Record]:
    """The criteria and the record that were frozen."""
    given = inputs["record"]
    criteria = [
        Criterion(**one | {"conflicts_with": tuple(one["conflicts_with"])})
        for one in inputs["criteria"]
    ]
    record = Record(
        sex_at_birth=given["sex_at_birth"],
        birth=given["birth"],
        facts=[_fact(one) for one in given["facts"]],
        consents=[_consent(one) for one in given["consents"]],
        anchors={name: _thawed_anchor(one) for name, one in given["anchors"].items()},
        zone=UTC if given["zone"] == "UTC" else ZoneInfo(given["zone"]),
        tracer=given["tracer"],
    )
    return criteria, record


def anchor(of: Anchor) -> dict[str, Any]:
    """One anchor as it goes into JSON."""
    return {
        "first": _text(of.at.first),
        "last": _text(of.at.last),
        "basis": of.basis,
        "evidence": list(of.evidence),
    }


def digest(inputs: Mapping[str, Any]) -> str:
    """SHA-256 of the inputs as canonical JSON."""
    return canonical.sha256(inputs)


def _frozen_consent(consent: Consent) -> dict[str, Any]:
    kept = asdict(consent)
    for key in TIMES:
        kept[key] = kept[key] and _text(kept[key])
    return kept


def _consent(given: Mapping[str, Any]) -> Consent:
    kept = dict(given)
    for key in TIMES:
        kept[key] = kept[key] and _moment(kept[key])
    return Consent(**kept)


def _fact(given: Mapping[str, Any]) -> Fact:
    known = {one.name for one in fields(Fact)}
    kept = {name: value for name, value in given.items() if name in known}
    return Fact(**kept | {"recorded_at": _moment(given["recorded_at"])})


def _thawed_anchor(given: Mapping[str, Any]) -> Anchor:
    at = Span(_moment(given["first"]), _moment(given["last"]))
    return Anchor(at, given["basis"], tuple(given["evidence"]))


def _zone_name(zone: tzinfo) -> str:
    return zone.key if isinstance(zone, ZoneInfo) else str(zone)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
