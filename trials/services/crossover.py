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

ORDER = "In the order of the sequence"


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
    periods = _periods(scheme)
    if name not in periods:
        return
    allocation = (
        Allocation.objects.filter(patient=scan.patient).select_related("trial", "version").first()
    )
    if allocation is None:
        text = f"{scan.patient} is not randomised: allocate the sequence first."
        yield Asked("sequence", ORDER, False, text)
        return
    # An amendment may have renamed a period since.
    periods |= _periods(allocations.stated(allocation.version))
    given = _given(scan, periods, at)
    yield _order(name, allocation, given, scheme)
    if given:
        # Neither needs the sequence: they are asked of a concealed one as well.
        last = max(given.values())
        yield _gap(scan, last, at, scheme)
        yield from _between(scan, last, at, scheme)


def _periods(scheme: Mapping[str, Any]) -> set[str]:
    return {name for one in scheme.get("sequences", ()) for name in one["periods"]}


def _given(scan: ScheduledScan, periods: set[str], at: datetime) -> dict[str, datetime]:
    """When the tracer of each other period was given before; the last time, if repeated."""
    rows = Injection.objects.filter(
        scheduled_scan__patient=scan.patient_id,
        scheduled_scan__planned_scan__identifier__in=periods - {scan.planned_scan.identifier},
        injected_at__lte=at,
    ).exclude(scheduled_scan=scan)
    named = rows.values_list("scheduled_scan__planned_scan__identifier", "injected_at")
    return dict(named.order_by("injected_at"))


def _order(
    name: str, allocation: Allocation, given: Mapping[str, datetime], scheme: Mapping[str, Any]
) -> Asked:
    """Whether the period before was given, and none that comes after."""
    if allocations.is_concealed(allocation):
        # Whether the order is kept would tell the sequence.
        return Asked("sequence", ORDER, None, "The allocation is concealed.")
    sequence = allocations.sequence_of(allocation)
    labels = dict(allocation.version.planned_scans.values_list("identifier", "label"))
    # What an amendment renamed is the same period, at the same place of the same sequence.
    before_it = crossover.renamed(sequence, scheme.get("sequences", ()))
    name = before_it.get(name, name)
    given = {before_it.get(one, one): at for one, at in given.items()}
    if name not in sequence["periods"]:
        text = f"{labels.get(name, name)} is not of the sequence {sequence['label']}."
        return Asked("sequence", ORDER, False, text)
    before = crossover.period_before(sequence["periods"], name)
    if before is not None and before not in given:
        text = f"{labels.get(before, before)} is given before this scan: the sequence is "
        return Asked("sequence", ORDER, False, f"{text}{sequence['label']}.")
    after = sequence["periods"][sequence["periods"].index(name) + 1 :]
    if early := [labels.get(one, one) for one in after if one in given]:
        text = f"{', '.join(early)} was given already: the sequence is {sequence['label']}."
        return Asked("sequence", ORDER, False, text)
    return Asked("sequence", ORDER, True, f"The sequence is {sequence['label']}.")


def _gap(scan: ScheduledScan, given: datetime, at: datetime, scheme: Mapping[str, Any]) -> Asked:
    label = "Gap between the tracers"
    gap = in_force(scheme.get("gap"))
    if not any(gap.get(key) for key in ("minimum", "maximum")):
        return Asked("gap", label, None, "No source states a gap between the tracers.")
    zone = ZoneInfo(scan.patient.site.time_zone)
    problem = crossover.gap_problem(
        given, at, minimum=gap["minimum"], maximum=gap["maximum"], zone=zone
    )
    first = f"The first tracer was given on {crossover.shown(given, zone)}."
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
