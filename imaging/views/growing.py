"""What a reader sees of a series slice by slice, and what a click on one takes in."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from imaging.selectors import reads as selecting
from imaging.services import growing, reads, viewing
from imaging.services.ct_volumes import CtRefused
from imaging.slices import Plane
from imaging.views import placing, under_slices
from imaging.views.asked import address_of, integer, number, run_of, series_of, voxel
from trials.services.errors import Refused


@require_safe
def picture_of_slice(
    request: HttpRequest, reading_identifier: str, plane: str, index: int
) -> HttpResponse:
    """One slice in an SUV window, with the outlines of the own read."""
    row = series_of(request, reading_identifier)
    run = run_of(row)
    asked = request.GET
    try:
        png = viewing.slice_of(
            run,
            selecting.newest(run, request.user),
            plane=_plane(plane),
            index=index,
            low=number(asked, "low", 0.0),
            high=number(asked, "high", 10.0),
            click=voxel(asked["voxel"]) if "voxel" in asked else None,
            method=placing.method_asked(run, asked),
            ct=under_slices.asked(asked),
        )
    except CtRefused as refusal:
        return JsonResponse(
            {"code": refusal.code, "message": refusal.message}, status=refusal.status
        )
    response = HttpResponse(png, content_type="image/png")
    # Its outlines change with each decision.
    response["Cache-Control"] = "private, no-cache"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def grow(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """What a click takes in, as JSON; sent as a form, it is kept in the own read."""
    if request.method == "POST":
        return _keep(request, reading_identifier)
    row = series_of(request, reading_identifier)
    run = run_of(row)
    asked = request.GET
    place: dict = {}
    try:
        at = viewing.voxel_at(
            run,
            plane=_plane(asked.get("plane", "")),
            index=int(number(asked, "slice", -1)),
            x=number(asked, "x", -1.0),
            y=number(asked, "y", -1.0),
        )
        place = {"clicked": ",".join(map(str, at)), "place_mm": viewing.place_of(run, at)}
        found = growing.preview(run, at)
        shared = reads.shared_by(run, request.user, found)
    except Refused as refusal:
        said = {"code": refusal.code, "message": refusal.message}
        return JsonResponse(said | place, status=422)
    one = found.measured
    return JsonResponse(
        {
            **place,
            "voxel": place["clicked"],
            "suvmax": one.suvmax,
            "suvmean": one.suvmean,
            "suvpeak": one.suvpeak,
            "volume_ml": one.volume_ml,
            "total_uptake": one.total_uptake,
            "threshold": found.grown.threshold,
            "holds_hotter": found.grown.holds_hotter,
            "partial_volume": one.partial_volume,
            "peak_leaves_image": one.peak_leaves_image,
            "peak_note": run.peak_note,
            "shares": [{"number": one.number, "volume_ml": one.volume_ml} for one in shared],
        }
    )


def _keep(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    row = series_of(request, reading_identifier, "read.edit")
    kept = reads.grow(
        selecting.own_of(row, request.user),
        by=request.user,
        voxel=voxel(request.POST.get("voxel", "")),
        instead_of=integer(request.POST.get("instead_of", "")),
    )
    return redirect(address_of(reading_identifier, kept.number, request.POST))


def _plane(name: str) -> Plane:
    try:
        return Plane(name)
    except ValueError:
        raise Http404 from None
