"""From which adrenal ratio on a side is called in primary aldosteronism, as a trial file states it.

A cut-off belongs to its minutes after injection; none is a default, and one that is only proposed
calls no side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BOUNDARIES = {"at_least": "at least", "above": "above"}


def words(rule: Mapping[str, Any]) -> str:
    """The cut-off as a reader says it.

    >>> words({"cut_off": 1.5, "boundary": "at_least", "minutes": 10, "tolerance_minutes": 3})
    'one side where dominant over contralateral SUVmax is at least 1.5, 10 ± 3 min after injection'
    """
    return (
        f"one side where dominant over contralateral SUVmax is {BOUNDARIES[rule['boundary']]} "
        f"{rule['cut_off']:g}, {rule['minutes']:g} ± {rule['tolerance_minutes']:g} min after "
        "injection"
    )
