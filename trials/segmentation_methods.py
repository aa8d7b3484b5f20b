"""The methods of segmentation that a planned scan may state, as a reader says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FIXED_THRESHOLD = "fixed_threshold"
# The lesions are the regions of structure sets and segmentations that come with the images.
IMPORTED = "imported"
# No region is outlined before a reader does so.
MANUAL = "manual"

# How a region grows from a reader's click.
PART_OF_MAXIMUM = "part_of_maximum"
GRADIENT = "gradient"
THRESHOLD = "threshold"
BACKGROUND_ADAPTED = "background_adapted"
# A shape that a reader places, and what belongs of it.
PLACED = "placed"
# Closed contours that a reader draws on slices.
DRAWN = "drawn"
EVERYTHING = "everything"
# 41 % of SUVmax: Boellaard et al., Eur J Nucl Med Mol Imaging 2015;42:328.
_USUAL_CLICK: Mapping[str, Any] = {"method": PART_OF_MAXIMUM, "part": 0.41}
_SIGNALS = {"suvmax": "SUVmax", "suvpeak": "SUVpeak", "suvmean70": "mean above 70 % of SUVmax"}


def words(method: Mapping[str, Any]) -> str:
    """The method as a reader says it.

    >>> words({"method": "fixed_threshold", "suv": 4.0})
    'SUV ≥ 4 g/mL'
    >>> words({"method": "reference_threshold", "region": "blood_pool", "times_mean": 1.5,
    ...        "times_sd": 2.0})
    'SUV ≥ 1.5 × mean + 2 × SD of the blood pool'
    >>> words({"method": "imported"})
    'regions drawn in another program'
    >>> words({"method": "manual"})
    'regions that a reader outlines'
    """
    if method["method"] == MANUAL:
        return "regions that a reader outlines"
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
    `box_mm`, half the edge of the box that is looked at; "threshold", with `suv` in g/mL; or
    "background_adapted", with `signal`, `times_signal` and `times_background`.

    >>> click({"method": "fixed_threshold", "suv": 4.0})["part"]
    0.41
    """
    stated: Mapping[str, Any] = segmentation.get("click") or _USUAL_CLICK
    return stated


def inside_placed(segmentation: Mapping[str, Any]) -> Mapping[str, Any]:
    """What belongs of a shape that a reader places: as the planned scan states it, else as usual.

    `method` is "everything"; "threshold", with `suv` in g/mL; or "part_of_maximum", with `part`
    of the highest SUV in the shape.

    >>> inside_placed({"method": "manual", "placed": {"method": "everything"}})
    {'method': 'everything'}
    """
    stated: Mapping[str, Any] = segmentation.get("placed") or _USUAL_CLICK
    return stated


def placed(
    segmentation: Mapping[str, Any], *, shape: str, size_mm: Sequence[float]
) -> Mapping[str, Any]:
    """The method of a shape that a reader places: "ellipsoid" or "box", with its sizes in mm.

    >>> placed({"method": "manual"}, shape="box", size_mm=(20, 20, 30))["inside"]["part"]
    0.41
    """
    return {
        "method": PLACED,
        "shape": shape,
        "size_mm": [float(one) for one in size_mm],
        "inside": dict(inside_placed(segmentation)),
    }


def drawn(
    contours: Sequence[Sequence[Sequence[float]]], slices: Sequence[int] = ()
) -> Mapping[str, Any]:
    """The method of contours that a reader draws, in mm (LPS), and the slices they lie on."""
    # A hundredth of a mm is less than any scanner resolves.
    rounded = [[[round(float(at), 2) for at in point] for point in one] for one in contours]
    return {"method": DRAWN, "contours": rounded, "slices": list(slices)}


def now_of(method: Mapping[str, Any], segmentation: Mapping[str, Any]) -> Mapping[str, Any]:
    """How what was outlined by a method is outlined as the planned scan states it now."""
    if method["method"] == PLACED:
        return placed(segmentation, shape=method["shape"], size_mm=method["size_mm"])
    if method["method"] == DRAWN:
        return method
    return click(segmentation)


def click_words(method: Mapping[str, Any]) -> str:
    """What a click, a placed shape or a drawing takes in, as a reader says it.

    >>> click_words({"method": "part_of_maximum", "part": 0.41})
    'SUV ≥ 41 % of the highest near the click'
    >>> click_words({"method": "gradient", "box_mm": 30})
    'up to where the SUV falls off most steeply, within 30 mm'
    >>> click_words({"method": "threshold", "suv": 2.5})
    'SUV ≥ 2.5 g/mL'
    >>> click_words({"method": "background_adapted", "signal": "suvmax", "times_signal": 0.5,
    ...              "times_background": 0.5})
    'SUV ≥ 0.5 × SUVmax + 0.5 × the background around it'
    >>> click_words({"method": "placed", "shape": "box", "size_mm": [20, 24.5, 30],
    ...              "inside": {"method": "threshold", "suv": 2.5}})
    'SUV ≥ 2.5 g/mL in a placed box of 20 × 24.5 × 30 mm'
    >>> click_words(drawn([[[0, 0, 5], [9, 0, 5], [9, 9, 5]]], [12]))
    'everything in contours drawn by hand on slice 12'
    """
    if method["method"] == DRAWN:
        return f"everything in contours drawn by hand on {_slices(method['slices'])}"
    if method["method"] == PLACED:
        size = " × ".join(f"{one:g}" for one in method["size_mm"])
        return f"{inside_words(method['inside'])} in a placed {method['shape']} of {size} mm"
    if method["method"] == BACKGROUND_ADAPTED:
        return (
            f"SUV ≥ {method['times_signal']:g} × {_SIGNALS[method['signal']]} + "
            f"{method['times_background']:g} × the background around it"
        )
    if method["method"] == PART_OF_MAXIMUM:
        return f"SUV ≥ {100 * method['part']:g} % of the highest near the click"
    if method["method"] == GRADIENT:
        return f"up to where the SUV falls off most steeply, within {method['box_mm']:g} mm"
    return f"SUV ≥ {method['suv']:g} g/mL"


def inside_words(inside: Mapping[str, Any]) -> str:
    """What belongs of a placed shape, as a reader says it.

    >>> inside_words({"method": "everything"})
    'everything'
    >>> inside_words({"method": "part_of_maximum", "part": 0.41})
    'SUV ≥ 41 % of the highest'
    """
    if inside["method"] == EVERYTHING:
        return "everything"
    if inside["method"] == PART_OF_MAXIMUM:
        return f"SUV ≥ {100 * inside['part']:g} % of the highest"
    return f"SUV ≥ {inside['suv']:g} g/mL"


def named(region: str) -> str:
    """The kind of a region as a word: "blood pool".

    >>> named("blood_pool")
    'blood pool'
    """
    return region.replace("_", " ")


def _slices(numbers: Sequence[int]) -> str:
    """Numbers of slices in words, a run of them by its ends.

    >>> _slices([12, 13, 14, 17])
    'slices 12 to 14, 17'
    """
    runs: list[list[int]] = []
    for one in numbers:
        if runs and one == runs[-1][-1] + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    parts = [f"{one[0]} to {one[-1]}" if len(one) > 1 else str(one[0]) for one in runs]
    return f"slice{'s' if len(numbers) > 1 else ''} {', '.join(parts)}"
