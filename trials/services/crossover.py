"""What the gate of a scan day asks of a randomised cross-over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from trials import crossover
from trials.kleene import Truth
from trials.models import Allocation, Injection, ScheduledScan
from trials.protocol import in_force
from trials.services import allocations, evidence
from trials.variables import VARIABLES


@dataclass(frozen=True)
class Asked:
    """Something a cross-over asks; `is_met` is None where there is nothing to check it against."""

    code: str
    label: str
    is_met: bool | None
    sentence: str


def asked(scan: ScheduledScan, *, at: datetime) -> Iterator[Asked]:
    """Sequence, gap and what may not lie between, of a scan that is a period of a sequence."""
    scheme = allocations.stated(scan.planned_scan.version)
    name = scan.planned_scan.identifier
    if not any(name in one["periods"] for one in scheme.get("sequences", ())):
        return
    allocation = Allocation.objects.filter(patient=scan.patient).first()
    label = "In the order of the sequence"
    if allocation is None:
        text = f"{scan.patient} is not randomised: allocate the sequence first."
        yield Asked("sequence", label, False, text)
        return
    if allocations.is_concealed(allocation):
        # Whether the order is kept would tell the sequence.
        yield Asked("sequence", label, None, "The allocation is concealed.")
        return
    sequence = allocations.sequence_of(allocation)
    if name not in sequence["periods"]:
        yield Asked("sequence", label, False, f"{scan.planned_scan} is not of the sequence.")
        return
    before = crossover.period_before(sequence["periods"], name)
    if before is None:
        yield Asked("sequence", label, True, f"First of {sequence['label']}.")
        return
    given = _given(scan, before)
    if given is None:
        first = scan.planned_scan.version.planned_scans.get(identifier=before)
        text = f"{first} is given before this scan: the sequence is {sequence['label']}."
        yield Asked("sequence", label, False, text)
        return
    yield Asked("sequence", label, True, f"The sequence is {sequence['label']}.")
    yield _gap(scan, given, at, scheme)
    yield from _between(scan, given, at, scheme)


def _given(scan: ScheduledScan, planned: str) -> datetime | None:
    """When the tracer of another period was given to the patient; the last time, if repeated."""
    rows = Injection.objects.filter(
        scheduled_scan__patient=scan.patient_id, scheduled_scan__planned_scan__identifier=planned
    )
    return rows.order_by("injected_at").values_list("injected_at", flat=True).last()


def _gap(scan: ScheduledScan, given: datetime, at: datetime, scheme: Mapping[str, Any]) -> Asked:
    label = "Gap between the tracers"
    gap = in_force(scheme.get("gap"))
    if not any(gap.get(key) for key in ("minimum", "maximum")):
        return Asked("gap", label, None, "No source states a gap between the tracers.")
    zone = ZoneInfo(scan.patient.site.time_zone)
    problem = crossover.gap_problem(
        given, at, minimum=gap["minimum"], maximum=gap["maximum"], zone=zone
    )
    first = f"The first tracer was given on {given.astimezone(zone):%Y-%m-%d %H:%M}."
    return Asked("gap", label, not problem, problem or first)


def _between(
    scan: ScheduledScan, given: datetime, at: datetime, scheme: Mapping[str, Any]
) -> Iterator[Asked]:
    for variable in in_force(scheme.get("forbidden_between")).get("events", ()):
        name = VARIABLES[variable].label
        told = evidence.newest(scan.patient, variable, since=given)
        if told is None or told.value is None:
            text = f"{name}: ask again, nothing is recorded since the first tracer."
            yield Asked(f"between-{variable}", f"None between: {name}", False, text)
            continue
        zone = ZoneInfo(scan.patient.site.time_zone)
        found = crossover.events_between(told.value, given, at, zone)
        text = {
            Truth.NO: f"{name}: none between the tracers.",
            Truth.UNKNOWN: f"{name}: whether between the tracers can't be told from its dates.",
            Truth.YES: f"{name} between the tracers.",
        }[found]
        yield Asked(f"between-{variable}", f"None between: {name}", found is Truth.NO, text)
