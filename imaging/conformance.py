"""What an image series says against what the protocol plans and what the site recorded.

A limit that no source states is not checkable, which is not a pass: nothing is said about
it here, and the pages say "not checkable". The mistake to fear is a silent comparison of
two clocks: times are compared only when both carry a zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

# Header and record round differently; beyond this somebody should look.
ACTIVITY_TOLERANCE = 0.05
WEIGHT_TOLERANCE = 0.02
INJECTION_TIME_TOLERANCE_S = 120.0


class Kind(StrEnum):
    """What a finding becomes: a question to the site, or a deviation from the protocol."""

    QUERY = "query"
    DEVIATION = "deviation"


@dataclass(frozen=True)
class Planned:
    """What the protocol version states; None is unknown."""

    radionuclide: str
    uptake_low_minutes: float | None
    uptake_high_minutes: float | None
    activity_low_mbq: float | None
    activity_high_mbq: float | None
    requires_ct: bool | None
    scan_date: date


@dataclass(frozen=True)
class Recorded:
    """What the site recorded of the injection."""

    injected_at: datetime
    net_activity_mbq: float
    weight_kg: float


@dataclass(frozen=True)
class Observed:
    """What the headers of the series say; times with zone, None where absent."""

    nuclide: str | None
    injected_at: datetime | None
    injected_activity_mbq: float | None
    weight_kg: float | None
    first_bed_at: datetime | None
    has_ct: bool
    slices: int = 0
    slices_announced: int | None = None


@dataclass(frozen=True)
class Finding:
    """One disagreement: stable rule name, sentence, and the numbers compared."""

    rule: str
    kind: Kind
    text: str
    values: dict[str, object] = field(default_factory=dict)


def uptake_minutes(observed: Observed, recorded: Recorded | None) -> float | None:
    """Minutes from injection to the start of the first PET bed, unrounded.

    The recorded injection time counts before the one in the header; None when either end
    of the interval is unknown.

    >>> from datetime import UTC, datetime
    >>> bed = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
    >>> shot = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    >>> uptake_minutes(Observed("Ga-68", shot, 150.0, 70.0, bed, True), None)
    60.0
    """
    injected = recorded.injected_at if recorded else observed.injected_at
    if injected is None or observed.first_bed_at is None:
        return None
    return (observed.first_bed_at - injected).total_seconds() / 60


def findings(
    planned: Planned, observed: Observed, recorded: Recorded | None
) -> tuple[Finding, ...]:
    """Every disagreement between protocol, record and headers.

    Parameters
    ----------
    planned, observed : Planned, Observed
    recorded : Recorded or None
        None when the site recorded no injection: the header then stands in, provisionally.
    """
    return (
        *_tracer(planned, observed),
        *_uptake(planned, observed, recorded),
        *_computed_tomography(planned, observed),
        *_day(planned, observed),
        *_completeness(observed),
        *(_record(observed, recorded) if recorded else _no_record(planned, observed)),
    )


def _tracer(planned: Planned, observed: Observed) -> Iterator[Finding]:
    if observed.nuclide is not None and observed.nuclide != planned.radionuclide:
        yield Finding(
            "radionuclide-differs",
            Kind.QUERY,
            f"The images are of {observed.nuclide}, this scan is planned with "
            f"{planned.radionuclide}. Check that they belong to this scan.",
            {"found": observed.nuclide, "expected": planned.radionuclide},
        )


def _uptake(planned: Planned, observed: Observed, recorded: Recorded | None) -> Iterator[Finding]:
    minutes = uptake_minutes(observed, recorded)
    if minutes is None:
        return
    if minutes < 0:
        yield Finding(
            "negative-uptake-time",
            Kind.QUERY,
            f"The scan begins {-minutes:.1f} min before the injection: one of the clocks or "
            "times is wrong.",
            {"found": minutes, "unit": "min"},
        )
    elif _outside(minutes, planned.uptake_low_minutes, planned.uptake_high_minutes):
        yield Finding(
            "uptake-time-out-of-window",
            Kind.DEVIATION,
            f"Uptake time {minutes:.1f} min is outside "
            f"{_span(planned.uptake_low_minutes, planned.uptake_high_minutes)} min.",
            {
                "found": minutes,
                "low": planned.uptake_low_minutes,
                "high": planned.uptake_high_minutes,
                "unit": "min",
            },
        )


def _computed_tomography(planned: Planned, observed: Observed) -> Iterator[Finding]:
    if planned.requires_ct and not observed.has_ct:
        yield Finding(
            "ct-missing",
            Kind.DEVIATION,
            "The protocol plans a low-dose CT with this PET; no CT series arrived.",
            {"found": "PET only", "expected": "PET and CT"},
        )


def _day(planned: Planned, observed: Observed) -> Iterator[Finding]:
    if observed.first_bed_at is None or observed.first_bed_at.date() == planned.scan_date:
        return
    found = observed.first_bed_at.date()
    yield Finding(
        "scan-not-on-planned-day",
        Kind.DEVIATION,
        f"The images say {found.isoformat()}, the scan was planned for "
        f"{planned.scan_date.isoformat()}.",
        {"found": found.isoformat(), "expected": planned.scan_date.isoformat()},
    )


def _completeness(observed: Observed) -> Iterator[Finding]:
    announced = observed.slices_announced
    if announced is not None and announced > observed.slices:
        yield Finding(
            "fewer-slices-than-announced",
            Kind.QUERY,
            f"{observed.slices} slices of the PET series arrived, its header counts {announced}. "
            "Send the folder again with all of them, or confirm that there are no more.",
            {"found": observed.slices, "expected": announced},
        )


def _no_record(planned: Planned, observed: Observed) -> Iterator[Finding]:
    yield Finding(
        "injection-not-recorded",
        Kind.QUERY,
        "Images arrived, but no injection is recorded for this scan. Record activity, times "
        "and weight from the source.",
    )
    activity = observed.injected_activity_mbq
    if activity is not None and _outside(
        activity, planned.activity_low_mbq, planned.activity_high_mbq
    ):
        yield Finding(
            "header-activity-out-of-range",
            Kind.DEVIATION,
            f"The header gives {activity:.1f} MBq injected, outside "
            f"{_span(planned.activity_low_mbq, planned.activity_high_mbq)} MBq.",
            {
                "found": activity,
                "low": planned.activity_low_mbq,
                "high": planned.activity_high_mbq,
                "unit": "MBq",
            },
        )


def _record(observed: Observed, recorded: Recorded) -> Iterator[Finding]:
    yield from _differs(
        "header-activity-differs",
        "injected activity",
        observed.injected_activity_mbq,
        recorded.net_activity_mbq,
        "MBq",
        ACTIVITY_TOLERANCE,
    )
    yield from _differs(
        "header-weight-differs",
        "weight",
        observed.weight_kg,
        recorded.weight_kg,
        "kg",
        WEIGHT_TOLERANCE,
    )
    if observed.injected_at is None:
        return
    seconds = (observed.injected_at - recorded.injected_at).total_seconds()
    if abs(seconds) > INJECTION_TIME_TOLERANCE_S:
        yield Finding(
            "header-injection-time-differs",
            Kind.QUERY,
            f"The injection time in the images is {seconds / 60:+.1f} min from the recorded one. "
            "Check both clocks and the record.",
            {
                "found": observed.injected_at.isoformat(),
                "expected": recorded.injected_at.isoformat(),
            },
        )


def _differs(
    rule: str, what: str, found: float | None, expected: float, unit: str, tolerance: float
) -> Iterator[Finding]:
    if found is None or abs(found - expected) <= tolerance * expected:
        return
    yield Finding(
        rule,
        Kind.QUERY,
        f"The {what} in the images is {found:.4g} {unit}, the record says {expected:.4g} {unit}. "
        "The SUV was computed with the value in the images.",
        {"found": found, "expected": expected, "unit": unit},
    )


def _outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)


def _span(low: float | None, high: float | None) -> str:
    if low is None:
        return f"up to {high:g}"
    return f"{low:g} to {high:g}" if high is not None else f"{low:g} or more"
