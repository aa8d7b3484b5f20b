"""Of whom the records are: a patient, the site's clock, and the dates that others count from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reporting.sdtm import dates
from reporting.sdtm.arms import Arm, arm_of, is_under_study
from reporting.sdtm.model import Row, Source


@dataclass(frozen=True, eq=False)
class Subject:
    """A patient as SDTM knows one; dates are local to the site, as precise as they are known.

    `injected` are the injections of any tracer, `exposed` of those under study, in their order.
    """

    usubjid: str
    row: Row
    zone: str
    consented: str
    injected: Sequence[Row]
    exposed: Sequence[Row]
    arm: Arm | None
    is_concealed: bool

    def local(self, value: Any) -> str:
        """A date or moment by the clock of the site."""
        return dates.local(value, self.zone)

    @property
    def reference(self) -> str:
        """RFSTDTC: the first injection of a tracer under study."""
        return self.local(self.exposed[0]["injected_at"]) if self.exposed else ""


@dataclass(slots=True)
class Tally:
    """What the summary of a trial tells of all its patients."""

    enrolled: int = 0
    first_consent: str | None = None

    def count(self, subjects: Iterable[Subject]) -> None:
        """Count some patients in."""
        for one in subjects:
            self.enrolled += one.row["enrolled_at"] is not None
            if consented := one.consented[:10]:
                self.first_consent = min(consented, self.first_consent or consented)


def subjects(source: Source) -> Mapping[str, Subject]:
    """The patients of a trial by USUBJID."""
    injected: dict[str, list[Row]] = {}
    for scan in source.rows("scans"):
        if scan["injected_at"] is not None:
            injected.setdefault(scan["usubjid"], []).append(scan)
    allocated = {row["usubjid"]: row for row in source.rows("allocations")}
    return {
        row["usubjid"]: _subject(source, row, injected, allocated.get(row["usubjid"]))
        for row in source.rows("patients")
    }


def _subject(
    source: Source, row: Row, injected: Mapping[str, list[Row]], allocated: Row | None
) -> Subject:
    zone = row["site_time_zone"]
    given = sorted(injected.get(row["usubjid"], ()), key=lambda one: one["injected_at"])
    is_concealed = allocated is not None and not allocated["sequence"]
    return Subject(
        usubjid=row["usubjid"],
        row=row,
        zone=zone,
        consented=dates.local(row["consented_at"], zone),
        injected=given,
        exposed=[one for one in given if is_under_study(source.definition, one["tracer"])],
        arm=None if is_concealed else arm_of(source.definition, row, allocated),
        is_concealed=is_concealed,
    )
