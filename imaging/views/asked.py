"""What is asked for at the address of a reading, and the addresses that lead on from there."""

from __future__ import annotations

import math
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse

from imaging.models import GrownLesion, MeasuredRegion, Quantification, Series
from trials import permissions
from trials.services.errors import Invalid

SERIES = Series.objects.select_related(
    "imaging_study__scheduled_scan__planned_scan__tracer",
    "imaging_study__scheduled_scan__patient__site",
)


def series_of(request: HttpRequest, identifier: str, permission: str = "reading.view") -> Series:
    """The series by its reading identifier, for who may."""
    return permissions.fetched(SERIES, request.user, permission, reading_identifier=identifier)


def run_of(row: Series) -> Quantification:
    """The current measurement of a series."""
    return get_object_or_404(row.quantifications, is_current=True)


def address_of(identifier: str, number: int, asked: QueryDict) -> str:
    """The page with a region looked at, in the plane and the window as they are."""
    names = ("plane", "high", "ct", "opacity")
    kept = {name: asked[name] for name in names if asked.get(name)}
    return f"{reverse('reading', args=[identifier])}?{urlencode({'region': number} | kept)}"


def integer(text: str) -> int | None:
    """A whole number of few digits; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else None


def number(asked: QueryDict, name: str, usual: float) -> float:
    """A finite number of the address; another is refused by its name."""
    try:
        found = float(asked.get(name, usual))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise Invalid(name, f"{name} is a number.")
    return found


def voxel(text: str) -> tuple[int, int, int]:
    """Plane, row and column, parted by commas."""
    parts = [integer(one) for one in text.split(",")]
    if len(parts) != 3 or None in parts:
        raise Invalid("voxel", "Give plane, row and column as three whole numbers.")
    return parts[0], parts[1], parts[2]


def derivations_of(one: MeasuredRegion) -> str:
    """Where the derivations of the numbers of a region begin."""
    name = "derivation_grown" if isinstance(one, GrownLesion) else "derivation"
    return reverse(name, args=[one.pk, "suvmax"]).removesuffix("suvmax/")
