"""EORTC 1999: metabolic response from the change of SUV in the tumour.

    CMR  uptake not to be told from the tissue around
    PMR  at least 15 % less after one cycle of treatment, more than 25 % less after more
    PMD  over 25 % more; or over 20 % longer; or a new lesion
    SMD  otherwise

What the tables leave open, a fall of 15 to 25 % after more than one cycle, is neither response
nor progression and so SMD. The mistake to fear is to compare SUV of two normalisations.

References
----------
Young et al., Eur J Cancer 1999;35:1773; tables as in BMC Cancer 2012;12:502, T2, World J
Gastrointest Oncol 2013;5:102, T2, and PMC7046919, T6, which all have "greater than 25 %" after
more than one cycle; PMC6506740, T1 writes "at least" and stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imaging.cut_offs import change_percent, exceeds, is_measured, is_positive, reaches, words
from imaging.normalisations import UNIT
from imaging.response.terms import (
    Category,
    Number,
    Response,
    answer,
    fdg_flags,
    numbers,
    unanswered,
)

SCALE = "EORTC 1999"
SOURCE = "Young et al., Eur J Cancer 1999;35:1773; BMC Cancer 2012;12:502, table 2"

PROGRESSION_PERCENT = 25.0
# Of a response: the least fall after one cycle; what a fall has to exceed after more.
RESPONSE_PERCENT = 15.0
LATER_RESPONSE_PERCENT = 25.0
# Of a tumour that is not seen any more, while others are left: a fall beyond every limit.
GONE_PERCENT = -100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EortcScan:
    """SUV of the tumour in g/mL (cm2/mL by body surface), and how it was normalised.

    `suv_type` is SUV Type (0054,1006); EORTC recommends BSA. None is not measured.
    """

    suv: float | None
    suv_type: str
    # Of the later scan: the tumour is not seen any more, whatever else is.
    is_gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EortcReading:
    """What a reader says of the later scan; None is not said."""

    has_new_lesion: bool | None
    # By more than 20 % in the longest dimension.
    has_grown: bool | None
    is_resolved: bool | None


def eortc(
    baseline: EortcScan, later: EortcScan, reading: EortcReading, *, cycles: int, tracer: str
) -> Response:
    """Response by EORTC 1999, or NE with all that stands against it.

    Parameters
    ----------
    baseline, later : EortcScan
        Of the same region: that of the tumour at baseline.
    reading : EortcReading
        Of the later scan.
    cycles : int
        Cycles of treatment before the later scan.
    tracer : str
        Of both scans; the scale is flagged for any but FDG.
    """
    against = (
        *_problems(baseline, later, reading, cycles),
        *unanswered(
            (
                ("there is a new lesion", reading.has_new_lesion),
                ("the longest dimension grew by more than 20 %", reading.has_grown),
                ("the uptake is resolved", reading.is_resolved),
            )
        ),
    )
    before, after = baseline.suv, later.suv
    if against and reading.has_new_lesion:
        return new_lesion(against, tracer)
    if against or before is None:
        return _response("NE", against, (), tracer)
    percent = None if after is None else change_percent(before, after)
    fall = GONE_PERCENT if later.is_gone else 0.0
    category, reasons = _category(fall if percent is None else percent, reading, cycles)
    unit = UNIT[baseline.suv_type]
    used = numbers(
        ("SUV at baseline", before, unit),
        ("SUV later", after, unit),
        ("Change of SUV", percent, "%"),
        ("Cycles of treatment", float(cycles), ""),
    )
    return _response(category, (_went(before, after, percent), *reasons), used, tracer)


def new_lesion(against: Iterable[str], tracer: str) -> Response:
    """Progression by a new lesion, whatever stands against a comparison of SUV."""
    return _response("PMD", ("a new lesion", *against), (), tracer)


def _response(
    category: Category, reasons: Iterable[str], used: tuple[Number, ...], tracer: str
) -> Response:
    return answer(category, reasons, scale=SCALE, source=SOURCE, used=used, flags=fdg_flags(tracer))


def _problems(
    baseline: EortcScan, later: EortcScan, reading: EortcReading, cycles: int
) -> Iterator[str]:
    if not is_positive(baseline.suv):
        yield "the SUV at baseline is missing or not positive"
    # What can't be told from its surroundings has nothing to be measured on.
    is_unseen = later.suv is None and (reading.is_resolved or later.is_gone)
    if not is_measured(later.suv) and not is_unseen:
        yield "the SUV of the later scan is missing"
    if baseline.suv_type not in UNIT or baseline.suv_type != later.suv_type:
        yield (
            "both scans need the same SUV Type, got "
            f"{baseline.suv_type or 'none'} and {later.suv_type or 'none'}"
        )
    if cycles < 1:
        yield "the later scan was before the first cycle of treatment was over"


def _went(before: float, after: float | None, percent: float | None) -> str:
    if after is None or percent is None:
        return f"SUV was {words(before)} and is not measured any more"
    cuts = (PROGRESSION_PERCENT, -RESPONSE_PERCENT, -LATER_RESPONSE_PERCENT)
    return f"SUV went from {words(before)} to {words(after)} ({words(percent, *cuts)} %)"


def _category(
    percent: float, reading: EortcReading, cycles: int
) -> tuple[Category, tuple[str, ...]]:
    progressed = (
        (reading.has_new_lesion, "a new lesion"),
        (exceeds(percent, PROGRESSION_PERCENT), "more than 25 % more"),
        (reading.has_grown, "more than 20 % longer"),
    )
    if any(holds for holds, _ in progressed):
        return "PMD", tuple(why for holds, why in progressed if holds)
    if reading.is_resolved:
        return "CMR", ("the uptake is resolved",)
    if cycles > 1:
        has_fallen, fall = exceeds(-percent, LATER_RESPONSE_PERCENT), "more than 25 % less"
    else:
        has_fallen, fall = reaches(-percent, RESPONSE_PERCENT), "at least 15 % less"
    after = "more than one cycle" if cycles > 1 else "one cycle"
    if has_fallen:
        return "PMR", (f"{fall} after {after}",)
    return "SMD", (f"neither {fall} after {after} nor more than 25 % more",)
