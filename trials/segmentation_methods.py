"""The methods of segmentation that a planned scan may state, as a reader says them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIXED_THRESHOLD = "fixed_threshold"


def words(method: Mapping[str, Any]) -> str:
    """The method as a reader says it.

    >>> words({"method": "fixed_threshold", "suv": 4.0})
    'SUV ≥ 4 g/mL'
    >>> words({"method": "reference_threshold", "region": "blood_pool", "times_mean": 1.5,
    ...        "times_sd": 2.0})
    'SUV ≥ 1.5 × mean + 2 × SD of the blood pool'
    """
    if method["method"] == FIXED_THRESHOLD:
        return f"SUV ≥ {method['suv']:g} g/mL"
    terms = [f"{method['times_mean']:g} × mean"] * bool(method["times_mean"])
    terms += [f"{method['times_sd']:g} × SD"] * bool(method["times_sd"])
    return f"SUV ≥ {' + '.join(terms)} of the {named(method['region'])}"


def named(region: str) -> str:
    """The kind of a region as a word: "blood pool".

    >>> named("blood_pool")
    'blood pool'
    """
    return region.replace("_", " ")
