"""Fields whose values the database can keep, and times that say which they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

LARGEST_KEY = 2**63 - 1


class Line(serializers.CharField):
    """A line of text."""


class Text(serializers.CharField):
    """A text of a person, at most 4000 characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 4000} | options)


class Key(serializers.IntegerField):
    """A primary key."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": LARGEST_KEY} | options)


class Moment(serializers.DateTimeField):
    """A time with its zone. One without is refused: which zone it meant can only be guessed."""

    default_error_messages = {"naive": "Give the time with its zone, as 2026-03-02T08:15+01:00."}

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("naive")
        return super().enforce_timezone(value)


class CleanJSONField(serializers.JSONField):
    """JSON whose texts PostgreSQL can keep."""

    default_error_messages = {
        "unclean": "Text with NUL or incomplete Unicode characters can't be kept."
    }

    def to_internal_value(self, data: Any) -> Any:
        if any(not _is_clean(text) for text in _texts(data)):
            self.fail("unclean")
        return super().to_internal_value(data)


def _texts(value: Any):
    """Every text in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _is_clean(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
