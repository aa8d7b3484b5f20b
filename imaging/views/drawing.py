"""A blinded reader draws a region by hand, sees what it takes in, and keeps what was shown."""

from __future__ import annotations

import json
from dataclasses import asdict

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse

from imaging.models import Read
from imaging.selectors import reads as selecting
from imaging.services import hand_drawing, reads, viewing
from imaging.services.hand_drawing import Contours
from imaging.views.asked import integer, series_of
from trials.services.errors import Invalid, Refused
from trials.views.acts import form_methods, fresh_submission, once

# The SUV drawn black.
WINDOWS = (5, 10, 20)
# Two decimals of a mm for more points than a drawing may have.
LONGEST = 1_000_000


@form_methods
def draw(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """Slices to draw on; a drawing is measured, or kept, as JSON."""
    row = series_of(request, reading_identifier, "read.edit")
    read = selecting.own_of(row, request.user)
    if request.method == "POST":
        return _answered(request, read)
    paper = hand_drawing.paper_of(read.quantification)
    rows = selecting.rows_of(read)
    context = {
        "series": row,
        "read": read,
        "paper": json.dumps(asdict(paper)),
        "plane": paper.plane,
        "slice": _first_slice(read, request.GET, paper.plane, len(paper.corners)),
        "last": len(paper.corners) - 1,
        "windows": WINDOWS,
        "high": WINDOWS[1],
        "rows": rows,
        "submission": fresh_submission(),
    }
    return render(request, "imaging/reading_draw.html", context)


def _answered(request: HttpRequest, read: Read) -> HttpResponse:
    try:
        contours = _contours(request.POST.get("contours", ""))
        if "keep" in request.POST:
            return JsonResponse({"address": once(request, lambda: _kept(request, read, contours))})
        found = hand_drawing.preview(read.quantification, contours)
        shared = reads.shared_by(read.quantification, request.user, found)
    except Refused as refusal:
        said = {"code": refusal.code, "message": refusal.message}
        return JsonResponse(said, status=refusal.status)
    one = found.measured
    return JsonResponse(
        {
            "told": hand_drawing.told(found),
            "voxels": one.voxel_count,
            "suvmax": one.suvmax,
            "suvmean": one.suvmean,
            "suvpeak": one.suvpeak,
            "volume_ml": one.volume_ml,
            "threshold": found.grown.threshold,
            "partial_volume": one.partial_volume,
            "peak_leaves_image": one.peak_leaves_image,
            "peak_note": read.quantification.peak_note,
            "shares": [{"number": one.number, "volume_ml": one.volume_ml} for one in shared],
        }
    )


def _kept(request: HttpRequest, read: Read, contours: Contours) -> str:
    kept = hand_drawing.keep(
        read,
        contours,
        by=request.user,
        seen=request.POST.get("seen", ""),
        instead_of=integer(request.POST.get("instead_of", "")),
    )
    identifier = read.quantification.series.reading_identifier
    return f"{reverse('reading', args=[identifier])}?region={kept.number}"


def _contours(text: str) -> Contours:
    try:
        found = json.loads(text) if len(text) <= LONGEST else None
        return [[[float(at) for at in point] for point in one] for one in found]
    # Nested too deep, or an integer beyond any float.
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise Invalid("contours", "Contours are lists of places, x, y and z in mm.") from error


def _first_slice(read: Read, asked: QueryDict, plane: str, count: int) -> int:
    """The slice through a region that was asked for, else the middle one."""
    number = integer(asked.get("region", ""))
    for row in selecting.rows_of(read):
        if row.number == number:
            voxel = tuple(row.measured.suvmax_voxel)
            return viewing.through(read.quantification, voxel)[plane]
    return count // 2
