"""Facts and records for tests of the eligibility engine."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

from trials import eligibility, spans
from trials.eligibility import Criterion
from trials.readings import Anchor, Consent, Fact, Record

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
_numbers = count(1)


def fact(variable, value, unit="", at="2026-03-30", **given):
    return Fact(next(_numbers), variable, value, unit, at, NOW, "report", **given)


def record(*facts, anchors=None, **changes):
    """A woman born in 1961 who gave consent this morning."""
    given = {
        "sex_at_birth": "F",
        "birth": "1961-04-23",
        "facts": facts,
        "consents": [Consent("1.0", "2026-03-31T08:00+00:00")],
        "anchors": {"gate": Anchor(spans.moment(NOW)), **(anchors or {})},
        "zone": UTC,
    }
    return Record(**given | changes)


def criterion(expression, category="inclusion", **given):
    return Criterion("C1", category, "A rule", expression, **given)


def word(expression, *facts, category="inclusion", **changes):
    return eligibility.judge(criterion(expression, category), record(*facts, **changes)).word


def planned(text, basis="planned"):
    return Anchor(spans.span(text, UTC), basis)
