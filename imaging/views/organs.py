"""Biodistribution: normal-organ uptake over the scans of a trial, with a dot for each scan."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from imaging import organ_uptake
from imaging.selectors import organs

# Of the picture, in its own units: where the axis begins and ends, height of a row.
LEFT, RIGHT = 190.0, 980.0
TOP, ROW, LANE = 34.0, 46.0, 6.0


@dataclass(frozen=True)
class Dot:
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """One organ in the picture: its dots, and where its mean and median lie."""

    organ: organs.Organ
    y: float
    dots: list[Dot]
    mean: float
    median: float


@require_safe
def uptake(request: HttpRequest) -> HttpResponse:
    """Per organ n, mean, SD, median and range; each row opens the scans behind it."""
    asked = request.GET.get("quantity", "")
    quantity = asked if asked in organs.QUANTITIES else "suvmean"
    found = organs.tables(organs.listed(request.user), quantity)
    context = {
        "tables": [(one, _picture(one)) for one in found],
        "quantity": quantity,
        "quantity_name": organs.QUANTITIES[quantity],
        "quantities": organs.QUANTITIES,
    }
    return render(request, "imaging/organ_uptake.html", context)


def _picture(table: organs.Table) -> dict:
    """What the picture of a table is drawn from."""
    marks = organ_uptake.ticks(max(organ.found.high for organ in table.organs))
    scale = (RIGHT - LEFT) / marks[-1]
    lines = [_line(organ, i, scale) for i, organ in enumerate(table.organs)]
    foot = TOP + ROW * len(lines)
    return {
        "lines": lines,
        "ticks": [(LEFT + mark * scale, mark) for mark in marks],
        "left": LEFT,
        "foot": foot,
        "below": foot + 16,
        "height": foot + 38,
    }


def _line(organ: organs.Organ, number: int, scale: float) -> Line:
    y = TOP + ROW * (number + 0.5)
    places = [LEFT + max(value, 0.0) * scale for value in organ.values]
    lanes = organ_uptake.lanes([place / (RIGHT - LEFT) for place in places])
    # As many as fit between two rows.
    reach = int(ROW / 2 / LANE) - 1
    dots = [
        Dot(place, y + max(-reach, min(reach, lane)) * LANE)
        for place, lane in zip(places, lanes, strict=True)
    ]
    found = organ.found
    return Line(organ, y, dots, LEFT + found.mean * scale, LEFT + found.median * scale)
