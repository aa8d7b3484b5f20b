"""Asks the one table whether a user may."""

from __future__ import annotations

from django.http import Http404

from trials.models import ScopedModel, ScopedQuerySet, User
from trials.roles import SCOPES, granted, within
from trials.services.errors import Forbidden


def refusal(user: User, permission: str) -> Forbidden:
    """Why a user may not: the role they lack, or the scope of the token that they came with."""
    has_role = any(granted(one.role, permission) for one in user.current_memberships)
    if has_role and not within(user.token_scope, permission):
        enough = [name for name, one in SCOPES.items() if permission in one.permissions]
        return Forbidden(permission, scope=user.token_scope, scopes=enough)
    return Forbidden(permission)


def require(user: User, permission: str, on: ScopedModel) -> None:
    """Raise Forbidden unless a role `user` holds today grants `permission` on that row."""
    if not user.may_for(permission, on.scope()):
        raise refusal(user, permission)


def require_somewhere(user: User, permission: str) -> None:
    """Raise Forbidden unless `user` holds `permission` in some trial."""
    if not user.may(permission):
        raise refusal(user, permission)


def listed(rows: ScopedQuerySet, user: User, permission: str) -> ScopedQuerySet:
    """The rows `user` may list: Forbidden when no role grants it anywhere."""
    require_somewhere(user, permission)
    return rows.visible_to(user, permission)


def fetched(rows: ScopedQuerySet, user: User, permission: str, **lookup) -> ScopedModel:
    """One row: 404 when out of the user's scope, Forbidden when in scope without the right."""
    row = rows.visible_to(user).filter(**lookup).first()
    if row is None:
        raise Http404
    require(user, permission, row)
    return row
