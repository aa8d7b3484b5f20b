"""The parsing process: the only place where bytes that a site sent are parsed."""

from __future__ import annotations

from dataclasses import dataclass, field


class ParserError(Exception):
    """The parsing process gave no answer; the sentence says why."""


@dataclass(frozen=True)
class Inspection:
    """A verdict on one file: accepted, quarantined or rejected, why, and facts of its header."""

    verdict: str
    code: str = ""
    message: str = ""
    facts: dict = field(default_factory=dict)


class Parser:
    """A running parsing process."""
