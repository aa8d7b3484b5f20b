"""A submission as it is being made: records, their supplemental qualifiers and comments.

Whoever adds a record names variables of its domain alone; what has no variable is supplemented, and
what is no property of a record is a comment. A name that the domain does not have is an error here,
so that nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from reporting.sdtm.model import MappingError, Source, Value
from reporting.sdtm.specification import DOMAINS
from reporting.sdtm.subjects import Subject, Tally, subjects

LONGEST_NAME, LONGEST_LABEL = 8, 40
# Domains and variables whose records belong together, ONE or MANY on each side.
Relation = tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Qualifier:
    """A supplemental qualifier: QNAM, QLABEL, QVAL, QORIG."""

    name: str
    label: str
    value: str
    origin: str


@dataclass(eq=False)
class Record:
    """A row to be, with what its domain has no variable for."""

    domain: str
    subject: Subject | None
    values: dict[str, Value]
    qualifiers: list[Qualifier] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def supplement(self, name: str, label: str, value: Any, origin: str = "Collected") -> Record:
        """Keep a value beside the record, if there is one."""
        text = as_text(value)
        if text:
            taken = {one.name for one in self.qualifiers}
            if name in taken:
                name = _free(name, taken)
            self.qualifiers.append(
                Qualifier(name[:LONGEST_NAME], label[:LONGEST_LABEL], text, origin)
            )
        return self


@dataclass
class Comment:
    """A text about a patient that belongs to no record."""

    subject: Subject
    text: str
    dated: str = ""


NAMES = MappingProxyType({name: frozenset(one.names) for name, one in DOMAINS.items()})


class Draft:
    """The records of a submission by domain, in the order in which they were added."""

    def __init__(self, source: Source, tally: Tally | None = None) -> None:
        self.source = source
        # Of all patients, which are more than those of the source where these come in parts.
        self.tally = tally or Tally()
        self.subjects = subjects(source)
        self.records: dict[str, list[Record]] = {name: [] for name in DOMAINS}
        # A trial of n patients would be looked through n times for those of each.
        self._of: dict[Subject, dict[str, list[Record]]] = {}
        self.comments: list[Comment] = []
        self.related: list[tuple[str, Record, Record]] = []

    def subject(self, row: Mapping[str, Any]) -> Subject:
        """Of whom a row is."""
        return self.subjects[row["usubjid"]]

    def add(self, domain: str, subject: Subject | None, **values: Value) -> Record:
        """A record of a domain; what is empty may be left out."""
        if not values.keys() <= NAMES[domain]:
            unknown = sorted(values.keys() - NAMES[domain])
            raise MappingError(f"{domain} has no variable {', '.join(unknown)}")
        kept: dict[str, Value] = {
            name: value for name, value in values.items() if value not in (None, "")
        }
        record = Record(domain, subject, kept)
        self.records[domain].append(record)
        if subject is not None:
            self._of.setdefault(subject, {}).setdefault(domain, []).append(record)
        return record

    def comment(self, subject: Subject, text: str, dated: str = "") -> None:
        """Keep what no domain takes, in words."""
        self.comments.append(Comment(subject, text, dated))

    def of(self, domain: str, subject: Subject) -> Iterable[Record]:
        """The records of a patient in a domain, in the order in which they were added."""
        return tuple(self._of.get(subject, {}).get(domain, ()))

    def all_of(self, subject: Subject) -> Iterable[Record]:
        """The records of a patient in every domain."""
        return tuple(one for found in self._of.get(subject, {}).values() for one in found)


def as_text(value: Any) -> str:
    """A value as a text of SDTM: a flag is Y or N, a number has no trailing zeros.

    >>> as_text(True), as_text(2.50), as_text(3.0), as_text(None)
    ('Y', '2.5', '3', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, float):
        text = repr(value)
        return text.removesuffix(".0")
    return str(value)


def _free(name: str, taken: set[str]) -> str:
    for number in range(2, 100):
        found = f"{name[: LONGEST_NAME - len(str(number))]}{number}"
        if found not in taken:
            return found
    raise MappingError(f"a record has too many supplemental qualifiers called {name}")
