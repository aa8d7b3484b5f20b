"""Sites: taking part, what was approved there, and whether they may enrol today."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from zoneinfo import available_timezones

from django.db.models import Q

from trials import permissions, site_readiness
from trials.models import (
    ConsentVersion,
    Membership,
    ProtocolActivation,
    ProtocolVersion,
    Site,
    SiteApproval,
    Trial,
    User,
)
from trials.roles import Role
from trials.services import audit, consents
from trials.services.errors import Invalid, Refused

# A patient's identifier begins with it.
CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{0,19}")
State = Site.State
Kind = SiteApproval.Kind
LABELS = {
    "principal_investigator": "Principal investigator named",
    "protocol_version": "Protocol version in force",
    "consent_version": "Consent form in force",
    **dict(Kind.choices),
}


def add(trial: Trial, *, code: str, name: str, time_zone: str, by: User) -> Site:
    """Let a site take part; its time zone fixes what a wall clock there means."""
    check(code=code, name=name, time_zone=time_zone)
    with audit.action("site.added", actor=by, reason="takes part", trial=trial.pk):
        Trial.objects.select_for_update().get(pk=trial.pk)
        if trial.sites.filter(code=code).exists():
            raise Refused("site-exists", f"{trial} has a site {code} already.")
        return create(trial, code=code, name=name, time_zone=time_zone, by=by)


def check(*, code: str, name: str, time_zone: str) -> None:
    """Raise Invalid unless these can be a site's."""
    if not CODE.fullmatch(code):
        raise Invalid("code", f"A code is capital letters, digits and hyphens; got {code!r}.")
    if not name.strip():
        raise Invalid("name", "Give the name of the site.")
    if time_zone not in available_timezones():
        raise Invalid("time_zone", f"Name a time zone as Europe/Berlin; got {time_zone!r}.")


def create(trial: Trial, *, code: str, name: str, time_zone: str, by: User) -> Site:
    """The site, beginning with the newest version; any later one is activated by an act.

    Inside an action that holds the trial.
    """
    site = Site.objects.create(trial=trial, code=code, name=name.strip(), time_zone=time_zone)
    version = trial.newest_version
    if version:
        ProtocolActivation.objects.create(
            site=site, version=version, effective_on=site.today(), activated_by=by
        )
    return site


def record_approval(
    site: Site,
    *,
    kind: str,
    tracer: str = "",
    reference: str,
    granted_on: date,
    expires_on: date | None,
    by: User,
) -> SiteApproval:
    """Record that something a site needs was granted, with its document and dates."""
    permissions.require(by, "site.manage", site)
    _check_approval(site, kind, tracer, reference, granted_on, expires_on)
    with audit.action("site.approval_recorded", actor=by, reason=kind, trial=site.trial_id):
        return SiteApproval.objects.create(
            site=site,
            kind=kind,
            tracer=tracer,
            reference=reference.strip(),
            granted_on=granted_on,
            expires_on=expires_on,
            recorded_by=by,
        )


def end_approval(approval: SiteApproval, *, ended_on: date, reason: str, by: User) -> SiteApproval:
    """Let an approval end with a day: taken back, replaced, or entered in error."""
    permissions.require(by, "site.manage", approval.site)
    audit.require_reason(reason)
    trial = approval.site.trial_id
    with audit.action("site.approval_ended", actor=by, reason=reason, trial=trial):
        locked = SiteApproval.objects.select_for_update().get(pk=approval.pk)
        if locked.ended_on:
            raise Refused("ended-already", f"This approval ended on {locked.ended_on} already.")
        locked.ended_on = ended_on
        locked.save(update_fields=["ended_on"])
    return locked


def record_consent_version(
    site: Site,
    *,
    version: str,
    language: str,
    valid_from: date,
    valid_until: date | None,
    requires_reconsent: bool,
    by: User,
) -> ConsentVersion:
    """Let a version of the consent form be used at a site, in one language.

    It may have been signed before it was recorded: what was found wrong then is judged again.
    """
    permissions.require(by, "site.manage", site)
    if not version.strip():
        raise Invalid("version", "Give the version printed on the form.")
    if not language.strip():
        raise Invalid("language", "Give the language, as en or de.")
    if valid_until and valid_until < valid_from:
        raise Invalid("valid_until", f"It is valid from {valid_from} and can't end before.")
    with audit.action(
        "site.consent_version_recorded", actor=by, reason=version, trial=site.trial_id
    ):
        Site.objects.select_for_update().get(pk=site.pk)
        if site.consent_versions.filter(version=version, language=language).exists():
            raise Refused("recorded-already", f"{version} ({language}) is recorded already.")
        form = ConsentVersion.objects.create(
            site=site,
            version=version.strip(),
            language=language.strip(),
            valid_from=valid_from,
            valid_until=valid_until,
            requires_reconsent=requires_reconsent,
        )
        consents.judge_form(form)
    return form


def name_principal_investigator(site: Site, *, user: User, reason: str, by: User) -> Site:
    """Name who answers for the trial at a site and signs its delegations."""
    permissions.require(by, "site.manage", site)
    audit.require_reason(reason)
    held = Membership.objects.current().filter(
        Q(site=site) | Q(site__isnull=True),
        user=user,
        trial=site.trial,
        role=Role.INVESTIGATOR,
    )
    if not held.exists():
        raise Invalid("user", f"{user} does not hold the role of an investigator at {site}.")
    return _change(site, "site.led_by", reason=reason, by=by, principal_investigator=user)


def activate(site: Site, *, reason: str, by: User) -> Site:
    """Let a site enrol; refused with everything it lacks."""
    permissions.require(by, "site.manage", site)
    audit.require_reason(reason)
    _require_complete(site)
    return _move(site, State.ACTIVE, frm={State.PLANNED, State.SUSPENDED}, reason=reason, by=by)


def suspend(site: Site, *, reason: str, by: User) -> Site:
    """Stop enrolment at a site for a time; patients enrolled go on."""
    permissions.require(by, "site.manage", site)
    return _move(site, State.SUSPENDED, frm={State.ACTIVE}, reason=reason, by=by)


def close(site: Site, *, reason: str, by: User) -> Site:
    """End a site's part in the trial."""
    permissions.require(by, "site.manage", site)
    frm = {State.PLANNED, State.ACTIVE, State.SUSPENDED}
    return _move(site, State.CLOSED, frm=frm, reason=reason, by=by)


def needs(site: Site, *, on: date | None = None) -> list[site_readiness.Need]:
    """The checklist of a site on a day."""
    on = on or site.today()
    return site_readiness.needs(_readiness(site, on), on=on)


def missing(site: Site, *, on: date | None = None) -> list[str]:
    """What a site lacks to be active, a sentence each."""
    return [f"{described(one)}: missing." for one in needs(site, on=on) if not one.is_there]


def described(need: site_readiness.Need) -> str:
    return f"{LABELS[need.kind]} {need.tracer}".strip()


def require_active(site: Site) -> None:
    """Raise unless the site may enrol today."""
    if site.state != State.ACTIVE:
        raise Refused(
            "site-not-active",
            f"{site} is {site.get_state_display().lower()}: a data manager activates it.",
        )
    _require_complete(site)


def require_taking_part(site: Site) -> None:
    """Raise where a site's part in the trial has ended: nothing more comes from it."""
    if site.state == State.CLOSED:
        raise Refused(
            "site-closed",
            f"{site} is closed: it sends nothing any more. Ask the trial's data manager.",
        )


def require_sending(site: Site) -> None:
    """Raise where no images may come that name no patient: nobody is to begin there."""
    require_taking_part(site)
    if site.state == State.SUSPENDED:
        raise Refused(
            "site-suspended",
            f"{site} is suspended: images are sent for a patient's scheduled scan alone. Upload "
            "them on the page of the scan.",
        )


def not_sending() -> set[int]:
    """The sites from which no images may come that name no patient."""
    rows = Site.objects.filter(state__in=[State.SUSPENDED, State.CLOSED])
    return set(rows.values_list("pk", flat=True))


def _require_complete(site: Site) -> None:
    lacking = missing(site)
    if lacking:
        raise Refused("site-not-active", f"{site} may not enrol. {' '.join(lacking)}")


def _readiness(site: Site, on: date) -> site_readiness.Site:
    version: ProtocolVersion | None = site.version_in_force
    forms = site.consent_versions.all()
    return site_readiness.Site(
        approvals=[
            site_readiness.Approval(
                one.kind, one.granted_on, one.expires_on, one.ended_on, one.tracer
            )
            for one in site.approvals.all()
        ],
        tracers=_tracers(version),
        has_leader=site.principal_investigator_id is not None,
        has_version=version is not None,
        has_consent_version=any(
            one.valid_from <= on and (one.valid_until or on) >= on for one in forms
        ),
    )


def _tracers(version: ProtocolVersion | None) -> list[str]:
    if version is None:
        return []
    return [one.identifier for one in version.tracers.all()]


def _check_approval(site, kind, tracer, reference, granted_on, expires_on) -> None:
    if kind not in Kind.values:
        raise Invalid("kind", f"The kind is one of {', '.join(Kind.values)}; got {kind!r}.")
    if not reference.strip():
        raise Invalid("reference", "Say which document this is, as the site files it.")
    if granted_on > site.today():
        raise Invalid("granted_on", f"It can't be granted in the future; got {granted_on}.")
    if expires_on and expires_on < granted_on:
        raise Invalid("expires_on", f"It was granted on {granted_on} and can't end before.")
    known = _tracers(site.version_in_force)
    if kind == Kind.SCANNER and tracer not in known:
        raise Invalid("tracer", f"Name the tracer: {', '.join(known) or 'none is known'}.")
    if kind != Kind.SCANNER and tracer:
        raise Invalid("tracer", "Only a scanner is qualified for a tracer.")


def _move(site: Site, state: str, *, frm: Iterable[str], reason: str, by: User) -> Site:
    audit.require_reason(reason)
    with audit.action(f"site.{state}", actor=by, reason=reason, trial=site.trial_id):
        locked = Site.objects.select_for_update().get(pk=site.pk)
        if locked.state not in frm:
            raise Refused("wrong-state", f"{site} is {locked.get_state_display().lower()}.")
        locked.state = state
        locked.save(update_fields=["state"])
    return locked


def _change(site: Site, name: str, *, reason: str, by: User, **fields) -> Site:
    with audit.action(name, actor=by, reason=reason, trial=site.trial_id):
        locked = Site.objects.select_for_update().get(pk=site.pk)
        for field, value in fields.items():
            setattr(locked, field, value)
        locked.save(update_fields=list(fields))
    return locked
