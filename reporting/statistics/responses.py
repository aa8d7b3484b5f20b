"""Response rates: of those evaluable, or of all with the not evaluable as non-responders.

Which of the two is the protocol's to say and stands in the name of the result: a rate without
it can be read either way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal

from reporting.statistics.proportions import Method, proportion
from reporting.statistics.results import LEVEL, Absent, Result, StatisticsError, with_missing

NotEvaluable = Literal["left out", "non-responders"]


def response_rate(
    responses: Sequence[str | Absent],
    *,
    responders: Collection[str],
    classes: Collection[str],
    not_evaluable: NotEvaluable,
    name: str = "response rate",
    method: Method = "Clopper-Pearson",
    level: float = LEVEL,
) -> Result:
    """Share of `responses` among `responders`, one of each patient, of the given `classes`.

    An `Absent` is not evaluable: left out and counted as missing, or a non-responder and named in
    a note.
    """
    if stray := sorted(set(responders) - set(classes)):
        raise StatisticsError(f"responders {', '.join(stray)} are none of the classes")
    for response in responses:
        if not isinstance(response, Absent) and response not in classes:
            raise StatisticsError(f"{response!r} is none of {', '.join(sorted(classes))}")
    absent = Counter(found.reason for found in responses if isinstance(found, Absent))
    k = sum(1 for found in responses if not isinstance(found, Absent) and found in responders)
    left_out = not_evaluable == "left out"
    n = len(responses) - (absent.total() if left_out else 0)
    named = f"{name}, not evaluable {'left out' if left_out else 'as non-responders'}"
    rate = proportion(k, n, name=named, method=method, level=level)
    if left_out:
        return with_missing(rate, absent)
    notes = tuple(f"not evaluable: {count} {reason}" for reason, count in sorted(absent.items()))
    return replace(rate, notes=(*rate.notes, *notes))
