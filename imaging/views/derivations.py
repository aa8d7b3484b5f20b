"""How a number came about, on a page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from imaging.models import Lesion, MeasuredRegion, ReferenceRegion
from imaging.selectors import derivations, reads
from trials import permissions


@require_safe
def derivation(request: HttpRequest, pk: int, quantity: str) -> HttpResponse:
    """How one number came about, from the page back to the voxel and the syringe."""
    lesion = permissions.fetched(
        Lesion.objects.select_related("quantification__series__transmittal"),
        request.user,
        "quantification.view",
        pk=pk,
    )
    return _derivation(request, lesion, quantity)


@require_safe
def derivation_grown(request: HttpRequest, pk: int, quantity: str) -> HttpResponse:
    """How one number of a region came about that a reader grew."""
    return _derivation(request, reads.grown_seen_by(request.user, pk), quantity)


def _derivation(request: HttpRequest, lesion: MeasuredRegion, quantity: str) -> HttpResponse:
    with_origin = request.user.may_for("images.view", lesion.scope())
    node = derivations.derivation_of(lesion, quantity, with_origin=with_origin)
    context = {"node": node, "lesion": lesion, "series": lesion.quantification.series}
    return render(request, "imaging/derivation.html", context)


@require_safe
def region_derivation(request: HttpRequest, pk: int, quantity: str) -> HttpResponse:
    """How one number of a reference region came about."""
    region = permissions.fetched(
        ReferenceRegion.objects.select_related("quantification__series__transmittal"),
        request.user,
        "quantification.view",
        pk=pk,
    )
    with_origin = request.user.may_for("images.view", region.scope())
    node = derivations.region_derivation(region, quantity, with_origin=with_origin)
    context = {"node": node, "series": region.quantification.series}
    return render(request, "imaging/derivation.html", context)
