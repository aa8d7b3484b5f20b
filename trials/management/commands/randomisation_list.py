"""The sealed list of a trial, for its unblinded statistician: `randomisation_list TRIAL`."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trials.models import Trial, User
from trials.services import randomisation_lists
from trials.services.errors import Refused

MISMATCH = 3


class Command(BaseCommand):
    help = (
        "Writes the sealed list of a randomisation as CSV and holds every allocation against it. "
        "Exit status 3 if one does not agree. Who asks is an unblinded statistician and holds no "
        "other role in the trial; the reason and the digest of the list go into the audit trail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trial", metavar="TRIAL", help="identifier of the trial")
        parser.add_argument("--as", dest="username", required=True, help="who asks: a user name")
        parser.add_argument("--reason", required=True, help="what the list is for")
        parser.add_argument(
            "--places", type=int, default=0, help="how many of each stratum at least"
        )
        parser.add_argument("--to", type=Path, help="a new file; the terminal without it")
        parser.add_argument(
            "--digest-only", action="store_true", help="digests of the seeds, to be filed; no list"
        )
        parser.add_argument(
            "--filed", metavar="SHA256", help="the digest that was filed before the first patient"
        )

    def handle(
        self, *_args, trial: str, username: str, reason: str, places: int, **options
    ) -> None:
        by = User.objects.filter(username=username, is_active=True).first()
        row = Trial.objects.filter(identifier=trial).first()
        if by is None or row is None:
            raise CommandError(f"There is no {'trial ' + trial if row is None else username}.")
        to: Path | None = options["to"]
        if to and to.exists():
            raise CommandError(f"{to} is there already: name another file, or move it away.")
        try:
            found = randomisation_lists.draw(row, reason=reason, places=places, by=by)
        except Refused as error:
            raise CommandError(error.message) from error
        for digest in found.seed_sha256.values():
            self.stderr.write(f"Digest of the sealed seed: {digest}")
        if not options["digest_only"]:
            self._write(found.text, to)
            self.stderr.write(f"{found.row.places} places, SHA-256 {found.row.list_sha256}")
        for sentence in found.incomparable:
            self.stderr.write(sentence)
        wrong = list(found.mismatches)
        if options["filed"] and options["filed"] not in found.seed_sha256.values():
            wrong.append(f"The filed digest {options['filed']} is of none of these seeds.")
        if wrong:
            told = "\n".join(["What was given does not follow from the list:", *wrong])
            raise CommandError(told, returncode=MISMATCH)
        which = "Every other allocation" if found.incomparable else "Every allocation"
        self.stderr.write(f"{which} made follows from the list.")

    def _write(self, text: str, to: Path | None) -> None:
        if to is None:
            self.stdout.write(text, ending="")
            return
        try:
            # For its owner alone: the file tells every coming allocation.
            handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{to}: {error.strerror}.") from error
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
