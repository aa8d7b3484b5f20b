"""RECIST 1.1: response from the diameters of target lesions and what is said of the others.

    CR  targets gone, lymph nodes under 10 mm      PR  sum at least 30 % below baseline
    PD  sum at least 20 % and 5 mm above its lowest so far      SD  otherwise

The overall response is a table of targets, non-targets and new lesions. The mistake to fear is
a sum over the lesions that happened to be measured: with one missing the sum only says that the
disease is at least that large, which can be progression and nothing else.

References
----------
Eisenhauer et al., Eur J Cancer 2009;45:228: 4.3.1 for targets, tables 1 and 2, 3.1 and 4.3.2
for sizes and numbers, 4.5 for lesions not assessed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from imaging.cut_offs import change_percent, exceeds, is_measured, reaches, words
from imaging.response.terms import Category, Response, answer, numbers, unanswered

SCALE = "RECIST 1.1"
TARGET_SOURCE = "Eisenhauer et al., Eur J Cancer 2009;45:228, 4.3.1"
TABLE_1 = "Eisenhauer et al., Eur J Cancer 2009;45:228, table 1"
TABLE_2 = "Eisenhauer et al., Eur J Cancer 2009;45:228, table 2"

MEASURABLE_MM, MEASURABLE_NODE_MM, NORMAL_NODE_MM = 10.0, 15.0, 10.0
MOST_TARGETS, MOST_PER_ORGAN = 5, 2
RESPONSE_PERCENT, PROGRESSION_PERCENT, PROGRESSION_MM = 30.0, 20.0, 5.0

NonTarget = Literal["CR", "NON-CR/NON-PD", "PD", "NE", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target lesion: longest diameter in mm, short axis of a lymph node; None is not measured.

    A lesion that is gone has 0 mm; one too small to measure has 5 mm, as RECIST says.
    """

    name: str
    organ: str
    is_node: bool
    diameter_mm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecistVisit:
    """What is said of a visit beside the targets; None is not said.

    `non_target` is "none" where there were no non-target lesions at baseline.
    """

    non_target: NonTarget | None
    has_new_lesion: bool | None


def recist(
    baseline: tuple[Target, ...],
    later: tuple[Target, ...],
    visit: RecistVisit,
    *,
    lowest_sum_mm: float | None,
    had_complete_response: bool,
) -> Response:
    """Overall response at a visit by RECIST 1.1, or NE.

    Parameters
    ----------
    baseline, later : tuple of Target
        The same lesions by name; none at all if there is no measurable disease.
    visit : RecistVisit
        Non-target and new lesions.
    lowest_sum_mm : float or None
        Lowest sum in mm before this visit, the baseline included.
    had_complete_response : bool
        Whether all disease was gone at an earlier visit.
    """
    if not baseline and not later:
        return _without_targets(visit)
    target = target_response(
        baseline,
        later,
        lowest_sum_mm=lowest_sum_mm,
        had_complete_response=had_complete_response,
    )
    return _overall(target, visit)


def target_response(
    baseline: tuple[Target, ...],
    later: tuple[Target, ...],
    *,
    lowest_sum_mm: float | None,
    had_complete_response: bool,
) -> Response:
    """Response of the target lesions alone; parameters as `recist`."""
    against = tuple(_unfit(baseline, later, lowest_sum_mm))
    if against or lowest_sum_mm is None:
        return answer("NE", against, scale=f"{SCALE} targets", source=TARGET_SOURCE)
    measured = [one for one in later if is_measured(one.diameter_mm)]
    missing = sorted(one.name for one in later if not is_measured(one.diameter_mm))
    before, after = _sum(baseline), _sum(tuple(measured))
    category, why = _target_category(
        before, after, lowest_sum_mm, later, missing, had_complete_response
    )
    return answer(
        category,
        (why,),
        scale=f"{SCALE} targets",
        source=TARGET_SOURCE,
        used=numbers(
            ("Sum of diameters at baseline", before, "mm"),
            ("Lowest sum of diameters", lowest_sum_mm, "mm"),
            ("Sum of diameters of the lesions measured", after, "mm"),
            # Of a part of the lesions neither is a change of the sum.
            ("Change from baseline", None if missing else change_percent(before, after), "%"),
            (
                "Change from the lowest",
                change_percent(lowest_sum_mm, after) if lowest_sum_mm and not missing else None,
                "%",
            ),
        ),
    )


def _sum(lesions: tuple[Target, ...]) -> float:
    return math.fsum(one.diameter_mm or 0.0 for one in lesions)


def _unfit(
    baseline: tuple[Target, ...], later: tuple[Target, ...], lowest_sum_mm: float | None
) -> Iterator[str]:
    """Why the targets can't be compared at all."""
    names = [one.name for one in baseline]
    if not names:
        yield "there were no targets at baseline"
    if len(set(names)) != len(names) or sorted(names) != sorted(one.name for one in later):
        yield "the targets of the visit are not those of the baseline"
    if len(baseline) > MOST_TARGETS:
        yield f"there are {len(baseline)} targets, more than {MOST_TARGETS}"
    for organ, count in sorted(Counter(one.organ for one in baseline).items()):
        if count > MOST_PER_ORGAN:
            yield f"there are {count} targets in {organ or 'no named organ'}, more than 2"
    for one in baseline:
        least = MEASURABLE_NODE_MM if one.is_node else MEASURABLE_MM
        if not is_measured(one.diameter_mm) or not reaches(one.diameter_mm, least):
            yield f"target {one.name} was not measurable at baseline, at least {least:g} mm"
    if not is_measured(lowest_sum_mm):
        yield "the lowest sum of diameters is missing"
    elif exceeds(lowest_sum_mm, _sum(baseline)):
        yield "the lowest sum of diameters is more than that of the baseline"


def _target_category(
    before: float,
    after: float,
    lowest: float,
    later: tuple[Target, ...],
    missing: list[str],
    had_complete_response: bool,
) -> tuple[Category, str]:
    """Of what was measured; `missing` are the names of what was not."""
    size = f"sum of {words(after)} mm"
    if not missing and not any(_is_there(one) for one in later):
        return "CR", "all targets are gone, lymph nodes under 10 mm"
    if had_complete_response and any(_is_there(one) and not one.is_node for one in later):
        return "PD", f"{size} after all disease was gone"
    if _has_progressed(lowest, after):
        return "PD", f"{size}, at least 20 % and 5 mm above the lowest of {words(lowest)} mm"
    if missing:
        return "NE", f"not measured: {', '.join(missing)}"
    percent = change_percent(before, after)
    change = f"{size}, {words(percent, -RESPONSE_PERCENT)} % from baseline"
    return ("PR" if reaches(-percent, RESPONSE_PERCENT) else "SD"), change


def _is_there(target: Target) -> bool:
    """Whether a target is left: a node of normal size is not."""
    size = target.diameter_mm
    if not is_measured(size):
        return False
    return reaches(size, NORMAL_NODE_MM) if target.is_node else size > 0


def _has_progressed(lowest: float, after: float) -> bool:
    """By 20 % and 5 mm; what comes back after 0 mm is more by any percentage."""
    has_grown = lowest == 0 or reaches(change_percent(lowest, after), PROGRESSION_PERCENT)
    return has_grown and reaches(after - lowest, PROGRESSION_MM)


_ALL = frozenset({"CR", "NON-CR/NON-PD", "NE", "none"})

# Table 1 without its rows of progression: targets, non-targets, overall; no new lesions.
_WITH_TARGETS: tuple[tuple[Category, frozenset[str], Category], ...] = (
    ("CR", frozenset({"CR", "none"}), "CR"),
    ("CR", frozenset({"NON-CR/NON-PD", "NE"}), "PR"),
    ("PR", _ALL, "PR"),
    ("SD", _ALL, "SD"),
    ("NE", _ALL, "NE"),
)
# Table 2: non-targets, overall; no new lesions.
_NON_TARGETS_ONLY: dict[str, Category] = {
    "CR": "CR",
    "NON-CR/NON-PD": "NON-CR/NON-PD",
    "NE": "NE",
}


def _overall(target: Response, visit: RecistVisit) -> Response:
    reasons = (target.why.removeprefix(f"{SCALE} ").removesuffix("."), *_said(visit))
    progressed = target.category == "PD" or visit.non_target == "PD" or visit.has_new_lesion
    category: Category = "PD" if progressed else "NE"
    unsaid = tuple(_unsaid(visit))
    if not progressed and not unsaid:
        category = next(
            overall
            for of_targets, non_targets, overall in _WITH_TARGETS
            if of_targets == target.category and visit.non_target in non_targets
        )
    return answer(
        category,
        reasons if progressed else (*reasons, *unsaid),
        scale=SCALE,
        source=TABLE_1,
        used=target.numbers,
    )


def _without_targets(visit: RecistVisit) -> Response:
    category: Category
    reasons = (*_said(visit), *_unsaid(visit))
    if visit.non_target == "PD" or visit.has_new_lesion:
        category, reasons = "PD", tuple(_said(visit))
    elif visit.has_new_lesion is None:
        category = "NE"
    else:
        category = _NON_TARGETS_ONLY.get(visit.non_target or "", "NE")
    return answer(category, ("no targets", *reasons), scale=SCALE, source=TABLE_2)


_NON_TARGET_WORDS = {
    "CR": "non-targets are gone",
    "NON-CR/NON-PD": "non-targets are neither gone nor grown",
    "PD": "non-targets have unequivocally grown",
    "NE": "non-targets were not all assessed",
    "none": "there are no non-targets",
}


def _said(visit: RecistVisit) -> Iterator[str]:
    if visit.non_target is not None:
        yield _NON_TARGET_WORDS[visit.non_target]
    if visit.has_new_lesion is not None:
        yield "a new lesion" if visit.has_new_lesion else "no new lesion"


def _unsaid(visit: RecistVisit) -> Iterator[str]:
    if visit.non_target is None:
        yield "nobody says how the non-targets are"
    yield from unanswered([("there is a new lesion", visit.has_new_lesion)])
