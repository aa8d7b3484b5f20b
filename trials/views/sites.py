"""Sites: the list, one site's readiness and people, and the acts that change them."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from trials import permissions
from trials.forms import (
    ApprovalEndForm,
    ApprovalForm,
    ConsentVersionForm,
    DelegationEndForm,
    DelegationForm,
    LeaderForm,
    ReasonForm,
)
from trials.forms.conduct import users_of
from trials.models import ActionItem, Delegation, Membership, Site, SiteApproval, User
from trials.roles import Role
from trials.selectors import sites as selectors
from trials.services import amendments, consents, delegations
from trials.services import sites as services
from trials.views.acts import ActPage, act_page, form_methods, perform, rights, sent

RIGHTS = (
    "site.manage",
    "delegation.sign",
    "version.activate",
    "patient.view",
    "audit.view",
    "screening_log.view",
    "monitoring.view",
    "monitoring.record",
)
MOVES: dict[str, tuple[Callable, str, str]] = {
    "activate": (
        services.activate,
        "Activate",
        "The site may enrol as long as nothing is missing.",
    ),
    "suspend": (
        services.suspend,
        "Suspend",
        "Nobody is enrolled at a suspended site; patients enrolled go on.",
    ),
    "close": (services.close, "Close", "The site's part in the trial ends; this is not undone."),
}


@require_safe
def sites(request: HttpRequest) -> HttpResponse:
    """The sites the user sees, with what each lacks."""
    rows = permissions.listed(Site.objects, request.user, "site.view")
    chosen = request.GET.get("trial", "")
    if chosen:
        rows = rows.filter(trial__identifier=chosen)
    context = {"lines": selectors.lines(rows), "chosen": chosen}
    return render(request, "trials/sites.html", context)


@require_safe
def site(request: HttpRequest, pk: int) -> HttpResponse:
    """One site: the checklist, documents, consent forms, delegation log, versions."""
    row = _site(request, pk, "site.view")
    pending = [
        version
        for version, behind in amendments.pending(row.trial)
        if row.pk in {one.pk for one in behind}
    ]
    context = {
        "site": row,
        "may": rights(request.user, row.scope(), *RIGHTS),
        "is_leader": row.principal_investigator_id == request.user.pk,
        "checks": selectors.checklist(row),
        "approvals": row.approvals.select_related("recorded_by"),
        "consent_versions": row.consent_versions.all(),
        "delegations": selectors.delegation_log(row),
        "activations": row.activations.select_related("version", "activated_by"),
        "version": row.version_in_force,
        "today": row.today(),
        "pending": pending,
        "reconsent": consents.to_reconsent(row),
    }
    if context["may"]["monitoring_view"]:
        context["action_items"] = (
            ActionItem.objects.filter(visit__site=row)
            .exclude(state=ActionItem.State.CLOSED)
            .select_related("visit__site")
            .order_by("due_on", "pk")
        )
    return render(request, "trials/site.html", context)


@form_methods
def approval_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Record something the site needs before it may enrol."""
    row = _site(request, pk, "site.manage")
    version = row.version_in_force
    form = ApprovalForm(sent(request), tracers=version.tracers.all() if version else [])
    return _act(
        request,
        row,
        form,
        lambda found: services.record_approval(row, by=request.user, **found),
        title="Record an approval",
        submit="Record",
    )


@form_methods
def approval_end(request: HttpRequest, pk: int) -> HttpResponse:
    """Let an approval end: replaced, taken back, or entered in error."""
    approval = permissions.fetched(
        SiteApproval.objects.select_related("site__trial"), request.user, "site.manage", pk=pk
    )
    return _act(
        request,
        approval.site,
        ApprovalEndForm(sent(request), initial={"ended_on": approval.site.today()}),
        lambda found: services.end_approval(approval, by=request.user, **found),
        title=f"End: {approval.get_kind_display()} {approval.tracer}".strip(),
        submit="End it",
        is_grave=True,
    )


@form_methods
def consent_version_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a version of the consent form be used at the site."""
    row = _site(request, pk, "site.manage")
    return _act(
        request,
        row,
        ConsentVersionForm(sent(request)),
        lambda found: services.record_consent_version(row, by=request.user, **found),
        title="Record a consent form",
        submit="Record",
    )


@form_methods
def leader_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Name the principal investigator."""
    row = _site(request, pk, "site.manage")
    investigators = users_of(row).filter(
        pk__in=Membership.objects.current()
        .filter(trial=row.trial_id, role=Role.INVESTIGATOR)
        .values("user")
    )
    return _act(
        request,
        row,
        LeaderForm(sent(request), users=investigators),
        lambda found: services.name_principal_investigator(row, by=request.user, **found),
        title="Name the principal investigator",
        submit="Name",
    )


@form_methods
def site_move(request: HttpRequest, pk: int, move: str) -> HttpResponse:
    """Activate, suspend or close the site."""
    if move not in MOVES:
        raise Http404
    row = _site(request, pk, "site.manage")
    act, word, intro = MOVES[move]
    lacking = services.missing(row) if move == "activate" else []
    if lacking:
        intro = f"The site can't be activated yet. {' '.join(lacking)}"
    return _act(
        request,
        row,
        ReasonForm(sent(request)),
        lambda found: act(row, by=request.user, **found),
        title=f"{word} site",
        submit=word,
        intro=intro,
        is_grave=move != "activate" or bool(lacking),
    )


@form_methods
def delegation_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Delegate a duty, signed by the principal investigator."""
    row = _site(request, pk, "delegation.sign")
    users: list[User] = users_of(row)
    return _act(
        request,
        row,
        DelegationForm(sent(request), users=users, initial={"starts_on": row.today()}),
        lambda found: delegations.delegate(row, by=request.user, **found),
        title="Delegate a duty",
        submit="Sign and delegate",
        intro="I delegate this duty and answer for it.",
    )


@require_safe
def delegation_log(request: HttpRequest, pk: int) -> HttpResponse:
    """The delegation log of a site on paper: who held which duty, from when to when, signed."""
    row = _site(request, pk, "site.view")
    context = {
        "site": row,
        "delegations": selectors.delegation_log(row),
        "now": timezone.now(),
    }
    return render(request, "trials/delegation_log.html", context)


@form_methods
def delegation_end(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a duty end."""
    row = permissions.fetched(
        Delegation.objects.select_related("site__trial", "user"),
        request.user,
        "delegation.sign",
        pk=pk,
    )
    return _act(
        request,
        row.site,
        DelegationEndForm(sent(request), initial={"ends_on": row.site.today()}),
        lambda found: delegations.end(row, by=request.user, **found),
        title=f"End: {row.get_duty_display().lower()}, {row.user}",
        submit="End it",
        is_grave=True,
    )


def _act(
    request: HttpRequest,
    site: Site,
    form,
    act: Callable[[dict], object],
    *,
    title: str,
    submit: str,
    **more,
) -> HttpResponse:
    """A form about a site that leads back to it."""
    address = reverse("site", args=[site.pk])

    def performed(found: dict) -> str:
        act(found)
        return address

    done = perform(request, form, performed)
    page = ActPage(title, submit, address, f"Site {site}, {site.trial}", address, **more)
    return done or act_page(request, form, page)


def _site(request: HttpRequest, pk: int, permission: str) -> Site:
    rows = Site.objects.select_related("trial", "principal_investigator")
    return permissions.fetched(rows, request.user, permission, pk=pk)
