"""What image headers state of an injection beside what the site recorded of it.

Both describe one syringe and one patient, typed twice by two people. The mistake to fear is
to take either for the truth: what is apart by more than its tolerance is named, with both
values, and a person says which is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Field = Literal["weight_kg", "height_cm", "injected_at", "activity_mbq"]


@dataclass(frozen=True)
class Tolerances:
    """How far header and record may be apart; relative unless the name has a unit."""

    activity: float = 0.05
    weight: float = 0.02
    half_life: float = 0.01
    height_cm: float = 2.0
    injection_seconds: float = 120.0
    # Of the dose-length product: a dose report is the same number typed again; an estimate leaves
    # out overviews and over-ranging.
    dlp: float = 0.05
    dlp_estimate: float = 0.25


@dataclass(frozen=True, slots=True)
class Stated:
    """What the headers state, None where absent; times with their zone."""

    injected_at: datetime | None = None
    activity_mbq: float | None = None
    weight_kg: float | None = None
    height_cm: float | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What the site recorded; `gross_mbq` is the net activity before the residual is taken off."""

    injected_at: datetime
    net_mbq: float
    weight_kg: float
    gross_mbq: float | None = None
    height_cm: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value of both. `apart` is stated minus recorded, in `unit`; of times, in seconds.

    `matches` names which recorded activity the stated one is: "net", "gross" or "".
    """

    field: Field
    label: str
    unit: str
    stated: float | datetime
    recorded: float | datetime
    apart: float
    agrees: bool
    matches: str = ""

    @property
    def sentence(self) -> str:
        """Both values in words, with their units.

        >>> Comparison("weight_kg", "Weight", "kg", 80.0, 70.0, 10.0, False).sentence
        'Weight: the images say 80 kg, the record 70 kg.'
        """
        if isinstance(self.stated, datetime) and isinstance(self.recorded, datetime):
            stated, recorded = (f"{at:%Y-%m-%d %H:%M:%S %Z}" for at in (self.stated, self.recorded))
            return f"{self.label}: the images say {stated}, the record {recorded}."
        return (
            f"{self.label}: the images say {self.stated:.4g} {self.unit}, "
            f"the record {self.recorded:.4g} {self.unit}."
        )


def compared(
    stated: Stated, given: Given, tolerances: Tolerances | None = None
) -> tuple[Comparison, ...]:
    """Every value that both sides have, whether they agree or not.

    Ends of a tolerance belong to it; nothing is rounded before the comparison.
    """
    most = tolerances or Tolerances()
    return (
        *_activity(stated, given, most.activity),
        *_size("weight_kg", "Weight", stated, given, most.weight * given.weight_kg),
        *_size("height_cm", "Height", stated, given, most.height_cm),
        *_time(stated, given, most.injection_seconds),
    )


def _activity(stated: Stated, given: Given, most: float) -> Iterator[Comparison]:
    """Against the net activity first, then the gross one: headers may hold either."""
    found = stated.activity_mbq
    if found is None:
        return
    sides = {"net": given.net_mbq, "gross": given.gross_mbq}
    matches = [
        name
        for name, side in sides.items()
        if side is not None and abs(found - side) <= most * side
    ]
    yield Comparison(
        "activity_mbq",
        "Activity at injection",
        "MBq",
        found,
        given.net_mbq,
        found - given.net_mbq,
        "net" in matches,
        matches[0] if matches else "",
    )


def _size(
    field: Literal["weight_kg", "height_cm"], label: str, stated: Stated, given: Given, most: float
) -> Iterator[Comparison]:
    found, recorded = getattr(stated, field), getattr(given, field)
    if found is None or recorded is None:
        return
    apart = found - recorded
    yield Comparison(field, label, field[-2:], found, recorded, apart, abs(apart) <= most)


def _time(stated: Stated, given: Given, most: float) -> Iterator[Comparison]:
    if stated.injected_at is None:
        return
    apart = (stated.injected_at - given.injected_at).total_seconds()
    yield Comparison(
        "injected_at",
        "Injected at",
        "s",
        stated.injected_at,
        given.injected_at,
        apart,
        abs(apart) <= most,
    )


def dlp_agrees(
    recorded: float, told: float, *, basis: str, tolerances: Tolerances | None = None
) -> bool:
    """Whether a recorded dose-length product is that of the dose report, or near an estimate.

    >>> dlp_agrees(440.0, 400.0, basis="report"), dlp_agrees(440.0, 400.0, basis="estimate")
    (False, True)
    """
    most = tolerances or Tolerances()
    share = most.dlp if basis == "report" else most.dlp_estimate
    return abs(recorded - told) <= share * told


def is_same_name(one: str, other: str) -> bool:
    """Whether one name is part of the other, or either is silent.

    >>> is_same_name("GE", "GE MEDICAL SYSTEMS"), is_same_name("SIEMENS", "Philips")
    (True, False)
    """
    left, right = plain(one), plain(other)
    return not (left and right) or left in right or right in left


def plain(text: str) -> str:
    """Letters and digits alone, in capitals: "3D-OSEM" is "3DOSEM"."""
    return "".join(one for one in text.upper() if one.isalnum())
