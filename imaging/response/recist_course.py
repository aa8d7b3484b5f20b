"""RECIST 1.1 over the scans of a patient, from what was frozen of one reader's reads.

The lowest sum and whether all disease was gone are those of the scans before. The mistake to fear
is to judge a scan from the baseline alone, which takes a relapse for a response, or against a
baseline that was signed again since with other lesions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from imaging.response.best_overall import Timepoint, best_overall
from imaging.response.questions import said
from imaging.response.recist import SCALE, TABLE_1, RecistVisit, recist
from imaging.response.recist_lesions import (
    NEW,
    Lesions,
    RecistLesion,
    non_target_of,
    sum_mm,
    targets_of,
)
from imaging.response.terms import Category, Response, answer

Side = Mapping[str, Any]


def judged(inputs: Mapping[str, Any]) -> Response:
    """The response at the later scan, with the best so far."""
    rule = inputs["rule"]
    baseline = lesions_of(inputs["baseline"])
    if not baseline:
        return _not_evaluable("no lesion of the baseline was recorded from CT")
    sides: Sequence[Side] = (*inputs["earlier"], inputs["later"])
    sums, was_gone = [sum_mm(baseline)], False
    seen: list[Timepoint] = []
    for side in sides:
        found = _at(side, baseline, sums, was_gone)
        was_gone = was_gone or found.category == "CR"
        if not _unlike(lesions_of(side), baseline):
            sums.append(sum_mm(lesions_of(side)))
        seen.append((side["day"], found.category))
    best = best_overall(
        seen, confirmation_days=rule["confirmation_days"], stable_days=rule["stable_days"]
    )
    # What was frozen before this was kept has none.
    if unread := inputs.get("unread"):
        return _with_a_gap(found, unread, best=_best_before(inputs, seen))
    return replace(found, best=best)


def _with_a_gap(found: Response, unread: Sequence[str], *, best: Category) -> Response:
    """Without a lowest sum that is known; a scan that nobody read can't undo a CR or a PD."""
    if found.category in {"PR", "SD"}:
        scans = ", ".join(unread)
        found = _not_evaluable(f"no signed read of the scan in between by this reader: {scans}")
    return replace(found, best=best, flags=(*found.flags, "scan-in-between-not-read"))


def _best_before(inputs: Mapping[str, Any], seen: Sequence[Timepoint]) -> Category:
    """What no scan after the first that nobody read can undo: a response, or progression.

    Of a stable disease the scan may have been better or worse. Earlier releases froze no days.
    """
    rule, days = inputs["rule"], inputs.get("unread_days")
    before = [one for one in seen if days and one[0] < min(days)]
    best = best_overall(
        before, confirmation_days=rule["confirmation_days"], stable_days=rule["stable_days"]
    )
    has_ended = any(category == "PD" for _, category in before)
    return best if has_ended or best in {"CR", "PR"} else "NE"


def lesions_of(side: Side) -> Lesions:
    """The lesions that a read recorded from CT."""
    return [RecistLesion(**one) for one in side["recist"]]


def _at(
    side: Side, baseline: Lesions, sums: Sequence[float | None], had_complete_response: bool
) -> Response:
    lesions = lesions_of(side)
    if not lesions:
        return _not_evaluable("no lesion of the later scan was recorded from CT")
    if unlike := _unlike(lesions, baseline):
        return _not_evaluable(
            f"the lesions of the later scan are not those of its baseline: {', '.join(unlike)}"
        )
    has_new, is_listed = said(side["answers"], "new_lesion_ct"), _lists_new(lesions)
    if is_listed and has_new is False:
        return _not_evaluable("a new lesion is listed, and the answer is that there is none")
    return recist(
        targets_of(baseline),
        targets_of(lesions),
        RecistVisit(
            non_target=non_target_of(lesions), has_new_lesion=True if is_listed else has_new
        ),
        lowest_sum_mm=min((one for one in sums if one is not None), default=0.0),
        had_complete_response=had_complete_response,
    )


def _unlike(lesions: Lesions, baseline: Lesions) -> list[str]:
    """The names under which a later scan and the baseline do not list the same lesion."""
    listed, known = (
        Counter((one.name, one.region) for one in each if one.kind != NEW)
        for each in (lesions, baseline)
    )
    return sorted({name for name, _ in (listed - known) + (known - listed)})


def _lists_new(lesions: Lesions) -> bool:
    return any(one.kind == NEW for one in lesions)


def _not_evaluable(why: str) -> Response:
    return answer("NE", (why,), scale=SCALE, source=TABLE_1)
