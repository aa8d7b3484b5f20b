"""The methods of segmentation that a planned scan may state, as a reader says them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FIXED_THRESHOLD = "fixed_threshold"
# The lesions are the regions of structure sets and segmentations that come with the images.
IMPORTED = "imported"

# How a region grows from a reader's click.
PART_OF_MAXIMUM = "part_of_maximum"
GRADIENT = "gradient"
THRESHOLD = "threshold"
# 41 % of SUVmax: Boellaard et al., Eur J Nucl Med Mol Imaging 2015;42:328.
_USUAL_CLICK: Mapping[str, Any] = {"method": PART_OF_MAXIMUM, "part": 0.41}


def words(method: Mapping[str, Any]) -> str:
    """The method as a reader says it.

    >>> words({"method": "fixed_threshold", "suv": 4.0})
    'SUV ≥ 4 g/mL'
    >>> words({"method": "reference_threshold", "region": "blood_pool", "times_mean": 1.5,
    ...        "times_sd": 2.0})
    'SUV ≥ 1.5 × mean + 2 × SD of the blood pool'
    >>> words({"method": "imported"})
    'regions drawn in another program'
    """
    if method["method"] == IMPORTED:
        return "regions drawn in another program"
    if method["method"] == FIXED_THRESHOLD:
        return f"SUV ≥ {method['suv']:g} g/mL"
    terms = [f"{method['times_mean']:g} × mean"] * bool(method["times_mean"])
    terms += [f"{method['times_sd']:g} × SD"] * bool(method["times_sd"])
    return f"SUV ≥ {' + '.join(terms)} of the {named(method['region'])}"


def click(segmentation: Mapping[str, Any]) -> Mapping[str, Any]:
    """How a region grows from a reader's click: as the planned scan states it, else as usual.

    `method` is "part_of_maximum", with `part` of the highest SUV near the click; "gradient", with
    `box_mm`, half the edge of the box that is looked at; or "threshold", with `suv` in g/mL.

    >>> click({"method": "fixed_threshold", "suv": 4.0})["part"]
    0.41
    """
    stated: Mapping[str, Any] = segmentation.get("click") or _USUAL_CLICK
    return stated


def click_words(method: Mapping[str, Any]) -> str:
    """What a click takes in, as a reader says it.

    >>> click_words({"method": "part_of_maximum", "part": 0.41})
    'SUV ≥ 41 % of the highest near the click'
    >>> click_words({"method": "gradient", "box_mm": 30})
    'up to where the SUV falls off most steeply, within 30 mm'
    >>> click_words({"method": "threshold", "suv": 2.5})
    'SUV ≥ 2.5 g/mL'
    """
    if method["method"] == PART_OF_MAXIMUM:
        return f"SUV ≥ {100 * method['part']:g} % of the highest near the click"
    if method["method"] == GRADIENT:
        return f"up to where the SUV falls off most steeply, within {method['box_mm']:g} mm"
    return f"SUV ≥ {method['suv']:g} g/mL"


def named(region: str) -> str:
    """The kind of a region as a word: "blood pool".

    >>> named("blood_pool")
    'blood pool'
    """
    return region.replace("_", " ")
