"""PERCIST 1.0: metabolic response from the hottest lesion of each scan.

    CMR  all lesions below the liver's mean SUL and not to be told from their surroundings
    PMR  SULpeak fell by at least 30 % and by at least 0.8; no other lesion rose by over 30 %
    PMD  SULpeak rose by over 30 % and by at least 0.8; or total lesion glycolysis of the five
         hottest by over 75 %; or the extent visibly; or a new lesion
    SMD  otherwise

The hottest lesion of one scan need not be that of the other. The mistake to fear is to compare
scans that can't be compared: the conditions are a gate, and a scan after 35 minutes may be
right by its protocol and still give no PERCIST.

Where the liver of a scan is diseased, the blood pool takes its place in all of this: a target is
measurable from twice its mean and two deviations on, the scans are comparable within the same
20 % and 0.3, and CMR is below its mean. It is said with the answer that it did.

References
----------
Wahl et al., J Nucl Med 2009;50 Suppl 1:122S; tables as in J Cancer 2010;1:80 (PMC2938069, T3)
and Korean J Intern Med (PMC6506740, T1); that no other lesion may rise by over 30 % in SUL or
size, as in pacs.de/term/positron-emission-tomography-response-criteria-in-solid-tumors-percist
and Egypt J Radiol Nucl Med 2020;51 (s43055-020-0133-5), T1; conditions as in PMC4377159, T2,
of the injected activity and of glucose as in O et al., Radiology 2016;280:576 (PMC4976461); the
blood pool where the liver is abnormal, and that it is measured in 1 cm across and 2 cm along the
descending aorta, as in the table of PERCIST 1.0 of Wahl et al.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from imaging.cut_offs import change_percent, exceeds, is_measured, is_positive, reaches, words
from imaging.identity import tracer_of
from imaging.response.glucose import Glucose, against
from imaging.response.terms import (
    Category,
    Number,
    Response,
    answer,
    fdg_flags,
    numbers,
    unanswered,
)

SCALE = "PERCIST 1.0"
SOURCE = "Wahl et al., J Nucl Med 2009;50 Suppl 1:122S; PMC2938069, table 3"

# Conditions of comparability; all limits are still comparable.
EARLIEST_MINUTES = 50.0
MINUTES_APART = 15.0
ACTIVITY_PERCENT = 20.0
LIVER_PERCENT = 20.0
LIVER_SUL = 0.3
# Of the sphere that the liver is measured in, and what is said of another.
LIVER_RADIUS_MM = 15.0
OTHER_LIVER = "liver-not-in-30-mm-sphere"
BY_BLOOD_POOL = "compared-by-blood-pool"
COARSE_PEAK = "peak-of-coarse-voxels"
# SUV Types (0054,1006) by lean body mass: James as DICOM and as he wrote it, Janmahasatian.
LEAN = frozenset({"LBM", "LBMJAMES128", "LBMJANMA"})

CHANGE_PERCENT = 30.0
CHANGE_SUL = 0.8
GLYCOLYSIS_PERCENT = 75.0
MOST_LESIONS, MOST_PER_ORGAN = 5, 2

# Lowest SUL of a target at baseline: factor of the region's mean, number of its deviations.
MEASURABLE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"liver": (1.5, 2.0), "blood_pool": (2.0, 2.0)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PercistLesion:
    """A lesion: SULpeak in g/mL, total lesion glycolysis (SULmean times MTV) in g."""

    name: str
    organ: str
    sul_peak: float | None
    glycolysis: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PercistScan:
    """One scan. None is not measured; no lesion at all is an empty tuple.

    `liver_mean` and `liver_sd` are SUL in g/mL of a 30 mm sphere in the right lobe, `blood_mean`
    and `blood_sd` of the blood pool in the descending aorta, looked at where a liver is diseased,
    `uptake_minutes` from injection to the start of the first bed, `activity_mbq` what was injected,
    `glucose` in plasma before it. `scanner_class` is whatever
    makes two scans comparable: scanner, reconstruction, EARL class. `suv_type` is SUV Type
    (0054,1006) and names the lean body mass, `peak_definition` that of SULpeak, and
    `has_coarse_peak` says that voxels are large against its sphere (`imaging.peaks.coarse_words`).
    """

    lesions: tuple[PercistLesion, ...] | None
    liver_mean: float | None
    liver_sd: float | None
    is_liver_diseased: bool | None
    blood_mean: float | None = None
    blood_sd: float | None = None
    uptake_minutes: float | None
    activity_mbq: float | None
    glucose: Glucose | None
    scanner_class: str
    suv_type: str
    peak_definition: str
    has_coarse_peak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PercistReading:
    """What a reader says of the later scan; None is not said."""

    # FDG-avid, typical of cancer, not explained by treatment or infection.
    has_new_lesion: bool | None
    has_grown_visibly: bool | None
    # In SULpeak or size by more than 30 %, in a lesion other than the hottest.
    has_risen_elsewhere: bool | None
    # All lesions, from the tissue around them or from blood pool.
    is_indistinguishable: bool | None


def lowest_measurable_sul(
    region: Literal["liver", "blood_pool"], *, mean: float, sd: float
) -> float:
    """SULpeak in g/mL that a target must reach at baseline.

    >>> lowest_measurable_sul("liver", mean=2.0, sd=0.25)
    3.5
    >>> lowest_measurable_sul("blood_pool", mean=1.5, sd=0.2)
    3.4
    """
    factor, deviations = MEASURABLE[region]
    return factor * mean + deviations * sd


def hottest(lesions: Iterable[PercistLesion]) -> tuple[PercistLesion, ...]:
    """Up to five lesions by falling SULpeak, at most two of an organ; ties by name."""
    chosen: list[PercistLesion] = []
    for lesion in sorted(lesions, key=lambda one: (-(one.sul_peak or 0.0), one.name)):
        same = sum(one.organ == lesion.organ for one in chosen)
        if len(chosen) < MOST_LESIONS and same < MOST_PER_ORGAN:
            chosen.append(lesion)
    return tuple(chosen)


def percist(
    baseline: PercistScan, later: PercistScan, reading: PercistReading, *, tracer: str
) -> Response:
    """Response by PERCIST 1.0, or NE with all that stands against it.

    Parameters
    ----------
    baseline, later : PercistScan
        SUL in g/mL, minutes after injection, MBq, mg/dL.
    reading : PercistReading
        Of the later scan.
    tracer : str
        Of both scans; the scale is flagged for any but FDG, and glucose is asked for FDG alone.
    """
    tissue = _tissue(baseline, later)
    by_blood_pool = tissue.region == "blood_pool"
    is_coarse = baseline.has_coarse_peak or later.has_coarse_peak
    flags = (
        *fdg_flags(tracer),
        *((BY_BLOOD_POOL,) if by_blood_pool else ()),
        *((COARSE_PEAK,) if is_coarse else ()),
    )
    in_the_way = (
        *_incomparable(baseline, later, tissue),
        *(_glucose(baseline, later) if tracer_of(tracer) == "FDG" else ()),
        *_unmeasured(baseline, later, tissue),
        *unanswered(_claims(reading)),
    )
    if in_the_way:
        return _response("NE", in_the_way, (), flags)
    change = _change(baseline, later, tissue)
    category, reasons = _category(change, reading)
    return _response(category, reasons, change.numbers, flags)


def _response(
    category: Category, reasons: Iterable[str], used: tuple[Number, ...], flags: tuple[str, ...]
) -> Response:
    return answer(category, reasons, scale=SCALE, source=SOURCE, used=used, flags=flags)


@dataclass(frozen=True, slots=True)
class _Tissue:
    """Normal tissue that two scans are compared by: SUL in g/mL on each, SD at baseline."""

    name: str
    region: Literal["liver", "blood_pool"]
    before: float | None
    after: float | None
    sd: float | None


def _tissue(baseline: PercistScan, later: PercistScan) -> _Tissue:
    """The liver; where that of either scan is diseased, the blood pool of both."""
    if baseline.is_liver_diseased or later.is_liver_diseased:
        means = baseline.blood_mean, later.blood_mean
        return _Tissue("blood pool", "blood_pool", *means, baseline.blood_sd)
    return _Tissue("liver", "liver", baseline.liver_mean, later.liver_mean, baseline.liver_sd)


def _claims(reading: PercistReading) -> tuple[tuple[str, bool | None], ...]:
    return (
        ("there is a new lesion", reading.has_new_lesion),
        ("the extent of uptake grew visibly", reading.has_grown_visibly),
        ("another lesion rose by more than 30 %", reading.has_risen_elsewhere),
        ("all lesions look like their surroundings", reading.is_indistinguishable),
    )


def _incomparable(baseline: PercistScan, later: PercistScan, tissue: _Tissue) -> Iterator[str]:
    """The conditions of comparability that are not met, as parts of a sentence."""
    yield from _uptake_times(baseline.uptake_minutes, later.uptake_minutes)
    yield from _activities(baseline.activity_mbq, later.activity_mbq)
    if baseline.is_liver_diseased is None or later.is_liver_diseased is None:
        yield "nobody says whether the liver is healthy"
    yield from _normal_tissue(tissue)
    if not baseline.scanner_class or not later.scanner_class:
        yield "the scanner class of a scan is not known"
    elif baseline.scanner_class != later.scanner_class:
        yield (
            f"the scanner classes differ ({baseline.scanner_class} at baseline, "
            f"{later.scanner_class} later)"
        )
    if baseline.suv_type not in LEAN or baseline.suv_type != later.suv_type:
        yield (
            "both scans need SUL by the same lean body mass, got SUV Types "
            f"{baseline.suv_type or 'none'} and {later.suv_type or 'none'}"
        )
    if not baseline.peak_definition or baseline.peak_definition != later.peak_definition:
        yield (
            "both scans need SULpeak by the same definition, got "
            f"{baseline.peak_definition or 'none'} and {later.peak_definition or 'none'}"
        )


def _uptake_times(before: float | None, after: float | None) -> Iterator[str]:
    if not is_measured(before) or not is_measured(after):
        yield "the uptake time of a scan is not known"
        return
    for name, minutes in (("baseline", before), ("later scan", after)):
        if not reaches(minutes, EARLIEST_MINUTES):
            yield (
                f"the {name} began {words(minutes, EARLIEST_MINUTES)} min after injection, "
                f"before {EARLIEST_MINUTES:g} min"
            )
    apart = abs(after - before)
    if exceeds(apart, MINUTES_APART):
        yield (
            f"the uptake times are {words(apart, MINUTES_APART)} min apart, more than "
            f"{MINUTES_APART:g} min"
        )


def _activities(before: float | None, after: float | None) -> Iterator[str]:
    if not is_positive(before) or not is_positive(after):
        yield "the injected activity of a scan is not known"
        return
    percent = abs(change_percent(before, after))
    if exceeds(percent, ACTIVITY_PERCENT):
        yield (
            f"the injected activities differ by {words(percent, ACTIVITY_PERCENT)} % "
            f"({words(before)} and {words(after)} MBq), more than {ACTIVITY_PERCENT:g} %"
        )


def _glucose(baseline: PercistScan, later: PercistScan) -> Iterator[str]:
    for name, scan in (("baseline", baseline), ("later scan", later)):
        if found := against(name, scan.glucose):
            yield found


def _normal_tissue(tissue: _Tissue) -> Iterator[str]:
    before, after, name = tissue.before, tissue.after, tissue.name
    if not is_positive(before) or not is_positive(after):
        instead = ", by which scans are compared where the liver is diseased,"
        of = name if tissue.region == "liver" else f"{name}{instead}"
        yield f"the mean SUL of the {of} is missing or not positive on a scan"
        return
    percent, apart = abs(change_percent(before, after)), abs(after - before)
    if exceeds(percent, LIVER_PERCENT):
        yield (
            f"the {name} differs by {words(percent, LIVER_PERCENT)} %, "
            f"more than {LIVER_PERCENT:g} %"
        )
    if exceeds(apart, LIVER_SUL):
        yield f"the {name} differs by {words(apart, LIVER_SUL)} g/mL, more than {LIVER_SUL:g} g/mL"


def _unmeasured(baseline: PercistScan, later: PercistScan, tissue: _Tissue) -> Iterator[str]:
    """What of the lesions is missing, as parts of a sentence."""
    for name, scan in (("baseline", baseline), ("later scan", later)):
        if scan.lesions is None:
            yield f"the lesions of the {name} were not measured"
            continue
        for lesion in scan.lesions:
            yield from _gaps(name, lesion)
    yield from _targets(baseline, tissue)


def _gaps(scan: str, lesion: PercistLesion) -> Iterator[str]:
    if not is_measured(lesion.sul_peak):
        yield f"SULpeak of lesion {lesion.name} of the {scan} is missing"
    if not is_measured(lesion.glycolysis):
        yield f"total lesion glycolysis of lesion {lesion.name} of the {scan} is missing"
    if not lesion.organ:
        yield f"the organ of lesion {lesion.name} of the {scan} is not given"


def _targets(baseline: PercistScan, tissue: _Tissue) -> Iterator[str]:
    """Whether the baseline has something that a change can be measured from."""
    peaks = [one.sul_peak for one in baseline.lesions or () if is_measured(one.sul_peak)]
    if not is_measured(tissue.sd):
        yield f"the standard deviation of the {tissue.name} at baseline is missing"
        return
    if baseline.lesions is None or not is_positive(tissue.before):
        return
    if not peaks:
        yield "the baseline has no lesion"
        return
    lowest = lowest_measurable_sul(tissue.region, mean=tissue.before, sd=tissue.sd)
    factor, _ = MEASURABLE[tissue.region]
    if not reaches(max(peaks), lowest):
        yield (
            f"the hottest lesion at baseline has SULpeak {words(max(peaks), lowest)} g/mL, "
            f"under the {words(lowest)} g/mL of a measurable one "
            f"({factor:g} × {tissue.name} + 2 SD)"
        )
    if not is_positive(_glycolysis(baseline)):
        yield "total lesion glycolysis at baseline is zero"


def _glycolysis(scan: PercistScan) -> float:
    return math.fsum(one.glycolysis or 0.0 for one in hottest(scan.lesions or ()))


@dataclass(frozen=True, slots=True)
class _Change:
    """From the hottest lesion of the baseline to that of the later scan, if there is one."""

    before: float
    after: float | None
    glycolysis: tuple[float, float]
    # Of the liver or of what stands for it, on the later scan.
    normal_name: str
    normal_mean: float

    @property
    def percent(self) -> float | None:
        return None if self.after is None else change_percent(self.before, self.after)

    @property
    def glycolysis_percent(self) -> float:
        return change_percent(*self.glycolysis)

    @property
    def numbers(self) -> tuple[Number, ...]:
        return numbers(
            ("SULpeak at baseline", self.before, "g/mL"),
            ("SULpeak later", self.after, "g/mL"),
            ("Change of SULpeak", self.percent, "%"),
            ("Total lesion glycolysis at baseline", self.glycolysis[0], "g"),
            ("Total lesion glycolysis later", self.glycolysis[1], "g"),
            ("Change of total lesion glycolysis", self.glycolysis_percent, "%"),
            (f"Mean SUL of the {self.normal_name} later", self.normal_mean, "g/mL"),
        )

    @property
    def words(self) -> str:
        if self.after is None or self.percent is None:
            return "no lesion is left"
        return (
            f"SULpeak went from {words(self.before)} to {words(self.after)} g/mL "
            f"({words(self.percent, CHANGE_PERCENT, -CHANGE_PERCENT)} %)"
        )


def _change(baseline: PercistScan, later: PercistScan, tissue: _Tissue) -> _Change:
    before, after = (
        [one.sul_peak for one in scan.lesions or () if one.sul_peak is not None]
        for scan in (baseline, later)
    )
    return _Change(
        before=max(before),
        after=max(after, default=None),
        glycolysis=(_glycolysis(baseline), _glycolysis(later)),
        normal_name=tissue.name,
        normal_mean=tissue.after or 0.0,
    )


def _peak_rose(change: _Change, _: PercistReading) -> bool:
    return (
        change.after is not None
        and exceeds(change_percent(change.before, change.after), CHANGE_PERCENT)
        and reaches(change.after - change.before, CHANGE_SUL)
    )


def _glycolysis_rose(change: _Change, _: PercistReading) -> bool:
    """With no decline in SUL, as the table of Wahl et al. has it."""
    has_not_fallen = change.after is not None and reaches(change.after, change.before)
    return has_not_fallen and exceeds(change.glycolysis_percent, GLYCOLYSIS_PERCENT)


# Each is progression by itself: what tells it, the words.
_PROGRESSION: tuple[tuple[Callable[[_Change, PercistReading], bool], str], ...] = (
    (lambda _, reading: reading.has_new_lesion is True, "a new lesion"),
    (_peak_rose, "SULpeak rose by more than 30 % and by at least 0.8 g/mL"),
    (_glycolysis_rose, "total lesion glycolysis of the hottest lesions rose by more than 75 %"),
    (lambda _, reading: reading.has_grown_visibly is True, "the extent of uptake grew visibly"),
)


def _category(change: _Change, reading: PercistReading) -> tuple[Category, tuple[str, ...]]:
    progressed = tuple(why for tells, why in _PROGRESSION if tells(change, reading))
    if progressed:
        return "PMD", (*progressed, change.words)
    if reading.is_indistinguishable and _is_below_normal(change):
        below = f"all lesions are below {change.normal_name} and like their surroundings"
        return "CMR", (change.words, below)
    if change.after is None:
        return "NE", ("no lesion was measured, yet not all look like their surroundings",)
    if not _peak_fell(change.before, change.after):
        return "SMD", (change.words, "neither response nor progression")
    if reading.has_risen_elsewhere:
        return "SMD", (change.words, "but another lesion rose by more than 30 %")
    return "PMR", (change.words, "at least 30 % and 0.8 g/mL less", "no new lesion")


def _is_below_normal(change: _Change) -> bool:
    return change.after is None or not reaches(change.after, change.normal_mean)


def _peak_fell(before: float, after: float) -> bool:
    return reaches(-change_percent(before, after), CHANGE_PERCENT) and reaches(
        before - after, CHANGE_SUL
    )
