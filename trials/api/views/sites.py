"""Sites, their documents, duties and versions."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import conduct, serializers
from trials.api.base import Endpoint, asked, filtered, operation
from trials.forms.conduct import users_of
from trials.models import Delegation, ProtocolVersion, Site, SiteApproval, User
from trials.services import amendments, delegations
from trials.services import sites as services
from trials.services.errors import Invalid

MOVES = {"activate": services.activate, "suspend": services.suspend, "close": services.close}


class Sites(Endpoint):
    @operation(
        "listSites",
        tag="sites",
        answers=conduct.SiteStanding(many=True),
        filters=serializers.TrialFilter,
    )
    def get(self, request: Request) -> Response:
        """The user's sites, each with what it lacks to enrol today."""
        wanted = filtered(request, serializers.TrialFilter)
        rows = permissions.listed(Site.objects, request.user, "site.view")
        if trial := wanted.get("trial"):
            rows = rows.filter(trial__identifier=trial)
        rows = rows.select_related("trial", "principal_investigator").prefetch_related(
            "approvals", "consent_versions", "activations__version__tracers"
        )
        return self.page(rows.order_by("trial", "code"), conduct.SiteStanding)


class OneSite(Endpoint):
    @operation("getSite", tag="sites", answers=conduct.OneSite)
    def get(self, request: Request, pk: int) -> Response:
        """A site with its documents and consent forms."""
        return self.show(site_for(request, "site.view", pk), conduct.OneSite)


class MoveSite(Endpoint):
    @operation("moveSite", tag="sites", asks=serializers.Reason, answers=conduct.SiteStanding)
    def post(self, request: Request, pk: int, move: str) -> Response:
        """Activate, suspend or close a site; activation is refused with all that is missing."""
        if move not in MOVES:
            raise Http404
        site = site_for(request, "site.manage", pk)
        moved = MOVES[move](site, by=request.user, **asked(request, serializers.Reason))
        return self.show(moved, conduct.SiteStanding)


class Approvals(Endpoint):
    @operation(
        "recordApproval",
        tag="sites",
        asks=conduct.RecordApproval,
        answers=conduct.Approval,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Record something the site needs before it may enrol."""
        site = site_for(request, "site.manage", pk)
        given = asked(request, conduct.RecordApproval)
        row = services.record_approval(site, by=request.user, **given)
        return self.show(row, conduct.Approval, status=201)


class EndApproval(Endpoint):
    @operation("endApproval", tag="sites", asks=conduct.End, answers=conduct.Approval)
    def post(self, request: Request, pk: int) -> Response:
        """Let an approval end; it is never edited."""
        row = permissions.fetched(
            SiteApproval.objects.select_related("site"), request.user, "site.manage", pk=pk
        )
        given = asked(request, conduct.End)
        return self.show(services.end_approval(row, by=request.user, **given), conduct.Approval)


class ConsentVersions(Endpoint):
    @operation(
        "recordConsentVersion",
        tag="sites",
        asks=conduct.RecordConsentVersion,
        answers=conduct.ConsentVersion,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let a version of the consent form be used at a site."""
        site = site_for(request, "site.manage", pk)
        given = asked(request, conduct.RecordConsentVersion)
        row = services.record_consent_version(site, by=request.user, **given)
        return self.show(row, conduct.ConsentVersion, status=201)


class Leader(Endpoint):
    @operation("nameInvestigator", tag="sites", asks=conduct.Leader, answers=conduct.SiteStanding)
    def post(self, request: Request, pk: int) -> Response:
        """Name the principal investigator of a site."""
        site = site_for(request, "site.manage", pk)
        given = asked(request, conduct.Leader)
        user = person_at(site, given["user"])
        led = services.name_principal_investigator(
            site, user=user, reason=given["reason"], by=request.user
        )
        return self.show(led, conduct.SiteStanding)


class Delegations(Endpoint):
    @operation("listDelegations", tag="sites", answers=conduct.Delegation(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """The delegation log of a site."""
        site = site_for(request, "site.view", pk)
        rows = site.delegations.select_related("user", "signature")
        return self.page(rows, conduct.Delegation)

    @operation(
        "delegateDuty",
        tag="sites",
        asks=conduct.Delegate,
        answers=conduct.Delegation,
        status=201,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Delegate a duty, signed by the principal investigator."""
        site = site_for(request, "delegation.sign", pk)
        given = asked(request, conduct.Delegate)
        given["user"] = person_at(site, given["user"])
        row = delegations.delegate(site, by=request.user, **given)
        return self.show(row, conduct.Delegation, status=201)


class EndDelegation(Endpoint):
    @operation("endDelegation", tag="sites", asks=conduct.EndDuty, answers=conduct.Delegation)
    def post(self, request: Request, pk: int) -> Response:
        """Let a duty end."""
        row = permissions.fetched(
            Delegation.objects.select_related("site", "user", "signature"),
            request.user,
            "delegation.sign",
            pk=pk,
        )
        given = asked(request, conduct.EndDuty)
        return self.show(delegations.end(row, by=request.user, **given), conduct.Delegation)


class DryRun(Endpoint):
    @operation("tryVersion", tag="sites", answers=conduct.DryRunResult)
    def get(self, request: Request, pk: int, version: int) -> Response:
        """Judge every patient of a site by a version that does not hold there yet."""
        site = site_for(request, "version.activate", pk)
        row = get_object_or_404(ProtocolVersion, pk=version, trial=site.trial_id)
        run = amendments.dry_run(row, site=site, by=request.user)
        return self.show(run, conduct.DryRunResult)

    @operation(
        "activateVersion",
        tag="sites",
        asks=conduct.Activate,
        answers=conduct.Activation,
        status=201,
    )
    def post(self, request: Request, pk: int, version: int) -> Response:
        """Let a version hold at a site from a day."""
        site = site_for(request, "version.activate", pk)
        row = get_object_or_404(ProtocolVersion, pk=version, trial=site.trial_id)
        given = asked(request, conduct.Activate)
        made = amendments.activate(row, site=site, by=request.user, **given)
        return self.show(made, conduct.Activation, status=201)


def site_for(request: Request, permission: str, pk: int) -> Site:
    rows = Site.objects.select_related("trial", "principal_investigator")
    return permissions.fetched(rows, request.user, permission, pk=pk)


def person_at(site: Site, pk: int, *, field: str = "user") -> User:
    """Who holds a role at the site; nobody else is named by a key."""
    user = users_of(site).filter(pk=pk).first()
    if user is None:
        raise Invalid(field, f"Nobody with the key {pk} holds a role at {site}.")
    return user
