"""The words of the rule language: operators, anchors, and what is asked for besides evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Expression = Mapping[str, Any]

COMPARISONS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most", "eq": "exactly"}
LIMITS_OF_NORMAL = ("le_uln", "ge_lln")
EVENTS = {"occurred", "never"}
ATTESTED = "attested"
SELECTIONS = ("latest", "first", "worst", "any", "all")
ANCHORS = {
    "gate": "this assessment",
    "consent": "consent",
    "imaging": "imaging",
    "injection": "injection",
}
SCAN_GATES = {"pre_injection", "per_scan"}
# Asked for like a variable, but not recorded as evidence of their own.
AGE, TRACER, ABLE = "age_years", "scan.tracer", "able_to_bear_children"
# The day an age is asked of, unless the rule names another.
AGE_AT = "consent"
NO_SHIFT = "PT0S"
# A history answers for the whole day it was told on.
THE_SAME_DAY = "P0D"
