"""End an account at once: `deactivate_user NAME --reason "left the site"`."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from trials.models import User
from trials.services import accounts, jobs
from trials.services.errors import Refused


class Command(BaseCommand):
    help = "End an account with its sessions and tokens; its name stays on what it did."

    def add_arguments(self, parser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", required=True)

    def handle(self, *_args, username: str, reason: str, **_options) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"No user with the name {username}.")
        try:
            left = accounts.deactivate(user, reason=reason, by=jobs.system_user())
        except Refused as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{user.username} ({user}) may not log in any more; sessions ended.")
        for token in left:
            self.stdout.write(
                f"The token of {token} at site {token.site} of {token.site.trial} was made by "
                "this account and still sends: a data manager may revoke it and make another."
            )
