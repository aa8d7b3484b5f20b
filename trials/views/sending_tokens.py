"""Tokens of machines that send to a site: the list, a new one shown once, the end of one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from trials import permissions
from trials.forms import ReasonForm, SendingTokenForm
from trials.models import SendingToken, Site
from trials.services import sending_tokens
from trials.services.errors import Forbidden, Refused
from trials.views.acts import ActPage, act_page, form_methods, perform, rights, sent


@require_safe
def site_tokens(request: HttpRequest, pk: int) -> HttpResponse:
    """The machines that hold a token of the site, and until when."""
    return _listed(request, _site(request, pk, "site.view"))


@form_methods
def site_token_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a token for a machine; what answers the form is the only page that shows it."""
    site = _site(request, pk, "sending_token.manage")
    form = SendingTokenForm(sent(request))
    if form.is_valid():
        try:
            token, row = sending_tokens.issue(site, by=request.user, **form.cleaned_data)
        except Forbidden:
            raise
        except Refused as refusal:
            form.refuse(refusal)
        else:
            return _listed(request, site, token=token, made=row)
    page = _page(site, "Make a token for a machine", "Make it")
    return act_page(request, form, page)


@form_methods
def site_token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Let nothing be sent with a token any more."""
    row = permissions.fetched(
        SendingToken.objects.select_related("site__trial"),
        request.user,
        "sending_token.manage",
        pk=pk,
    )
    form = ReasonForm(sent(request))
    page = _page(row.site, f"Revoke the token of {row}", "Revoke", is_grave=True)

    def act(found: dict) -> str:
        sending_tokens.revoke(row, by=request.user, **found)
        return page.cancel

    return perform(request, form, act) or act_page(request, form, page)


def _listed(request: HttpRequest, site: Site, **shown) -> HttpResponse:
    context = {
        "site": site,
        "tokens": site.sending_tokens.select_related("issued_by"),
        "today": site.today(),
        "address": request.build_absolute_uri(f"/dicom-web/sites/{site.pk}/studies"),
        "may": rights(request.user, site.scope(), "sending_token.manage", "audit.view"),
    }
    response = render(request, "trials/sending_tokens.html", context | shown)
    response["Cache-Control"] = "no-store"
    return response


def _page(site: Site, title: str, submit: str, **more) -> ActPage:
    address = reverse("site_tokens", args=[site.pk])
    return ActPage(title, submit, address, f"Site {site}, {site.trial}", address, **more)


def _site(request: HttpRequest, pk: int, permission: str) -> Site:
    return permissions.fetched(
        Site.objects.select_related("trial"), request.user, permission, pk=pk
    )
