"""Accounts, roles and tokens."""

from __future__ import annotations

import hashlib
import secrets
from datetime import date, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import EmailField
from django.utils import timezone

from trials.models import ApiToken, CalendarFeed, Membership, SendingToken, Site, Trial, User
from trials.roles import SCOPES, Role
from trials.selectors.accounts import machines_of, sessions_of
from trials.services import audit
from trials.services.errors import Invalid, Refused

TOKEN_LIFE = timedelta(hours=12)
# Of a token that only reads exports, for it lies where a script does.
LONGEST_SCOPED_DAYS = 90


def create_user(*, username: str, password: str, full_name: str, by: User, email: str = "") -> User:
    """A named account; the password has to pass the rules. Alarms go to `email`."""
    _require_new_name(username)
    _require_address(email)
    first, _, last = full_name.partition(" ")
    user = User(username=username, first_name=first, last_name=last, email=email)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid("password", " ".join(error.messages)) from error
    user.set_password(password)
    with audit.action("user.created", actor=by, reason="new account"):
        user.save()
    return user


def grant(
    user: User,
    role: Role,
    *,
    trial: Trial,
    site: Site | None,
    by: User,
    starts_on: date,
) -> Membership:
    """Give `user` a role in a trial, at one site or at all of them; held already, it stays."""
    if site and site.trial_id != trial.pk:
        raise Invalid("site", f"{site} is no site of {trial}.")
    if role != Role.UNBLINDED_STATISTICIAN and trial.listings.filter(listed_by=user).exists():
        raise Refused(
            "holds-the-sealed-list",
            f"{user} was given the sealed list of {trial}, which tells coming allocations: no "
            "other role in it is given any more.",
        )
    same = Membership.objects.filter(user=user, trial=trial, site=site, role=role)
    with audit.action("membership.granted", actor=by, reason="role granted", trial=trial.pk):
        held = same.filter(ends_on__isnull=True).first()
        if held is None and same.filter(ends_on__gte=starts_on).exists():
            raise Invalid("starts_on", "The role is held until later: let the next start then.")
        return held or same.create(
            user=user, trial=trial, site=site, role=role, starts_on=starts_on
        )


def end_grant(membership: Membership, *, ends_on: date, reason: str, by: User) -> None:
    """Let a role end after that day; nobody's record of having held it goes."""
    if ends_on < membership.starts_on:
        raise Invalid("ends_on", f"The role starts on {membership.starts_on}, it can't end before.")
    trial = membership.trial_id
    with audit.action("membership.ended", actor=by, reason=reason, trial=trial):
        membership.ends_on = ends_on
        membership.save(update_fields=["ends_on"])


def end(user: User, *, reason: str, by: User) -> list[SendingToken]:
    """End the account of somebody whose every role lies where `by` may end accounts."""
    if user == by:
        raise Refused("own-account", "Nobody ends their own account: ask another administrator.")
    roles = user.memberships.not_over()
    within = roles.visible_to(by, "account.end").values("pk")
    if roles.exclude(pk__in=within).exists():
        raise Refused(
            "works-elsewhere",
            f"{user} holds a role elsewhere too, at another site or in another trial. Ask whoever "
            "keeps the server to end the account, or those who look after each of these trials.",
        )
    return deactivate(user, reason=reason, by=by)


@transaction.atomic
def deactivate(user: User, *, reason: str, by: User) -> list[SendingToken]:
    """Let an account do nothing from now on; its name stays on what it did and signed.

    Its roles, sessions, tokens and calendar end with it. Returned are the tokens of machines
    that it made and that still send: they belong to sites, and whoever made one has seen it.
    """
    audit.require_reason(reason)
    if user.is_system:
        raise Refused("is-system", f"{user.username} is a part of the system, not a person.")
    # Each on the trail of its own trial.
    for held in user.memberships.not_over().select_related("user", "trial", "site"):
        end_grant(held, ends_on=max(held.today(), held.starts_on), reason=reason, by=by)
    with audit.action("user.deactivated", actor=by, reason=reason):
        locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not locked.is_active:
            raise Refused("deactivated-already", f"{user.username} is not active.")
        locked.is_active = False
        locked.save(update_fields=["is_active"])
        for held in (ApiToken.objects, CalendarFeed.objects):
            held.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())
        for session in sessions_of(user):
            session.delete()
    return machines_of(user)


def change_password(user: User, password: str) -> None:
    """A new password, checked by the caller's form; what the old one opened ends."""
    user.set_password(password)
    with audit.action("user.password_changed", actor=user, reason="chosen by its user"):
        user.save(update_fields=["password"])
        ApiToken.objects.filter(user=user, revoked_at__isnull=True).update(
            revoked_at=timezone.now()
        )


def note_log_in(user: User) -> None:
    """Put the log-in on the record, with the account as its own actor."""
    user.last_login = timezone.now()
    with audit.action("user.logged_in", actor=user, reason="password accepted"):
        user.save(update_fields=["last_login"])


def issue_token(
    user: User, *, label: str, scope: str = "", days: int | None = None
) -> tuple[str, ApiToken]:
    """A token, shown this once; only its digest is kept. One of a scope may last for days."""
    if scope and scope not in SCOPES:
        raise Invalid("scope", f"No scope is called {scope:.40}; there are {', '.join(SCOPES)}.")
    if days is not None and not (scope and 1 <= days <= LONGEST_SCOPED_DAYS):
        raise Invalid(
            "days", f"A token of a scope lasts 1 to {LONGEST_SCOPED_DAYS} days, others 12 hours."
        )
    token = secrets.token_urlsafe(32)
    with audit.action("token.issued", actor=user, reason="log-in of a script"):
        row = ApiToken.objects.create(
            user=user,
            label=label,
            digest=_digest(token),
            scope=scope,
            expires_at=timezone.now() + (timedelta(days=days) if days else TOKEN_LIFE),
        )
    return token, row


def revoke_token(token: str, *, by: User) -> None:
    """End a token of one's own now."""
    with audit.action("token.revoked", actor=by, reason="log-out of a script"):
        ApiToken.objects.filter(user=by, digest=_digest(token), revoked_at__isnull=True).update(
            revoked_at=timezone.now()
        )


def user_of_token(token: str) -> User | None:
    """Whose token this is, held to its scope, if it is in force and the account is active."""
    row = (
        ApiToken.objects.filter(
            digest=_digest(token),
            revoked_at__isnull=True,
            expires_at__gt=timezone.now(),
            user__is_active=True,
        )
        .select_related("user")
        .first()
    )
    if row is None:
        return None
    row.user.token_scope = row.scope
    return row.user


def set_email(user: User, email: str, *, by: User) -> None:
    """Where alarms are sent; empty sends none."""
    _require_address(email)
    with audit.action("user.email_set", actor=by, reason="address for alarms"):
        user.email = email
        user.save(update_fields=["email"])


def _require_address(email: str) -> None:
    try:
        EmailField(blank=True).clean(email, None)
    except ValidationError as error:
        raise Invalid("email", f"{email!r} is no e-mail address.") from error


def _require_new_name(username: str) -> None:
    """Refuse a name that can't be one, or that anybody ever had, in whatever case."""
    try:
        User.username_validator(username)
    except ValidationError as error:
        raise Invalid("username", " ".join(error.messages)) from error
    if User.objects.filter(username__iexact=username).exists():
        raise Invalid("username", "This user name was given out before; names are never reused.")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
