"""What is on hand of a tracer: received less dispensed, returned and destroyed.

Counted in patient doses, which must come out at zero: a syringe is one, a vial as many as are
drawn from it. In MBq each amount decays from its own assay to the moment asked for. The mistake
to fear is an activity that nobody measured, summed as zero: the balance in MBq is then not known,
the one in doses is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from trials import decay

# What each act does to what is on hand; an order alone does nothing.
SIGN: Mapping[str, int] = MappingProxyType(
    {"ordered": 0, "received": 1, "dispensed": -1, "returned": -1, "destroyed": -1}
)

# One act is never more: what is beyond is a slip of the hand, or Bq typed as MBq.
MOST_DOSES = 10_000
MOST_MBQ = 1e6


@dataclass(frozen=True, slots=True)
class Measured:
    """A result of a certificate of analysis: its unit, and what is possible, both ends included."""

    label: str
    unit: str
    low: float
    high: float


# What the release of a batch rests on beside its activity. Whether it is good enough is for the
# qualified person to say: here a number is only held to what can be.
RELEASE_DATA: Mapping[str, Measured] = MappingProxyType(
    {
        "volume_ml": Measured("Volume", "mL", 0.0, 1000.0),
        "substance_mass_ug": Measured("Mass of the peptide or other substance", "µg", 0.0, 1e5),
        "radiochemical_purity_percent": Measured("Radiochemical purity", "%", 0.0, 100.0),
        "ph": Measured("pH", "", 0.0, 14.0),
        "germanium_breakthrough_percent": Measured("Breakthrough of Ge-68", "%", 0.0, 100.0),
    }
)


def impossible(name: str, value: float | None) -> str:
    """Why a result of a certificate can't be; empty where it can, or was not measured.

    >>> impossible("ph", 7.1), impossible("ph", None)
    ('', '')
    >>> impossible("radiochemical_purity_percent", 100.5)
    'Give from 0 to 100 %; got 100.5 %.'
    """
    one = RELEASE_DATA[name]
    # What is not finite is within no range.
    if value is None or one.low <= value <= one.high:
        return ""
    unit = f" {one.unit}" if one.unit else ""
    return f"Give from {one.low:g} to {one.high:g}{unit}; got {value:g}{unit}."


@dataclass(frozen=True, slots=True)
class Movement:
    """One act: its kind, doses, and the activity in MBq with its time, None if not assayed."""

    kind: str
    doses: int
    activity_mbq: float | None = None
    activity_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Doses by act and on hand; MBq on hand, None where an amount on hand was not assayed."""

    by_kind: Mapping[str, int]
    on_hand: int
    activity_mbq: float | None


def balance(movements: Iterable[Movement], *, at: datetime, half_life: float | None) -> Balance:
    """What is on hand at a moment; `half_life` in s, None where the tracer is not known.

    >>> from datetime import UTC, timedelta
    >>> noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> found = balance([Movement("received", 2, 400.0, noon), Movement("dispensed", 1, 100.0,
    ...                  noon + timedelta(hours=1))], at=noon + timedelta(hours=1), half_life=3600)
    >>> found.on_hand, found.activity_mbq
    (1, 100.0)
    """
    rows = list(movements)
    counted = dict.fromkeys(SIGN, 0)
    for one in rows:
        counted[one.kind] += one.doses
    on_hand = sum(SIGN[kind] * number for kind, number in counted.items())
    # Of nothing no activity is left, assayed or not.
    activity = _activity(rows, at, half_life) if on_hand else 0.0
    return Balance(MappingProxyType(counted), on_hand, activity)


def changed(signed: Iterable[Sequence[Any]], now: Iterable[Sequence[Any]]) -> int:
    """How many movements are new, or say something else, since a review was signed.

    >>> changed([[1, "received", ""]], [[1, "received", "a slip"], [2, "dispensed", ""]])
    2
    """
    known = [list(one) for one in signed]
    return sum(list(one) not in known for one in now)


def _activity(rows: list[Movement], at: datetime, half_life: float | None) -> float | None:
    found = 0.0
    for one in rows:
        if not SIGN[one.kind]:
            continue
        if one.activity_mbq is None or one.activity_at is None or half_life is None:
            return None
        elapsed = (at - one.activity_at).total_seconds()
        found += SIGN[one.kind] * decay.decayed(
            one.activity_mbq, elapsed=elapsed, half_life=half_life
        )
    # Two assays of one vial differ by their error: less than nothing is nothing left.
    return max(found, 0.0)
