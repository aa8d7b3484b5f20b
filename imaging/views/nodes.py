"""The DICOM nodes of a site: who may send to it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from imaging.forms import NodeChangeForm, NodeForm
from imaging.models import DicomNode
from imaging.services import nodes
from trials import permissions
from trials.forms import ActForm, ReasonForm
from trials.models import Site
from trials.views.acts import ActPage, act_page, form_methods, perform, rights, sent


@require_safe
def listed(request: HttpRequest, pk: int) -> HttpResponse:
    """What the scanners and archives of a site call, and who called last."""
    site = _site(request, pk, "site.view")
    context = {
        "site": site,
        "nodes": site.dicom_nodes.select_related("contact", "registered_by"),
        "may": rights(request.user, site.scope(), "scanner.manage", "audit.view"),
    }
    return render(request, "imaging/nodes.html", context)


@form_methods
def new(request: HttpRequest, pk: int) -> HttpResponse:
    """Register a node at a site."""
    site = _site(request, pk, "scanner.manage")
    return _node_act(
        request,
        site,
        NodeForm(sent(request)),
        lambda found: nodes.register(site, by=request.user, **found),
        title="Register a DICOM node",
        submit="Register",
        intro="Whoever calls it by DICOM C-STORE sends to this site.",
    )


@form_methods
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Say anew who may call a node."""
    node = _node(request, pk)
    names = ("calling_ae_titles", "allowed_addresses")
    return _node_act(
        request,
        node.site,
        NodeChangeForm(sent(request), initial={name: getattr(node, name) for name in names}),
        lambda found: nodes.change(node, by=request.user, **found),
        title=f"Who may call {node}",
        submit="Change",
    )


@form_methods
def retire(request: HttpRequest, pk: int) -> HttpResponse:
    """Let nobody in at a node any more."""
    node = _node(request, pk)
    return _node_act(
        request,
        node.site,
        ReasonForm(sent(request)),
        lambda found: nodes.retire(node, by=request.user, **found),
        title=f"Retire {node}",
        submit="Retire",
        intro="Nobody is let in by this AE title any more, and it is not given again.",
        is_grave=True,
    )


def _node_act(
    request: HttpRequest,
    site: Site,
    form: ActForm,
    act: Callable[[dict], object],
    *,
    title: str,
    submit: str,
    **more,
) -> HttpResponse:
    """A form about the nodes of a site that leads back to them."""
    address = reverse("site_nodes", args=[site.pk])

    def performed(found: dict) -> str:
        act(found)
        return address

    done = perform(request, form, performed)
    page = ActPage(title, submit, address, f"Site {site}, {site.trial}", address, **more)
    return done or act_page(request, form, page)


def _site(request: HttpRequest, pk: int, permission: str) -> Site:
    return permissions.fetched(
        Site.objects.select_related("trial"), request.user, permission, pk=pk
    )


def _node(request: HttpRequest, pk: int) -> DicomNode:
    rows = DicomNode.objects.select_related("site__trial")
    return permissions.fetched(rows, request.user, "scanner.manage", pk=pk)
