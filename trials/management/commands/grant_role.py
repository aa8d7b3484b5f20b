"""Give a role, or end one: `grant_role NAME ROLE TRIAL [--site CODE] [--from DATE]`."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model
from django.utils import timezone

from trials.models import Membership, Site, Trial, User
from trials.roles import Role
from trials.services import accounts, jobs
from trials.services.errors import Refused


class Command(BaseCommand):
    help = "Give a user a role in a trial, at one site or at all; with --end, let it end."

    def add_arguments(self, parser) -> None:
        parser.add_argument("username")
        parser.add_argument("role", choices=[role.value for role in Role])
        parser.add_argument("trial", help="identifier of the trial")
        parser.add_argument("--site", help="code of the site; without it, all sites")
        parser.add_argument("--from", dest="starts_on", type=date.fromisoformat, metavar="DATE")
        parser.add_argument("--end", type=date.fromisoformat, metavar="DATE", help="its last day")
        parser.add_argument("--reason", default="", help="why it ends")

    def handle(self, *_args, **options) -> None:
        user = _the(User, username=options["username"])
        trial = _the(Trial, identifier=options["trial"])
        site = _the(Site, trial=trial, code=options["site"]) if options["site"] else None
        scope = {"trial": trial, "site": site}
        try:
            if options["end"]:
                held = _the(Membership, user=user, role=options["role"], ends_on=None, **scope)
                self._end(held, options["end"], options["reason"])
            else:
                self._grant(user, Role(options["role"]), scope, options["starts_on"])
        except Refused as error:
            raise CommandError(error.message) from error

    def _grant(self, user: User, role: Role, scope: dict[str, Any], starts_on: date | None) -> None:
        site = scope["site"]
        day = starts_on or (site.today() if site else timezone.localdate())
        by = jobs.system_user()
        held = accounts.grant(user, role, by=by, starts_on=day, **scope)
        self.stdout.write(f"{held}, from {held.starts_on}.")

    def _end(self, held: Membership, last_day: date, reason: str) -> None:
        if not reason.strip():
            raise CommandError("Say why the role ends: --reason.")
        accounts.end_grant(held, ends_on=last_day, reason=reason, by=jobs.system_user())
        self.stdout.write(f"{held}, until {held.ends_on}.")


def _the(model: type[Model], **wanted) -> Any:
    row = model._default_manager.filter(**wanted).first()
    if row is None:
        words = ", ".join(f"{name} {value}" for name, value in wanted.items())
        raise CommandError(f"No {model._meta.verbose_name} with {words}.")
    return row
