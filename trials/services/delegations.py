"""The delegation log of a site: who was given which duty, from when until when, by whom."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from trials import duties, permissions
from trials.models import Consent, Delegation, Injection, Membership, Signature, Site, User
from trials.services import audit, deviations, holding, moments, signatures
from trials.services.errors import Invalid, Refused

Duty = Delegation.Duty
# The rules by which what was done without the duty is a deviation.
NOT_TO_INJECT = "injected-without-delegation"
NOT_TO_CONSENT = "consent-without-delegation"


def holds(user: User, duty: str, site: Site, *, on: date | None = None) -> bool:
    """Whether `user` holds a duty at a site on a day: delegated, or as principal investigator.

    Without a role at the site that suits the duty nobody holds it, whatever was signed.
    """
    on = on or site.today()
    if not duties.suits(duty, _roles(user, site, on)):
        return False
    return (
        site.principal_investigator_id == user.pk
        or _on(site, on).filter(user=user, duty=duty).exists()
    )


def require(by: User, duty: str, site: Site) -> None:
    """Raise unless `by` holds the duty at the site today."""
    if not holds(by, duty, site):
        label = Duty(duty).label.lower()
        leader = site.principal_investigator or "its principal investigator, who is not named yet"
        raise Refused(
            "not-delegated",
            f"{by} is not delegated to {label} at {site} today: let {leader} delegate it.",
        )


def delegated(site: Site, duty: str, *, on: date | None = None) -> list[User]:
    """Who holds a duty at a site on a day, by name."""
    on = on or site.today()
    found = User.objects.filter(
        Q(pk__in=_on(site, on).filter(duty=duty).values("user"))
        | Q(pk=site.principal_investigator_id),
        is_active=True,
    )
    return [one for one in found.order_by("last_name", "pk") if holds(one, duty, site, on=on)]


def delegate(
    site: Site,
    *,
    user: User,
    duty: str,
    starts_on: date,
    ends_on: date | None,
    password: str,
    by: User,
) -> Delegation:
    """Give a duty to a person; the principal investigator signs it.

    It may begin before it is signed: what the person did since then is judged again.
    """
    _require_leader(site, by)
    _check(site, user, duty, starts_on, ends_on)
    with audit.action("duty.delegated", actor=by, reason="delegation log", trial=site.trial_id):
        _hold(site, user)
        _require_new(site, user, duty, starts_on, ends_on)
        row = Delegation.objects.create(
            site=site, user=user, duty=duty, starts_on=starts_on, ends_on=ends_on
        )
        row.signature = signatures.sign(
            row,
            by=by,
            password=password,
            meaning=Signature.Meaning.DELEGATION,
            content={
                "site": str(site),
                "person": str(user),
                "user": user.pk,
                "duty": duty,
                "starts_on": starts_on.isoformat(),
                "ends_on": ends_on and ends_on.isoformat(),
            },
        )
        row.save(update_fields=["signature"])
        _judge_what_was_done(row, since=starts_on, until=ends_on)
    return row


def end(delegation: Delegation, *, ends_on: date, reason: str, by: User) -> Delegation:
    """Let a duty end with a day; that it was held stays in the log.

    The day may lie back: what the person did after it is judged again.
    """
    _require_leader(delegation.site, by)
    audit.require_reason(reason)
    if ends_on < delegation.starts_on:
        raise Invalid("ends_on", f"It began on {delegation.starts_on} and can't end before.")
    with audit.action("duty.ended", actor=by, reason=reason, trial=delegation.site.trial_id):
        _hold(delegation.site, delegation.user)
        locked = Delegation.objects.select_for_update().get(pk=delegation.pk)
        last = locked.ends_on
        if last and last <= ends_on:
            raise Refused("ended-already", f"This duty ends on {last} already.")
        locked.ends_on = ends_on
        locked.save(update_fields=["ends_on"])
        _judge_what_was_done(locked, since=ends_on + timedelta(days=1), until=last)
    return locked


def not_to_inject(injection: Injection) -> deviations.Finding | None:
    """Who injected without the duty deviates; the injection happened all the same.

    Inside an action: until its end nobody delegates at the site.
    """
    site = holding.shared(Site, injection.scheduled_scan.patient.site_id)
    person, day = injection.injected_by, _day_of(injection, site)
    if person is None or holds(person, Duty.INJECT, site, on=day):
        return None
    values = {"found": str(person), "expected": "delegated to inject"}
    return f"{person} was not delegated to inject at {site} on {day}.", values


def not_to_consent(consent: Consent) -> deviations.Finding | None:
    """Who obtained a consent without the duty deviates. Inside an action that holds the site."""
    site, person = consent.patient.site, consent.obtained_by_user
    day = moments.day_of(consent.signed_at, zone=site.time_zone)
    if person is None or holds(person, Duty.CONSENT, site, on=day):
        return None
    values = {"found": str(person), "expected": "delegated to obtain consent"}
    return f"{person} obtained this consent and was not delegated to at {site} that day.", values


def _day_of(injection: Injection, site: Site) -> date:
    return injection.injected_at.astimezone(ZoneInfo(site.time_zone)).date()


def _hold(site: Site, user: User) -> None:
    """Let nobody record or correct what rests on a duty of a person. Inside an action."""
    holding.held(site, after=_injections(site, user))


def _injections(site: Site, user: User) -> QuerySet[Injection]:
    return Injection.objects.filter(scheduled_scan__patient__site=site, injected_by=user)


def _judge_what_was_done(held: Delegation, *, since: date, until: date | None) -> None:
    """Hold to the log again what was done on the days that it changed. Inside the action.

    Of other days, and of a day that is not known, it says what it said: nothing is judged anew.
    """
    site, user = held.site, held.user

    def has_changed(day: date | None) -> bool:
        return day is not None and since <= day <= (until or day)

    if held.duty == Duty.INJECT:
        given = holding.in_order(_injections(site, user)).select_related("scheduled_scan__patient")
        of_days = [one for one in given if has_changed(_day_of(one, site))]
        deviations.judge_each(of_days, rule=NOT_TO_INJECT, find=not_to_inject)
    if held.duty == Duty.CONSENT:
        rows = Consent.objects.filter(patient__site=site, obtained_by_user=user)
        obtained = holding.in_order(rows).select_related("patient__site")
        signed = [(one, moments.day_of(one.signed_at, zone=site.time_zone)) for one in obtained]
        consents = [one for one, day in signed if has_changed(day)]
        deviations.judge_each(consents, rule=NOT_TO_CONSENT, find=not_to_consent)


def _on(site: Site, on: date):
    open_ended = Q(ends_on__isnull=True) | Q(ends_on__gte=on)
    return site.delegations.filter(open_ended, starts_on__lte=on, signature__isnull=False)


def _roles(user: User, site: Site, on: date) -> set[str]:
    """The roles a person holds at a site on a day.

    Of a day that is past also who has no account any more: their roles ended with it.
    """
    if not user.is_active and on >= site.today():
        return set()
    open_ended = Q(ends_on__isnull=True) | Q(ends_on__gte=on)
    held = Membership.objects.filter(
        open_ended,
        Q(site=site) | Q(site__isnull=True),
        user=user,
        trial_id=site.trial_id,
        starts_on__lte=on,
    )
    return set(held.values_list("role", flat=True))


def _require_leader(site: Site, by: User) -> None:
    permissions.require(by, "delegation.sign", site)
    if site.principal_investigator_id != by.pk:
        raise Refused(
            "not-the-principal-investigator",
            f"Duties at {site} are delegated by {site.principal_investigator or 'nobody yet'}, "
            "its principal investigator.",
        )


def _check(site: Site, user: User, duty: str, starts_on: date, ends_on: date | None) -> None:
    if duty not in Duty.values:
        raise Invalid("duty", f"A duty is one of {', '.join(Duty.values)}; got {duty!r}.")
    if ends_on and ends_on < starts_on:
        raise Invalid("ends_on", f"It begins on {starts_on} and can't end on {ends_on}.")
    if not duties.suits(duty, _roles(user, site, max(starts_on, site.today()))):
        roles = ", ".join(sorted(role.label.lower() for role in duties.DUTIES[duty]))
        raise Invalid("user", f"{user} holds none of the roles that may: {roles} at {site}.")


def _require_new(site: Site, user: User, duty: str, starts_on: date, ends_on: date | None) -> None:
    same = site.delegations.filter(user=user, duty=duty).filter(
        Q(ends_on__isnull=True) | Q(ends_on__gte=starts_on)
    )
    if ends_on:
        same = same.filter(starts_on__lte=ends_on)
    if found := same.first():
        until = found.ends_on or "further notice"
        raise Refused(
            "delegated-already",
            f"{user} holds this duty from {found.starts_on} until {until} already.",
        )
