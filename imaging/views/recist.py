"""Lesions on CT for RECIST, typed in beside the reading."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from imaging.forms import RecistForm
from imaging.models import Read
from imaging.selectors import reads as selecting
from imaging.selectors import recist
from imaging.services import recist_lesions
from imaging.views.responses import SERIES
from trials import permissions
from trials.views.acts import form_methods, form_page, perform, sent


@form_methods
def measure(request: HttpRequest, reading_identifier: str) -> HttpResponse:
    """Record the lesions on CT in the own draft."""
    series = permissions.fetched(
        SERIES, request.user, "read.edit", reading_identifier=reading_identifier
    )
    read = selecting.own_of(series, request.user)
    address = reverse("reading", args=[reading_identifier])
    rule = recist.rule_of(series.imaging_study.scheduled_scan)
    if read.state != Read.State.DRAFT or rule is None:
        return redirect(address)
    form = RecistForm(
        sent(request),
        baseline=recist_lesions.baseline_of(read),
        lesions=recist.of(read),
    )

    def act(_: dict) -> str:
        recist_lesions.record(read, form.lesions(), by=request.user)
        return address

    done = perform(request, form, act)
    context = {"form": form, "series": series}
    return done or form_page(request, "imaging/reading_recist.html", context)
