"""What an image series says against what the protocol plans and what the site recorded.

A limit that no source states is not checkable, which is not a pass: nothing is found about
it here, and the pages say "not checkable". The mistake to fear is a silent comparison of
two clocks: times are compared only when both carry a zone.

Rules run on facts that were put into one shape before; their limits, tolerances and
severities are data of the protocol. Only "blocking" keeps a series from being measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from imaging import ct_dose
from trials.conformance_rules import RULES, Severity, span
from trials.decay import HALF_LIFE
from trials.stated import (
    Comparison,
    Given,
    Stated,
    Tolerances,
    compared,
    dlp_agrees,
    is_same_name,
    plain,
)

# The code of a run that a blocking finding kept from being measured.
BLOCKED = "blocked-by-conformance"


class Kind(StrEnum):
    """What a finding becomes: a question to the site, a deviation from the protocol, or both."""

    QUERY = "query"
    DEVIATION = "deviation"
    BOTH = "query and deviation"

    @property
    def asks(self) -> bool:
        return self is not Kind.DEVIATION

    @property
    def deviates(self) -> bool:
        return self is not Kind.QUERY


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
    tolerances: Tolerances = field(default_factory=Tolerances)
    coverage_low_mm: float | None = None
    voxel_low_mm: float | None = None
    voxel_high_mm: float | None = None
    reconstructions: tuple[str, ...] = ()
    severities: Mapping[str, str] = field(default_factory=dict)

    def severity(self, rule: str) -> Severity:
        """How much a rule matters in this protocol."""
        return Severity(self.severities.get(rule, RULES[rule]))


@dataclass(frozen=True)
class Recorded:
    """What the site recorded of the injection; `gross_activity_mbq` without the residual.

    Where the residual was not measured, which is not zero, the net activity is an upper bound.
    """

    injected_at: datetime
    net_activity_mbq: float
    weight_kg: float
    gross_activity_mbq: float | None = None
    is_residual_known: bool = True
    height_cm: float | None = None
    half_life_s: float | None = None
    scanner: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Observed:
    """What the headers of the series say; times with zone, None where absent.

    `scanner` is manufacturer, model and station name; `voxel_mm` between planes, rows and
    columns; `coverage_mm` from the first plane to the last.
    """

    nuclide: str | None
    injected_at: datetime | None
    injected_activity_mbq: float | None
    weight_kg: float | None
    first_bed_at: datetime | None
    has_ct: bool
    slices: int = 0
    slices_announced: int | None = None
    height_cm: float | None = None
    half_life_s: float | None = None
    ct_at: datetime | None = None
    coverage_mm: float | None = None
    voxel_mm: tuple[float, float, float] | None = None
    reconstruction: str = ""
    is_attenuation_corrected: bool = True
    # Whether a CT names the frame of reference of the PET; None where there is none to compare.
    ct_shares_frame: bool | None = None
    # What says that slices are missing, as part of a sentence; empty if nothing does.
    missing: str = ""
    scanner: tuple[str, str, str] | None = None

    @property
    def stated(self) -> Stated:
        """What of it the site records as well."""
        return Stated(self.injected_at, self.injected_activity_mbq, self.weight_kg, self.height_cm)


@dataclass(frozen=True, slots=True)
class Doses:
    """The dose-length product of the CT in mGy cm, as what arrived tells it and as recorded."""

    told: ct_dose.Told
    recorded_mgy_cm: float


@dataclass(frozen=True)
class Finding:
    """One disagreement: stable rule name, sentence, the numbers compared, how much it matters.

    `population` is what it proposes for the analysis populations; empty if nothing.
    """

    rule: str
    kind: Kind
    text: str
    values: dict[str, object] = field(default_factory=dict)
    population: str = ""


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
    planned: Planned, observed: Observed, recorded: Recorded | None, doses: Doses | None = None
) -> tuple[Finding, ...]:
    """Every disagreement between protocol, record and headers.

    Parameters
    ----------
    planned, observed : Planned, Observed
    recorded : Recorded or None
        None when the site recorded no injection: the header then stands in, provisionally.
    doses : Doses or None
        None where nothing arrived that tells a dose-length product, or none is recorded.
    """
    return (
        *_tracer(planned, observed),
        *_uptake(planned, observed, recorded),
        *_computed_tomography(planned, observed),
        *_day(planned, observed),
        *_completeness(observed),
        *_image(planned, observed),
        *(_record(planned, observed, recorded) if recorded else _no_record(planned, observed)),
        *(_dose(planned, doses) if doses else ()),
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
    expected = HALF_LIFE.get(planned.radionuclide)
    found, most = observed.half_life_s, planned.tolerances.half_life
    if found and expected and abs(found / expected - 1) > most:
        yield Finding(
            "header-half-life-differs",
            Kind.QUERY,
            f"The half-life in the images is {found:.5g} s, that of {planned.radionuclide} is "
            f"{expected:.5g} s.",
            {"found": found, "expected": expected, "unit": "s"},
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
    elif outside(minutes, planned.uptake_low_minutes, planned.uptake_high_minutes):
        yield Finding(
            "uptake-time-out-of-window",
            Kind.BOTH,
            f"Uptake time {minutes:.1f} min is outside "
            f"{span(planned.uptake_low_minutes, planned.uptake_high_minutes)} min.",
            {
                "found": minutes,
                "low": planned.uptake_low_minutes,
                "high": planned.uptake_high_minutes,
                "unit": "min",
            },
            population="not per protocol: uptake",
        )


def _computed_tomography(planned: Planned, observed: Observed) -> Iterator[Finding]:
    if planned.requires_ct and not observed.has_ct:
        yield Finding(
            "ct-missing",
            Kind.DEVIATION,
            "The protocol plans a low-dose CT with this PET; no CT series arrived.",
            {"found": "PET only", "expected": "PET and CT"},
        )
    if observed.ct_shares_frame is False:
        yield Finding(
            "ct-of-another-frame",
            Kind.QUERY,
            "No CT of this scan names the Frame of Reference UID (0020,0052) of the PET, so the CT "
            "can't be shown on it. Send the CT that was acquired with this PET.",
            {"found": "another frame of reference", "expected": "that of the PET"},
        )
    if observed.ct_at and observed.first_bed_at and observed.ct_at > observed.first_bed_at:
        yield Finding(
            "ct-after-pet",
            Kind.QUERY,
            "The CT began after the first bed of the PET: was it the CT of this PET?",
            {
                "found": observed.ct_at.isoformat(),
                "expected": f"before {observed.first_bed_at.isoformat()}",
            },
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
    elif observed.missing:
        yield Finding(
            "slices-missing",
            Kind.QUERY,
            f"Slices of the PET series seem to be missing: {observed.missing}. Send the folder "
            "again with all of them, or confirm that there are no more.",
            {"found": observed.slices, "expected": None},
        )


def _image(planned: Planned, observed: Observed) -> Iterator[Finding]:
    if not observed.is_attenuation_corrected:
        yield Finding(
            "not-attenuation-corrected",
            Kind.QUERY,
            "No PET series of this scan is corrected for attenuation: Corrected Image (0028,0051) "
            "lacks ATTN. Send the corrected reconstruction.",
            {"found": "not corrected", "expected": "ATTN"},
        )
    covered, least = observed.coverage_mm, planned.coverage_low_mm
    if covered is not None and least is not None and covered < least:
        yield Finding(
            "coverage-too-short",
            Kind.DEVIATION,
            f"The PET covers {covered:.0f} mm along the body, the protocol asks for "
            f"{least:g} mm or more.",
            {"found": covered, "low": least, "high": None, "unit": "mm"},
        )
    for size in observed.voxel_mm or ():
        if outside(size, planned.voxel_low_mm, planned.voxel_high_mm):
            yield Finding(
                "voxel-size-out-of-range",
                Kind.DEVIATION,
                f"A voxel measures {size:.3g} mm, the protocol asks for "
                f"{span(planned.voxel_low_mm, planned.voxel_high_mm)} mm.",
                {
                    "found": list(observed.voxel_mm or ()),
                    "low": planned.voxel_low_mm,
                    "high": planned.voxel_high_mm,
                    "unit": "mm",
                },
            )
            break
    found = observed.reconstruction
    if planned.reconstructions and found and not is_listed(found, planned.reconstructions):
        yield Finding(
            "reconstruction-not-listed",
            Kind.DEVIATION,
            f"Reconstruction {found} is not one the protocol lists: "
            f"{', '.join(planned.reconstructions)}.",
            {"found": found, "expected": list(planned.reconstructions)},
        )


def _no_record(planned: Planned, observed: Observed) -> Iterator[Finding]:
    yield Finding(
        "injection-not-recorded",
        Kind.QUERY,
        "Images arrived, but no injection is recorded for this scan. Record activity, times "
        "and weight from the source.",
    )
    activity = observed.injected_activity_mbq
    if activity is not None and outside(
        activity, planned.activity_low_mbq, planned.activity_high_mbq
    ):
        yield Finding(
            "header-activity-out-of-range",
            Kind.DEVIATION,
            f"The header gives {activity:.1f} MBq injected, outside "
            f"{span(planned.activity_low_mbq, planned.activity_high_mbq)} MBq.",
            {
                "found": activity,
                "low": planned.activity_low_mbq,
                "high": planned.activity_high_mbq,
                "unit": "MBq",
            },
        )


def _record(planned: Planned, observed: Observed, recorded: Recorded) -> Iterator[Finding]:
    given = Given(
        recorded.injected_at,
        recorded.net_activity_mbq,
        recorded.weight_kg,
        recorded.gross_activity_mbq,
        recorded.height_cm,
    )
    for one in compared(observed.stated, given, planned.tolerances):
        if not one.agrees:
            yield _apart(one, recorded)
    yield from _scanner(observed, recorded)


def _apart(one: Comparison, recorded: Recorded) -> Finding:
    """What header and record say differently."""
    if one.field == "activity_mbq":
        return _activity(one, recorded)
    if isinstance(one.stated, datetime) and isinstance(one.recorded, datetime):
        return Finding(
            "header-injection-time-differs",
            Kind.QUERY,
            f"The injection time in the images is {one.apart / 60:+.1f} min from the recorded one. "
            "Check both clocks and the record.",
            {"found": one.stated.isoformat(), "expected": one.recorded.isoformat()},
        )
    what = one.label.lower()
    return Finding(
        f"header-{what}-differs",
        Kind.QUERY,
        f"The {what} in the images is {one.stated:.4g} {one.unit}, the record says "
        f"{one.recorded:.4g} {one.unit}.",
        {"found": one.stated, "expected": one.recorded, "unit": one.unit},
    )


def _activity(one: Comparison, recorded: Recorded) -> Finding:
    """Against the net activity, and the gross one, naming which it is."""
    net, gross = recorded.net_activity_mbq, recorded.gross_activity_mbq
    values: dict[str, object] = {
        "found": one.stated,
        "expected": net if recorded.is_residual_known else None,
        "gross": gross,
        "unit": "MBq",
    }
    if one.matches == "gross":
        return Finding(
            "header-activity-is-gross",
            Kind.QUERY,
            f"The activity in the images, {one.stated:.4g} MBq, is the gross one: the residual "
            f"was not subtracted. The net activity recorded is {net:.4g} MBq.",
            values,
        )
    return Finding(
        "header-activity-differs",
        Kind.QUERY,
        f"The injected activity in the images is {one.stated:.4g} MBq, the record says "
        f"{_activities(recorded)}.",
        values,
    )


def _activities(recorded: Recorded) -> str:
    """The recorded activities in words."""
    net, gross = recorded.net_activity_mbq, recorded.gross_activity_mbq
    if not recorded.is_residual_known:
        return f"{net:.4g} MBq gross, the residual was not measured"
    return f"{net:.4g} MBq net" + (f" and {gross:.4g} MBq gross" if gross is not None else "")


def _dose(planned: Planned, doses: Doses) -> Iterator[Finding]:
    """The recorded dose-length product against the report's, or the estimate; neither is taken."""
    told, recorded = doses.told, doses.recorded_mgy_cm
    if dlp_agrees(recorded, told.dlp_mgy_cm, basis=told.basis, tolerances=planned.tolerances):
        return
    is_report = told.basis == "report"
    what = "the scanner's dose report says" if is_report else "an estimate from the images is"
    yield Finding(
        "header-dlp-differs",
        Kind.QUERY,
        f"The recorded dose-length product of the CT is {recorded:.4g} mGy cm in all, {what} "
        f"{told.dlp_mgy_cm:.4g} mGy cm. Check the dose report, and whether each CT is recorded "
        "once.",
        {
            "found": told.dlp_mgy_cm,
            "expected": recorded,
            "unit": "mGy cm",
            "basis": told.basis,
        },
    )


def _scanner(observed: Observed, recorded: Recorded) -> Iterator[Finding]:
    """Maker and model, where both name them, in whatever spelling."""
    if observed.scanner is None or recorded.scanner is None:
        return
    pairs = zip(observed.scanner, recorded.scanner, strict=True)
    if all(is_same_name(*pair) for pair in pairs):
        return
    found, expected = (" ".join(one).strip() for one in (observed.scanner, recorded.scanner))
    yield Finding(
        "header-scanner-differs",
        Kind.QUERY,
        f"The images are from {found}, the record names {expected}.",
        {"found": found, "expected": expected},
    )


def is_listed(found: str, listed: tuple[str, ...]) -> bool:
    """Whether a reconstruction is one of a list, whatever its spelling: "3D-OSEM" is OSEM."""
    return any(plain(one) in plain(found) for one in listed)


def outside(value: float, low: float | None, high: float | None) -> bool:
    """Whether a value lies outside closed limits, either of which may be unknown."""
    return (low is not None and value < low) or (high is not None and value > high)
