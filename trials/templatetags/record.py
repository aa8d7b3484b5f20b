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
from trials.models import Evidence
from trials.selectors.evidence import label_of

register = template.Library()


@register.filter
def shown_value(evidence: Evidence) -> str:
    """A value with its unit, in words."""
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
