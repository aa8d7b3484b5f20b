"""Say where a user's alarms are sent: `set_email NAME ADDRESS`; an empty address ends them."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from trials.models import User
from trials.services import accounts, jobs
from trials.services.errors import Refused


class Command(BaseCommand):
    help = "Say where a user's alarms are sent; an empty address ends them."

    def add_arguments(self, parser) -> None:
        parser.add_argument("username")
        parser.add_argument("address")

    def handle(self, *_args, username: str, address: str, **_options) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"No user with the name {username}.")
        try:
            accounts.set_email(user, address, by=jobs.system_user())
        except Refused as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Alarms for {user} go to {address or 'nobody'}.")
