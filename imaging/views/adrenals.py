"""How a number of the compared adrenals came about."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from imaging.models import Quantification
from imaging.selectors import adrenals
from trials import permissions


@require_safe
def derivation(request: HttpRequest, pk: int, which: str) -> HttpResponse:
    """Of the regions in force, or as they stood when a read was signed."""
    run = permissions.fetched(
        Quantification.objects.select_related("series__transmittal"),
        request.user,
        "quantification.view",
        pk=pk,
    )
    found = adrenals.shown(run, request.user, read=request.GET.get("read", ""))
    with_origin = request.user.may_for("images.view", run.scope())
    node = adrenals.derivation(found, which, with_origin=with_origin)
    return render(request, "imaging/derivation.html", {"node": node, "series": run.series})
