"""When the visits and scans took place that a trial's own criteria count from.

A criterion may hang on `visit.<identifier>` or `scan.<identifier>` of its protocol. The mistake
to fear is a time that moved under a verdict: what was taken is kept with the assessment, and
compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from trials import answer_words, eligibility, frozen, schedule
from trials.models import Patient
from trials.readings import Anchor
from trials.selectors.schedule import anchors_of, plans_of, with_schedule
from trials.spans import moment

OWN = ("visit.", "scan.")
Dates = dict[str, Anchor]


def is_own(anchor: str) -> bool:
    """Whether an anchor is a visit or a scan of the protocol."""
    return anchor.startswith(OWN)


def taken(
    patients: Sequence[Patient], criteria: Iterable[eligibility.Criterion], *, now: datetime
) -> dict[int, Dates]:
    """By patient, the own anchors that the criteria name: actual, else planned, else `now`.

    A fixed number of queries for any number of patients, none where no criterion names one.
    """
    names = {
        name for one in criteria for name in eligibility.anchors_in(one.expression) if is_own(name)
    }
    if not names:
        return {}
    unknown = Anchor(moment(now), "assessment")
    return {
        key: {name: known.get(name, unknown) for name in sorted(names)}
        for key, known in _known(patients).items()
    }


def moved(
    kept: Mapping[int, Mapping[str, Any]], patients: Iterable[Patient]
) -> dict[int, list[str]]:
    """By patient, which own anchors stand at another time than an assessment took.

    `kept` holds by patient the anchors of the assessment as they were frozen.
    """
    own = {
        key: {name: one for name, one in (anchors or {}).items() if is_own(name)}
        for key, anchors in kept.items()
    }
    concerned = [one for one in patients if own.get(one.pk)]
    if not concerned:
        return {}
    known = _known(concerned)
    found = {
        one.pk: [
            answer_words.anchor_name(name)
            for name, then in own[one.pk].items()
            if not _is_same(then, known[one.pk].get(name))
        ]
        for one in concerned
    }
    return {key: names for key, names in found.items() if names}


def _known(patients: Iterable[Patient]) -> dict[int, Dates]:
    found = list(with_schedule(Patient.objects.filter(pk__in=[one.pk for one in patients])))
    plans, now = plans_of(found), timezone.now()
    return {
        one.pk: {name: _anchor(at) for name, at in anchors_of(one, plans, now=now).items()}
        for one in found
    }


def _anchor(at: schedule.Anchor) -> Anchor:
    return Anchor(at.span, "actual" if at.is_actual else "planned")


def _is_same(then: Mapping[str, Any], now: Anchor | None) -> bool:
    if now is None:
        return then["basis"] == "assessment"
    return frozen.anchor(now) == then
