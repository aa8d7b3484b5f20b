"""Sites that take part in a trial."""

from __future__ import annotations

import re
from zoneinfo import available_timezones

from django.utils import timezone

from trials.models import ProtocolActivation, ProtocolVersion, Site, Trial, User
from trials.services import audit
from trials.services.errors import Invalid, Refused

# A patient's identifier begins with it.
CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{0,19}")


def add(trial: Trial, *, code: str, name: str, time_zone: str, by: User) -> Site:
    """Let a site take part; its time zone fixes what a wall clock there means."""
    if not CODE.fullmatch(code):
        raise Invalid("code", f"A code is capital letters, digits and hyphens; got {code!r}.")
    if not name.strip():
        raise Invalid("name", "Give the name of the site.")
    if time_zone not in available_timezones():
        raise Invalid("time_zone", f"Name a time zone as Europe/Berlin; got {time_zone!r}.")
    with audit.action("site.added", actor=by, reason="takes part", trial=trial.pk):
        Trial.objects.select_for_update().get(pk=trial.pk)
        if trial.sites.filter(code=code).exists():
            raise Refused("site-exists", f"{trial} has a site {code} already.")
        site = Site.objects.create(trial=trial, code=code, name=name.strip(), time_zone=time_zone)
        _begin_with(site, trial.newest_version, by=by)
    return site


def _begin_with(site: Site, version: ProtocolVersion | None, *, by: User) -> None:
    """A site starts with the newest version; any later one is activated there by an act."""
    if version:
        ProtocolActivation.objects.create(
            site=site, version=version, effective_on=timezone.localdate(), activated_by=by
        )
