"""Querysets that start from what a user may see."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from trials.models.people import User


# No site has this key: a row that lies there is reached by roles at all sites alone.
EVERY_SITE = 0


class ScopedQuerySet(models.QuerySet):
    """A queryset of rows that belong to a trial, and mostly to a site."""

    def visible_to(self, user: User, permission: str | None = None) -> ScopedQuerySet:
        """Rows within `user`'s memberships; with `permission`, those whose role grants it."""
        reach = Q(pk__in=[])
        for trial, site in self._reached(user, permission):
            within = Q(**{self.model.trial_path: trial})
            if site is not None:
                within &= Q(**{self.model.site_path: site})
            reach |= within
        return self.filter(reach)

    def _reached(self, user: User, permission: str | None) -> Iterator[tuple[int, int | None]]:
        """Each trial and site once: several roles in one place reach no more than one of them."""
        everywhere = self.model.site_path is None
        held = dict.fromkeys(
            (trial, None if everywhere else site) for trial, site in user.scopes(permission)
        )
        for trial, site in held:
            if site is None or (trial, None) not in held:
                yield trial, site


class WholeTrialQuerySet(ScopedQuerySet):
    """Rows about the patients of every site, which a role at one site does not see."""

    def visible_to(self, user: User, permission: str | None = None) -> WholeTrialQuerySet:
        held = [trial for trial, site in user.scopes(permission) if site is None]
        return self.filter(**{f"{self.model.trial_path}__in": held})


class ScopedModel(models.Model):
    """A row that belongs to a trial.

    `trial_path` and `site_path` are the look-ups that end at the primary keys of its trial
    and site; a row without a site belongs to the trial as a whole. `patient_path` ends at its
    patient where the way to its trial does not pass there.
    """

    trial_path: ClassVar[str]
    site_path: ClassVar[str | None] = None
    patient_path: ClassVar[str | None] = None

    objects = ScopedQuerySet.as_manager()

    class Meta:
        abstract = True

    def scope(self) -> tuple[int, int | None]:
        """The primary keys of this row's trial and site."""
        site = _value(self, self.site_path) if self.site_path else None
        return _value(self, self.trial_path), site

    @classmethod
    def is_of_patients(cls, name: str = "patient") -> bool:
        """Whether a row's way leads over a patient, or over what `name` says."""
        return name in cls._way()

    def along(self, name: str) -> models.Model | None:
        """What lies under `name` on the way of this row to its patient; None if nothing does."""
        way = self._way()
        if name not in way:
            return getattr(self, name, None)
        return reduce(_next, way[: way.index(name) + 1], self)

    @classmethod
    def _way(cls) -> list[str]:
        return (cls.patient_path or cls.trial_path).split("__")


def _value(row: models.Model, path: str):
    return reduce(getattr, path.split("__"), row)


def _next(row: models.Model | None, name: str):
    return None if row is None else getattr(row, name)
