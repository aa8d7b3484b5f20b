"""What a cross-over asks between two tracers of one patient: their order, the gap, no therapy.

Both ends of a gap belong to it; a length in days or months is counted in days of the site, one
in hours in time (see `trials.spans`). The mistake to fear is a gap that nobody stated taken as
one that is kept: without a limit there is nothing to check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from trials import spans
from trials.kleene import Truth, any_of

_SOME_TIME = spans.Span(spans.BEGINNING, spans.END)
_NO_END = spans.Span(spans.END, spans.END)


def period_before(periods: Sequence[str], planned_scan: str) -> str | None:
    """The planned scan that has to be given first; None if this one is the first.

    >>> period_before(["ptf", "fdg"], "fdg"), period_before(["ptf", "fdg"], "ptf")
    ('ptf', None)
    """
    place = periods.index(planned_scan)
    return periods[place - 1] if place else None


def renamed(sequence: Mapping[str, Any], stated: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What periods of a sequence are called in another version, by the name they have there.

    Without a sequence of that name and length there nothing is taken for the same.

    >>> renamed({"identifier": "AB", "periods": ["a", "b"]},
    ...         [{"identifier": "AB", "periods": ["a1", "b"]}])
    {'a1': 'a'}
    """
    for one in stated:
        if one["identifier"] == sequence["identifier"]:
            pairs = list(zip(one["periods"], sequence["periods"], strict=False))
            is_same = len(one["periods"]) == len(sequence["periods"])
            # A name that both versions have, at another place, is another order and no new name.
            kept = set(one["periods"]) & set(sequence["periods"])
            names = {new: old for new, old in pairs if new != old}
            return names if is_same and not kept & set(names) else {}
    return {}


def gap_problem(
    first: datetime, second: datetime, *, minimum: str | None, maximum: str | None, zone: tzinfo
) -> str:
    """Why the second tracer is too early or too late after the first; empty if it is neither.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> gap_problem(noon, noon.replace(hour=20), minimum="PT24H", maximum="P14D", zone=UTC)
    'The second tracer may be given from 2026-03-03 12:00 (UTC) on.'
    """
    if minimum is not None and second < (opens := spans.shifted(first, minimum, zone)):
        return f"The second tracer may be given from {shown(opens, zone)} on."
    if maximum is not None:
        closes = spans.shifted(first, maximum, zone, to_end_of_day=True)
        if second > closes:
            return f"The second tracer had to be given by {shown(closes, zone)}."
    return ""


def events_between(
    events: Iterable[Mapping[str, Any]], first: datetime, second: datetime, zone: tzinfo
) -> Truth:
    """Whether an event went on at any time between the two tracers; what has no end goes on.

    >>> from datetime import UTC
    >>> days = datetime(2026, 3, 2, 12, tzinfo=UTC), datetime(2026, 3, 9, 12, tzinfo=UTC)
    >>> events_between([{"name": "R-CHOP", "started_on": "2026-03-05"}], *days, UTC)
    <Truth.YES: 2>
    >>> events_between([{"name": "R-CHOP", "started_on": "2026-03"}], *days, UTC)
    <Truth.UNKNOWN: 1>
    """
    between = spans.Window(spans.moment(first), spans.moment(second))
    return any_of(
        spans.overlap(
            spans.span(one["started_on"], zone) if one.get("started_on") else _SOME_TIME,
            spans.span(one["stopped_on"], zone) if one.get("stopped_on") else _NO_END,
            between,
        )
        for one in events
    )


def shown(at: datetime, zone: tzinfo) -> str:
    """A moment on the clock of a site; an hour that comes twice with its offset.

    >>> from datetime import UTC
    >>> shown(datetime(2026, 3, 2, 12, tzinfo=UTC), UTC)
    '2026-03-02 12:00 (UTC)'
    """
    local = at.astimezone(zone)
    is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    offset = f", UTC{local.isoformat()[-6:]}" if is_twice else ""
    return f"{local:%Y-%m-%d %H:%M} ({zone}{offset})"
