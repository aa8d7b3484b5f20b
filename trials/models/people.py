"""Users, the roles they hold, and the tokens their scripts use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import cached_property

from trials import roles
from trials.models.scope import ScopedModel, ScopedQuerySet
from trials.models.today import Today


class User(AbstractUser):
    """A named person, or a named part of the system that acts by itself."""

    is_system = models.BooleanField(default=False)
    # Of the token that a request came with: one of roles.SCOPES, and nothing beyond it is granted.
    token_scope = ""

    @cached_property
    def current_memberships(self) -> list[Membership]:
        """Roles held today. Kept for the life of this object, which is one request."""
        return list(self.memberships.current().select_related("trial", "site"))

    def scopes(self, permission: str | None = None) -> Iterator[tuple[int, int | None]]:
        """Trial and site of each role held today that grants `permission`."""
        if permission and not roles.within(self.token_scope, permission):
            return
        for membership in self.current_memberships:
            if permission is None or roles.granted(membership.role, permission):
                yield membership.trial_id, membership.site_id

    def may(self, permission: str) -> bool:
        """Whether any role held today grants `permission` somewhere."""
        return any(True for _ in self.scopes(permission))

    def may_for(self, permission: str, scope: tuple[int, int | None]) -> bool:
        """Whether a role held today grants `permission` on a row of that scope."""
        trial, site = scope
        return any(
            held == trial and (at is None or site is None or at == site)
            for held, at in self.scopes(permission)
        )

    def check_password(self, raw_password: str) -> bool:
        """As Django's, but an old kind of hash stays: a log-in is no frame for a change."""
        return check_password(raw_password, self.password)

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class MembershipQuerySet(ScopedQuerySet):
    def current(self) -> MembershipQuerySet:
        """Roles held today: at a site by its calendar, in a whole trial by UTC's."""
        return self.not_over().filter(starts_on__lte=F("today"))

    def not_over(self) -> MembershipQuerySet:
        """Roles held today or from a later day on."""
        today = Today(Coalesce("site__time_zone", Value("UTC")))
        open_ended = Q(ends_on__isnull=True) | Q(ends_on__gte=F("today"))
        return self.alias(today=today).filter(open_ended, user__is_active=True)


class Membership(ScopedModel):
    """A role a user holds in a trial, at one site or (site empty) at all, for a time."""

    trial_path = "trial_id"
    site_path = "site_id"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    trial = models.ForeignKey("trials.Trial", on_delete=models.PROTECT, related_name="memberships")
    site = models.ForeignKey("trials.Site", on_delete=models.PROTECT, null=True, blank=True)
    role = models.CharField(max_length=30, choices=[(r.value, r.label) for r in roles.Role])
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="membership_ends_after_start",
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=models.F("starts_on")),
            ),
            models.UniqueConstraint(
                name="membership_once",
                fields=["user", "trial", "site", "role", "starts_on"],
                nulls_distinct=False,
            ),
        ]

    def today(self) -> date:
        """The day where the role is held: by the calendar of its site, for all sites by UTC's."""
        return self.site.today() if self.site else timezone.now().date()

    def __str__(self) -> str:
        return f"{self.user} as {self.role} in {self.trial}"


class CalendarFeed(models.Model):
    """A secret address of a user's calendar: only its SHA-256 is kept, a new one ends the old."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="calendar_feeds")
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_feed_in_force", fields=["user"], condition=Q(revoked_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"calendar of {self.user}"


class ApiToken(models.Model):
    """A token for scripts: only its SHA-256 is kept, it ends by itself."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_tokens")
    label = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    # All that its user may where it is empty.
    scope = models.CharField(
        max_length=20, choices=[(one, one) for one in roles.SCOPES], default="", blank=True
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.label} of {self.user}"


class SendingToken(ScopedModel):
    """A token with which a machine sends images to a site: only its SHA-256 is kept."""

    trial_path = "site__trial_id"
    site_path = "site_id"

    site = models.ForeignKey("trials.Site", on_delete=models.PROTECT, related_name="sending_tokens")
    name = models.CharField(max_length=40)
    digest = models.CharField(max_length=64, unique=True)
    issued_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    issued_at = models.DateTimeField(default=timezone.now)
    # The last day on which it sends, by the calendar of the site.
    expires_on = models.DateField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["site", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="machine_has_one_token",
                fields=["site", "name"],
                condition=Q(revoked_at__isnull=True),
            )
        ]

    @property
    def is_in_force(self) -> bool:
        return self.revoked_at is None and self.site.today() <= self.expires_on

    def __str__(self) -> str:
        return self.name
