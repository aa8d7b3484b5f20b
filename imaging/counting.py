"""Which of the PET series of a scan counts for it.

Scanners send several: not corrected for attenuation beside corrected, two reconstructions, early
and late. Each is kept, and which one stands for the scan is a rule: of those that are corrected
for attenuation the one by a reconstruction that the protocol lists, and of these the one whose
uptake time is in the protocol's window. Where that leaves none or several, a person decides. The
mistake to fear is the last one that came standing for the scan because it came last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imaging.conformance import Planned, is_listed, outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A PET series with a geometry: its key, its name, and what the rule looks at."""

    key: int
    name: str
    is_attenuation_corrected: bool
    reconstruction: str = ""
    uptake_minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The key of the series that counts, None where a person has to decide, and why."""

    key: int | None
    because: str


def choice(candidates: Sequence[Candidate], planned: Planned) -> Choice:
    """By the rule alone; which of them came first or last is no part of it.

    >>> one = Candidate(key=7, name="R1", is_attenuation_corrected=True)
    >>> from datetime import date
    >>> choice([one], Planned("F-18", 50, 70, None, None, None, date(2026, 3, 1))).key
    7
    """
    corrected = [one for one in candidates if one.is_attenuation_corrected]
    if not corrected:
        return Choice(None, "No PET series of this scan is corrected for attenuation.")
    if len(corrected) == 1:
        return Choice(corrected[0].key, _only(len(candidates)))
    left, reasons = corrected, []
    if planned.reconstructions:
        left = [one for one in left if is_listed(one.reconstruction, planned.reconstructions)]
        reasons.append("a reconstruction that the protocol lists")
    if (planned.uptake_low_minutes, planned.uptake_high_minutes) != (None, None):
        left = [one for one in left if _is_in_window(one, planned)]
        reasons.append("an uptake time in the protocol's window")
    by = " and ".join(reasons)
    if len(left) == 1:
        return Choice(left[0].key, f"It alone has {by}.")
    names = ", ".join(one.name for one in left or corrected)
    if not reasons:
        return Choice(
            None, f"The protocol states neither reconstructions nor an uptake window: {names}."
        )
    return Choice(None, f"{len(left) or 'None'} of {len(corrected)} series have {by}: {names}.")


def _only(among: int) -> str:
    if among == 1:
        return "It is the only PET series of this scan that can be measured."
    return "It is the only PET series of this scan that is corrected for attenuation."


def _is_in_window(one: Candidate, planned: Planned) -> bool:
    minutes = one.uptake_minutes
    return minutes is not None and not outside(
        minutes, planned.uptake_low_minutes, planned.uptake_high_minutes
    )


def keys(candidates: Iterable[Candidate]) -> list[int]:
    """What a decision was made among: the series that could count, in order."""
    return sorted(one.key for one in candidates if one.is_attenuation_corrected)
