"""When lesions of two scans are proposed as one, as a trial file states it.

No publication fixes these numbers, so that the usual ones are proposed too; a reader decides about
each pair, and the rule is kept with every comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

USUAL: Mapping[str, Any] = {"least_overlap": 0.25, "largest_distance_mm": 15.0}
# Where a rule comes from.
_ORIGINS = {
    "source": "stated for this trial",
    "proposed": "proposed in the trial file, confirm with the protocol",
    "usual": "the usual rule, itself proposed: the trial file states none",
}


def rule_of(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The two numbers of a trial file, and as `origin` "source", "proposed" or "usual".

    What is only proposed is used as well: some rule is needed, and no pair rests on it alone.

    >>> rule_of({"lesion_matching": {"least_overlap": 0.5, "largest_distance_mm": 10}})
    {'least_overlap': 0.5, 'largest_distance_mm': 10.0, 'origin': 'source'}
    >>> rule_of({})["origin"]
    'usual'
    """
    stated = definition.get("lesion_matching")
    origin = stated.get("provenance", "source") if stated else "usual"
    return {name: float((stated or USUAL)[name]) for name in USUAL} | {"origin": origin}


def words(rule: Mapping[str, Any]) -> str:
    """The rule as a reader says it.

    >>> words(USUAL)
    'shared volume of at least 25 % of the smaller lesion, else centres at most 15 mm apart'
    """
    return (
        f"shared volume of at least {100 * rule['least_overlap']:g} % of the smaller lesion, else "
        f"centres at most {rule['largest_distance_mm']:g} mm apart"
    )


def origin_words(rule: Mapping[str, Any]) -> str:
    """Where the rule comes from; empty of a comparison that was made before this was kept.

    >>> origin_words({"origin": "source"})
    'stated for this trial'
    """
    return _ORIGINS.get(rule.get("origin", ""), "")
