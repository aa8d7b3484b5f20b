"""Privacy profiles: which columns leave, and in what shape, by the tag that stands beside each.

A profile states an act for every tag; a column whose tag it doesn't know is refused by name, so
that nothing leaves because somebody forgot to say what it is.

- `full` is the trial's own: all columns as the record has them.
- `limited` is a limited data set (45 CFR 164.514(e)): all moments and dates of a patient are
  moved by one number of days, 1 to 365 back, so that intervals stay; free text is left out, and so
  is every text that is not one of listed codes. Sites stay, as codes.
- `safe_harbor` follows 45 CFR 164.514(b)(2): of dates the year alone, no age above 89, no site, no
  free text, and codes in place of patient numbers. Codes and days are made with the trial's secret
  key and from the patient's number alone, never from what is known of the person (164.514(c)).

What the truth panel wrote in words is in no export: it can tell the index test and the truth.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from reporting.datasets.columns import Column, Dataset, Privacy, Type

DATED = (Type.MOMENT, Type.PARTIAL_DATE)
OLDEST_AGE_TOLD = 89
MOST_DAYS = 365
CODE_DIGITS = 16


class Profile(StrEnum):
    FULL = "full"
    LIMITED = "limited"
    SAFE_HARBOR = "safe_harbor"


LABELS: Mapping[Profile, str] = MappingProxyType(
    {
        Profile.FULL: "Full: as recorded, for the trial's people",
        Profile.LIMITED: "Limited: dates shifted, no free text",
        Profile.SAFE_HARBOR: "HIPAA Safe Harbor: years, no sites, codes",
    }
)


class Act(StrEnum):
    """What a profile does to a column."""

    KEEP = "kept"
    LEAVE_OUT = "left out"
    SHIFT = "dates shifted"
    YEAR = "year only"
    CODE = "replaced by a code"
    AGE = "no age above 89"


class UntaggedError(ValueError):
    """A column of which no profile can tell whether it may leave."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A column that is not as the record has it."""

    dataset: str
    column: str
    act: Act


@dataclass(frozen=True, slots=True)
class Secrets:
    """What masks are made with: the trial's key, and the year that ages are counted to."""

    key: bytes
    year: int


_WORDS: Mapping[Act, str] = MappingProxyType(
    {
        Act.SHIFT: "all dates of a patient are moved back by the same 1 to 365 days",
        Act.YEAR: "the year alone",
        Act.CODE: "a code made with a secret key of the trial, the same in each of its exports",
        Act.AGE: "90 stands for 90 and more; a year of birth that tells such an age is left empty",
    }
)
_KEPT_IN_ALL = (Privacy.KEY, Privacy.ALLOCATION, Privacy.TECHNICAL, Privacy.HEALTH)
# By tag; dates and open texts are judged by their type before.
_ACTS: Mapping[Profile, Mapping[Privacy, Act]] = MappingProxyType(
    {
        Profile.FULL: dict.fromkeys(Privacy, Act.KEEP) | {Privacy.PANEL_TEXT: Act.LEAVE_OUT},
        Profile.LIMITED: {
            **dict.fromkeys(_KEPT_IN_ALL, Act.KEEP),
            Privacy.IDENTIFIER: Act.KEEP,
            Privacy.SITE: Act.KEEP,
            Privacy.AGE: Act.KEEP,
            Privacy.QUASI: Act.KEEP,
            Privacy.FREE_TEXT: Act.LEAVE_OUT,
            Privacy.PANEL_TEXT: Act.LEAVE_OUT,
        },
        Profile.SAFE_HARBOR: {
            **dict.fromkeys(_KEPT_IN_ALL, Act.KEEP),
            Privacy.IDENTIFIER: Act.CODE,
            Privacy.SITE: Act.LEAVE_OUT,
            Privacy.AGE: Act.AGE,
            Privacy.QUASI: Act.KEEP,
            Privacy.FREE_TEXT: Act.LEAVE_OUT,
            Privacy.PANEL_TEXT: Act.LEAVE_OUT,
        },
    }
)


def act(profile: Profile, dataset: Dataset, column: Column) -> Act:
    """What a profile does to a column of a dataset.

    Raises
    ------
    UntaggedError
        When the column has no tag that the profile knows.
    """
    found = _ACTS[profile].get(column.privacy)
    if found is None:
        raise UntaggedError(
            f"column {column.name} of {dataset.name} has no privacy tag that the profile "
            f"{profile} knows: tag it in reporting.datasets"
        )
    if profile is Profile.FULL or found is Act.LEAVE_OUT:
        return found
    if column.type in DATED:
        if profile is Profile.SAFE_HARBOR:
            return Act.YEAR
        # Without a patient there is nothing to shift by, and a true date beside shifted ones
        # gives their days away.
        return Act.SHIFT if "usubjid" in dataset.column_names else Act.LEAVE_OUT
    # May hold a date, a name or a batch: nobody listed what it can say.
    is_open = column.type is Type.TEXT and not column.codes
    if is_open and column.privacy in (Privacy.QUASI, Privacy.HEALTH):
        return Act.LEAVE_OUT
    return found


@dataclass(frozen=True)
class Plan:
    """A dataset as it leaves, and how its rows become so."""

    original: Dataset
    dataset: Dataset
    acts: tuple[Act, ...]

    @property
    def touched(self) -> Iterator[Touched]:
        for column, done in zip(self.original.columns, self.acts, strict=True):
            if done is not Act.KEEP:
                yield Touched(self.original.name, column.name, done)

    def rows(self, rows: Iterable[Sequence[Any]], secrets: Secrets) -> Iterator[Sequence[Any]]:
        """Rows of the original, as they leave."""
        if all(done is Act.KEEP for done in self.acts):
            yield from rows
            return
        names = self.original.column_names
        patient = names.index("usubjid") if "usubjid" in names else None
        masks = [
            (place, _MASKS[done](column.name))
            for place, (column, done) in enumerate(
                zip(self.original.columns, self.acts, strict=True)
            )
            if done is not Act.LEAVE_OUT
        ]
        for row in rows:
            of = row[patient] if patient is not None else None
            yield [
                None if row[place] in (None, "") else mask(row[place], of, secrets)
                for place, mask in masks
            ]


def plan(profile: Profile, dataset: Dataset) -> Plan:
    """How a dataset leaves under a profile."""
    acts = tuple(act(profile, dataset, column) for column in dataset.columns)
    columns = tuple(
        _described(column, done)
        for column, done in zip(dataset.columns, acts, strict=True)
        if done is not Act.LEAVE_OUT
    )
    return Plan(dataset, replace(dataset, columns=columns), acts)


def _described(column: Column, done: Act) -> Column:
    """A column as the codebook has it."""
    if done is Act.KEEP:
        return column
    derivation = "; ".join(one for one in (column.derivation, _WORDS[done]) if one)
    changed = replace(column, derivation=derivation)
    if done is Act.YEAR:
        return replace(changed, type=Type.PARTIAL_DATE)
    if done is Act.SHIFT:
        return replace(changed, missing="; ".join([column.missing, NO_PATIENT]).removeprefix("; "))
    if done is Act.AGE and not column.missing:
        return replace(changed, missing="it would tell an age above 89")
    return changed


NO_PATIENT = "the row is of no patient"
# A value that is there, the unique identifier of the row's patient, the secrets.
Mask = Callable[[Any, str | None, Secrets], Any]


def shift_days(patient: str, key: bytes) -> int:
    """How many days the dates of a patient are moved, never none."""
    return -1 - int.from_bytes(_digest(key, "days", patient)[:8]) % MOST_DAYS


def code(value: str, column: str, key: bytes) -> str:
    """What stands for an identifier."""
    return _digest(key, f"code of {column}", value).hex()[:CODE_DIGITS]


def _digest(key: bytes, purpose: str, text: str) -> bytes:
    return hmac.digest(key, f"trialtrace export {purpose}\n{text}".encode(), hashlib.sha256)


def _kept(_: str) -> Mask:
    return lambda value, _of, _secrets: value


def _shifted(_: str) -> Mask:
    def mask(value: Any, of: str | None, secrets: Secrets) -> Any:
        if not of:
            return None
        days = timedelta(days=shift_days(of, secrets.key))
        return value + days if isinstance(value, datetime) else _partial(value, days)

    return mask


def _partial(value: str, days: timedelta) -> str:
    """A date known in part, moved; of a month or a year its middle is, which may move it less.

    >>> _partial("2026-03", timedelta(days=-30)), _partial("2026-03-02T08:15", timedelta(days=-2))
    ('2026-02', '2026-02-28T08:15')
    """
    middle = {len("2026"): "-07-01", len("2026-03"): "-15"}.get(len(value), "")
    moved = date.fromisoformat(value[:10] + middle) + days
    return f"{moved.isoformat()[: len(value)]}{value[10:]}"


def _year(_: str) -> Mask:
    return lambda value, _of, _secrets: (
        f"{value.year:04}" if isinstance(value, datetime) else str(value)[:4]
    )


def _coded(column: str) -> Mask:
    return lambda value, _of, secrets: code(str(value), column, secrets.key)


def _age(column: str) -> Mask:
    def mask(value: int, _of: str | None, secrets: Secrets) -> int | None:
        if "year" in column:
            return value if secrets.year - value <= OLDEST_AGE_TOLD else None
        return min(value, OLDEST_AGE_TOLD + 1)

    return mask


_MASKS: Mapping[Act, Callable[[str], Mask]] = MappingProxyType(
    {
        Act.KEEP: _kept,
        Act.SHIFT: _shifted,
        Act.YEAR: _year,
        Act.CODE: _coded,
        Act.AGE: _age,
    }
)
