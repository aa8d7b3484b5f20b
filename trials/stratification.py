"""Where the stratum of a patient came from, and what the same values say today.

A part is kept with the allocation as `{"by": "site", "value": "101"}` or `{"by": "evidence",
"variable", "value", "evidence", "observed_at", "recorded_at", "source"}`, where `evidence` is the
number of the recorded value. What is corrected afterwards changes neither the stratum nor the
sequence: the patient stays where they were randomised and is named as stratified otherwise.

The mistake to fear is a disease that went on being taken for a mistake: only what is told of
the time up to the allocation counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from trials import spans

Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """A part of the stratum beside what the record says of it now, None where it says nothing."""

    part: Part
    now: str | None
    now_evidence: int | None = None

    @property
    def name(self) -> str:
        return "site" if self.part["by"] == "site" else str(self.part["variable"])

    @property
    def is_otherwise(self) -> bool:
        """Whether the patient was stratified as what the record no longer says."""
        return bool(self.now != self.part["value"])

    @property
    def sentence(self) -> str:
        """Empty if the record says the same."""
        if not self.is_otherwise:
            return ""
        return f"{self.name}: stratified as {self.part['value']}, now {self.now or 'not recorded'}"


def stratum(parts: Iterable[Part]) -> str:
    """The stratum as one text.

    >>> stratum([{"by": "site", "value": "101"},
    ...          {"by": "evidence", "variable": "group", "value": "NHL"}])
    'site=101;group=NHL'
    """
    return ";".join(
        f"{'site' if one['by'] == 'site' else one['variable']}={one['value']}" for one in parts
    )


def standings(
    parts: Sequence[Part],
    recorded: Iterable[Mapping[str, Any]],
    *,
    site: str,
    allocated_at: datetime,
    zone: tzinfo,
) -> list[Standing]:
    """Each part beside the newest value of it that was observed by the time of the allocation.

    `recorded` are the values in force, with `pk`, `variable`, `value` and `observed_at`.
    """
    newest: dict[str, tuple[Any, Mapping[str, Any]]] = {}
    for one in recorded:
        when = spans.span(one["observed_at"], zone)
        rank = (when.first, when.last, one["pk"])
        held = newest.get(one["variable"])
        if when.first <= allocated_at and (held is None or rank > held[0]):
            newest[one["variable"]] = (rank, one)
    return [_standing(one, newest, site) for one in parts]


def _standing(
    part: Part, newest: Mapping[str, tuple[Any, Mapping[str, Any]]], site: str
) -> Standing:
    if part["by"] == "site":
        return Standing(part, site)
    if part["variable"] not in newest:
        return Standing(part, None)
    found = newest[part["variable"]][1]
    return Standing(part, found["value"], found["pk"])
