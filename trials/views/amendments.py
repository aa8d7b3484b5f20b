"""An amendment at a site: what it would change for whom, and letting it hold."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from trials import case_report_forms, permissions
from trials.forms import ActivationForm, FormMoveForm
from trials.models import ProtocolVersion, Site
from trials.services import amendments
from trials.services import form_moves as services
from trials.views.acts import form_methods, form_page, perform, sent


@form_methods
def amendment(request: HttpRequest, pk: int, version: int) -> HttpResponse:
    """Try a version on every patient of the site; beneath it, the act that activates it."""
    site = permissions.fetched(
        Site.objects.select_related("trial"), request.user, "version.activate", pk=pk
    )
    row = get_object_or_404(ProtocolVersion, pk=version, trial=site.trial_id)
    waiting = amendments.to_begin(site, row)
    initial = {"effective_on": site.today()}
    if waiting:
        initial = {"effective_on": waiting.effective_on, "reference": waiting.reference}
    form = ActivationForm(sent(request), initial=initial)

    def activate(found: dict) -> str:
        amendments.activate(row, site=site, by=request.user, **found)
        return reverse("site", args=[site.pk])

    done = perform(request, form, activate)
    if done:
        return done
    # The dry run refuses a site that follows no version yet.
    run = amendments.dry_run(row, site=site, by=request.user)
    current = site.version_in_force
    sides = (case_report_forms.forms_of(one.definition) for one in (current, row))
    context = {
        "form": form,
        "site": site,
        "version": row,
        "current": current,
        "form_changes": list(case_report_forms.differences(*sides)),
        "run": run,
        "waiting": waiting,
        "amendment": row.definition.get("amendment"),
    }
    return form_page(request, "trials/amendment.html", context)


@form_methods
def form_moves(request: HttpRequest, pk: int, version: int) -> HttpResponse:
    """What becomes of the forms of a site under a version; beneath it, the act that moves them."""
    site = permissions.fetched(
        Site.objects.select_related("trial"), request.user, "version.activate", pk=pk
    )
    row = get_object_or_404(ProtocolVersion, pk=version, trial=site.trial_id)
    form = FormMoveForm(sent(request))
    address = reverse("form_moves", args=[site.pk, row.pk])

    def move(found: dict) -> str:
        services.move(row, site=site, by=request.user, **found)
        return address

    done = perform(request, form, move)
    if done:
        return done
    plan = services.plan(row, site=site, by=request.user)
    form.initial["digest"] = plan.digest
    context = {
        "form": form,
        "site": site,
        "version": row,
        "plan": plan,
        "is_in_force": site.version_in_force == row,
    }
    return form_page(request, "trials/form_moves.html", context)
