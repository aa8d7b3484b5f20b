"""Make an account: `add_user NAME --full-name "First Last" --email ADDRESS`."""

from __future__ import annotations

import getpass
import sys

from django.core.management.base import BaseCommand, CommandError

from trials.services import accounts, jobs
from trials.services.errors import Refused


class Command(BaseCommand):
    help = "Make an account. The password is asked for, or read as a line from standard input."

    def add_arguments(self, parser) -> None:
        parser.add_argument("username")
        parser.add_argument("--full-name", required=True)
        parser.add_argument("--email", default="", help="where alarms are sent")

    def handle(self, *_args, username: str, full_name: str, email: str, **_options) -> None:
        try:
            user = accounts.create_user(
                username=username,
                password=_password(),
                full_name=full_name,
                email=email,
                by=jobs.system_user(),
            )
        except Refused as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{user.username} ({user}) may log in; grant_role gives a role.")


def _password() -> str:
    """Never an argument: those can be read by everybody on the machine while we run."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise CommandError("The two passwords differ.")
    return password
