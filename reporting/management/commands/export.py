"""Order an export, wait until a worker has frozen it, and take its file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reporting import selectors
from reporting.formats import CHOICES
from reporting.models import Export
from reporting.profiles import Profile
from reporting.services import exports
from trials.models import Trial, User
from trials.services.errors import Refused
from trials.version import VERSION

POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Freezes an export of TRIAL as a user who may, and writes its zip. CSV is always in it. "
        "The order, its reason and the download are in the audit trail as from the page."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trial", metavar="TRIAL", help="identifier of the trial")
        parser.add_argument("--as", required=True, dest="username", help="who asks: a user name")
        parser.add_argument("--reason", default="", help="what the export is for")
        parser.add_argument(
            "--rebuild",
            type=int,
            metavar="NUMBER",
            help="make a frozen export once more from the audit trail, and compare each file",
        )
        parser.add_argument(
            "--format",
            action="append",
            default=[],
            choices=[*CHOICES, "all"],
            dest="formats",
            help="besides CSV; may be given several times",
        )
        parser.add_argument(
            "--profile",
            choices=list(Profile),
            default=Profile.FULL,
            help="what of a person leaves: all (full), dates shifted, or HIPAA Safe Harbor",
        )
        parser.add_argument("--to", type=Path, help="the file to write; named by the export if not")

    def handle(self, **options: Any) -> None:
        by = User.objects.filter(username=options["username"], is_active=True).first()
        if by is None:
            raise CommandError(f"There is no user {options['username']!r}.")
        trial = Trial.objects.filter(identifier=options["trial"]).first()
        if trial is None:
            raise CommandError(f"There is no trial {options['trial']!r}.")
        if options.get("rebuild"):
            self._rebuild(trial, options["rebuild"], by)
            return
        to: Path | None = options["to"]
        if to and to.exists():
            raise CommandError(f"{to} is there already: name another file, or move it away.")
        formats = list(CHOICES) if "all" in options["formats"] else options["formats"]
        try:
            ordered = exports.request(
                trial,
                reason=options["reason"],
                by=by,
                formats=formats,
                privacy=options["profile"],
            )
            self.stdout.write(f"Export {ordered.pk} is ordered.")
            content = exports.download(self._frozen(ordered.pk), by=by)
        except Refused as error:
            raise CommandError(error.message) from error
        path = to or Path(exports.file_name(ordered))
        try:
            with path.open("xb") as file:
                file.write(content)
        except OSError as error:
            raise CommandError(
                f"{path}: {error.strerror}. Export {ordered.pk} is frozen: its page has the file."
            ) from error
        self.stdout.write(f"{path}: {len(content)} bytes")

    def _rebuild(self, trial: Trial, pk: int, by: User) -> None:
        """Say of each file whether the trail gives its bytes again."""
        export = Export.objects.filter(trial=trial, pk=pk).first()
        if export is None:
            raise CommandError(f"There is no export {pk} of {trial.identifier}.")
        try:
            found = exports.rebuilt(export, by=by)
        except Refused as error:
            raise CommandError(error.message) from error
        others = [one for one in found if not one.is_same]
        for one in others:
            was, made = one.was or "not there", one.made or "not there"
            self.stdout.write(f"{one.path}: was {was}, is {made}")
        if others:
            frozen_by = export.manifest["software_version"]
            raise CommandError(
                f"Export {pk}: {len(others)} of {len(found)} files are not the same. It was frozen "
                f"by version {frozen_by}; this is {VERSION}."
            )
        self.stdout.write(f"Export {pk}: all {len(found)} files are the same, byte for byte.")

    def _frozen(self, pk: int) -> Export:
        while True:
            row = selectors.exports().get(pk=pk)
            if row.standing == Export.State.FROZEN:
                return row
            if row.standing != Export.State.REQUESTED:
                raise CommandError(f"Export {pk} failed: {selectors.message_of(row)}")
            time.sleep(POLL_SECONDS)
