"""Fields whose values the database can keep, and times that say which they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

LARGEST_KEY = 2**63 - 1
DEEPEST = 10


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
    """JSON that PostgreSQL can keep and a person can read."""

    default_error_messages = {
        "unclean": "Text with NUL or incomplete Unicode characters can't be kept.",
        "deep": "Nested deeper than any value is.",
    }

    def to_internal_value(self, data: Any) -> Any:
        level = [data]
        for _ in range(DEEPEST):
            if not all(_is_clean(one) for one in level if isinstance(one, str)):
                self.fail("unclean")
            level = [inner for one in level for inner in _inside(one)]
            if not level:
                return super().to_internal_value(data)
        return self.fail("deep")


def _inside(value: Any) -> list:
    """What a JSON value holds, keys included."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _is_clean(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
