"""Response rates: of those evaluable, or of all with the not evaluable as non-responders.

Which of the two is the protocol's to say and stands in the name of the result: a rate without
it can be read either way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
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

    An `Absent` is not evaluable: left out and counted, or a non-responder.
    """
    for response in responses:
        if not isinstance(response, Absent) and response not in classes:
            raise StatisticsError(f"{response!r} is none of {', '.join(sorted(classes))}")
    absent = Counter(found.reason for found in responses if isinstance(found, Absent))
    k = sum(1 for found in responses if not isinstance(found, Absent) and found in responders)
    left_out = not_evaluable == "left out"
    n = len(responses) - (absent.total() if left_out else 0)
    named = f"{name}, not evaluable {'left out' if left_out else 'as non-responders'}"
    return with_missing(proportion(k, n, name=named, method=method, level=level), absent)
