"""Whether slices of a series are missing, by three things that headers say of it.

Number of Slices (0054,0081) may count more than there are; places along the slice normal, or
instance numbers, may have gaps. The mistake to fear is the earliest of some beds taken for the
first of all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from imaging.geometry import DUPLICATE_MM, GAP
from imaging.headers import PetHeader, SliceHeader

Vector = tuple[float, ...]


def is_incomplete(headers: Sequence[PetHeader]) -> bool:
    """Whether anything says that slices of the series are missing."""
    return bool(missing_slices(headers))


def missing_slices(headers: Sequence[PetHeader]) -> str:
    """What says that slices are missing, as part of a sentence; empty if nothing does."""
    announced, count = headers[0].number_of_slices, len(headers)
    if announced is not None and count < announced:
        return f"Number of Slices (0054,0081) is {announced}, and {count} are there"
    steps = _steps(headers)
    if steps and max(steps) > GAP * median(steps):
        step, usual = max(steps), median(steps)
        return f"Image Position (0020,0032) has a gap of {step:.2f} mm where {usual:.2f} is usual"
    numbers = [one.instance_number for one in headers if one.instance_number is not None]
    if count == len(set(numbers)) and max(numbers) - min(numbers) >= count:
        return (
            f"Instance Number (0020,0013) goes from {min(numbers)} to {max(numbers)}, and "
            f"{count} slices are there"
        )
    return ""


def missing_count(headers: Sequence[SliceHeader]) -> int:
    """How many slices the gaps between those that are there have room for, about."""
    steps = _steps(headers)
    if not steps:
        return 0
    usual = median(steps)
    return sum(round(step / usual) - 1 for step in steps if step > GAP * usual)


def bed_size(headers: Sequence[SliceHeader]) -> int:
    """How many slices a bed has, by the times that slices share; 0 where there is one time.

    Beds that overlap have a few less where they are joined, so the most frequent is told.
    """
    pet = [one for one in headers if isinstance(one, PetHeader)]
    # One of the two stands still with some vendors, while the other goes from bed to bed.
    times = Counter((one.frame_reference_time, one.acquisition_time) for one in pet)
    if len(times) < 2:
        return 0
    return Counter(times.values()).most_common(1)[0][0]


def _steps(headers: Sequence[SliceHeader]) -> list[float]:
    """Distances in mm of neighbours along the slice normal; none where a place is not known.

    Slices in one place, as a dynamic series has them, count once.
    """
    orientation = headers[0].orientation
    positions = [one.position for one in headers if one.position is not None]
    if orientation is None or len(positions) < len(headers):
        return []
    normal = _normal(*orientation)
    along = sorted(sum(map(float.__mul__, normal, place)) for place in positions)
    steps = [after - before for before, after in pairwise(along)]
    return [step for step in steps if step >= DUPLICATE_MM]


def _normal(ax: float, ay: float, az: float, bx: float, by: float, bz: float) -> Vector:
    """The vector at right angles to the cosines of a row, a, and of a column, b.

    >>> _normal(1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    (0.0, 0.0, 1.0)
    """
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
