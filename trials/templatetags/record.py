"""Words for what the record holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from trials import variables
from trials.expression_words import expression_words
from trials.models import Evidence, Patient
from trials.selectors.evidence import label_of
from trials.visit_picture import Picture, Row

register = template.Library()


@register.filter
def shown_value(evidence: Evidence) -> str:
    """A value with its unit, in words."""
    if evidence.is_void:
        return "nothing any more"
    return variables.shown(evidence.variable, evidence.value, evidence.unit)


@register.filter
def variable_label(name: str) -> str:
    return label_of(name)


@register.filter
def moment_as_known(text: str) -> SafeString:
    """A partial date or a moment as it was written, without the letter T."""
    return format_html('<span class="moment">{}</span>', text.replace("T", " ", 1))


@register.filter
def on_clock(at: datetime, zone: str) -> str:
    """A moment as the clock of a site showed it."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


@register.filter
def on_day(at: datetime | None, zone: str) -> SafeString | str:
    """The day of a moment on the calendar of a site."""
    if at is None:
        return "…"
    return format_html('<span class="moment">{}</span>', at.astimezone(ZoneInfo(zone)).date())


@register.filter
def apart(by: timedelta) -> str:
    """How far outside a window something is.

    >>> apart(timedelta(days=-2, hours=-3))
    '2 d 3 h early'
    """
    hours = round(abs(by).total_seconds() / 3600)
    days, left = divmod(hours, 24)
    words = [f"{days} d"] * bool(days) + [f"{left} h"] * bool(left or not days)
    return f"{' '.join(words)} {'early' if by < timedelta() else 'late'}"


@register.filter
def compact(value: Any) -> str:
    """A small structure in one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)


@register.filter
def in_words(expression: dict) -> str:
    """A criterion's expression as a sentence; as it is stored where it speaks of what is gone."""
    try:
        return expression_words(expression)
    except (KeyError, variables.VariableError):
        return compact(expression)


@register.filter
def checklist(outcome: str) -> str:
    """What a paper checklist would carry for a criterion's own sentence."""
    return {"met": "Y", "not_met": "N", "not_applicable": "NA"}.get(outcome, "–")


@register.filter
def lines(workings: dict) -> list[tuple[str, str]]:
    """A tree of what was computed as lines of a path and a value, without what is empty."""
    return list(_lines(workings, ()))


def _lines(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _lines(one, (*path, str(name).replace("_", " ")))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for number, one in enumerate(value, start=1):
            yield from _lines(one, (*path, str(number)))
    elif value not in (None, "", []):
        yield " › ".join(path), compact(value)


# The picture of the visits: where its time axis begins and how long it is, and what a row takes.
AXIS, LENGTH, HEAD, LINE = 250, 710, 30, 44


@register.inclusion_tag("trials/_visit_picture.html")
def visit_picture(patient: Patient, found: Picture) -> dict[str, Any]:
    """A patient's visits drawn on one line of time; the table beside it says the same."""
    foot = HEAD + LINE * len(found.rows)
    return {
        "patient": patient,
        "rows": [_drawn(row, HEAD + LINE * n) for n, row in enumerate(found.rows)],
        "dates": [(_along(at), day) for at, day in found.dates],
        "now": _along(found.now),
        "foot": foot,
        "below": foot + 16,
        "height": foot + 24,
    }


def _drawn(row: Row, top: int) -> dict[str, Any]:
    """One row in the units of the drawing."""
    return {
        "dated": row.dated,
        "bar": row.bar,
        "x": row.bar and _along(row.bar.start),
        "width": row.bar and f"{row.bar.width * LENGTH / 100:.1f}",
        "target": _along(row.target),
        "at": _along(row.at),
        "y": top + 16,
        "under": top + 32,
        "top": top + 12,
        "middle": top + 20,
        "bottom": top + 28,
    }


def _along(at: float | None) -> str | None:
    # A string: a number would be written with the comma of some languages.
    return None if at is None else f"{AXIS + at * LENGTH / 100:.1f}"
