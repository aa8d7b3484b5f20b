"""Accounts of people as far as a user may see them: who holds or held a role where they look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import Prefetch, QuerySet
from django.http import Http404
from django.utils import timezone

from trials import permissions
from trials.models import ApiToken, CalendarFeed, Membership, SendingToken, User
from trials.services.errors import Forbidden


@dataclass(frozen=True)
class Opened:
    """What an account opened and what ends with it, and the machines that go on sending."""

    roles: list[Membership]
    sessions: int
    tokens: int
    has_calendar: bool
    machines: list[SendingToken]


def listed(viewer: User) -> QuerySet[User]:
    """The accounts, each with the roles that the viewer may see in `seen`; three queries."""
    permissions.require_somewhere(viewer, "account.view")
    held = Membership.objects.visible_to(viewer, "account.view")
    rows = held.select_related("trial", "site").order_by("trial__identifier", "starts_on", "pk")
    return (
        User.objects.filter(pk__in=held.values("user"), is_system=False)
        .prefetch_related(Prefetch("memberships", rows, to_attr="seen"))
        .order_by("last_name", "first_name", "username")
    )


def fetched(viewer: User, permission: str, *, pk: int) -> User:
    """One account: 404 when out of the viewer's scope, Forbidden when without the right there."""
    roles = Membership.objects.filter(user=pk, user__is_system=False)
    if not roles.visible_to(viewer).exists():
        raise Http404
    if not roles.visible_to(viewer, permission).exists():
        raise Forbidden(permission)
    return User.objects.get(pk=pk)


def opened(user: User) -> Opened:
    """What would end with the account now."""
    now = timezone.now()
    return Opened(
        list(user.memberships.not_over().select_related("trial", "site").order_by("trial", "pk")),
        sum(1 for _ in sessions_of(user)),
        ApiToken.objects.filter(user=user, revoked_at=None, expires_at__gt=now).count(),
        CalendarFeed.objects.filter(user=user, revoked_at=None).exists(),
        machines_of(user),
    )


def sessions_of(user: User) -> Iterator[Session]:
    """Where the user is logged in: a session names its user within its own data alone."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            yield session


def machines_of(user: User) -> list[SendingToken]:
    """Tokens of machines that the user made and that still send: they belong to sites."""
    made = SendingToken.objects.filter(issued_by=user, revoked_at=None)
    return [one for one in made.select_related("site__trial") if one.is_in_force]
