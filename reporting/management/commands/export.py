"""Order an export, wait until a worker has frozen it, and take its file."""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from reporting import selectors, signing
from reporting.formats import CHOICES
from reporting.models import Export
from reporting.profiles import Profile
from reporting.services import exports, increments, opening, rebuilds, unblinding
from trials.models import Trial, User
from trials.services.errors import Refused
from trials.version import VERSION

POLL_SECONDS = 0.5


def _moment(text: str) -> datetime:
    """A moment with its zone; without one it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no moment: write it as 2026-03-31T12:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _signature_of(path: Path) -> Path:
    """Where the signature of the digests in a zip lies: beside it."""
    return path.with_name(f"{path.name}.sha256sums{signing.SUFFIX}")


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
        parser.add_argument(
            "--cut-off",
            type=date.fromisoformat,
            metavar="DAY",
            help="the last day whose events are in it, as 2026-03-31",
        )
        parser.add_argument(
            "--at-event",
            type=int,
            metavar="NUMBER",
            help="as the record stood at this event of the audit trail",
        )
        parser.add_argument(
            "--at-moment",
            type=_moment,
            metavar="MOMENT",
            help="as the record stood at a moment, as 2026-03-31T12:00Z",
        )
        parser.add_argument(
            "--since",
            metavar="POINT",
            help="write what changed since: an event of the audit trail by its number, or a moment",
        )
        parser.add_argument(
            "--unblinded",
            metavar="WHY",
            default="",
            help="hold what the trial conceals, for this reason; a second person has to agree",
        )
        parser.add_argument(
            "--approve",
            type=int,
            metavar="NUMBER",
            help="agree, for --reason, to an unblinded export that somebody else ordered",
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
        if options.get("approve"):
            self._approve(trial, options["approve"], options["reason"], by)
            return
        to: Path | None = options["to"]
        if to and to.exists():
            raise CommandError(f"{to} is there already: name another file, or move it away.")
        if to and _signature_of(to).exists():
            raise CommandError(f"{_signature_of(to)} is there already: move it away.")
        if options.get("since"):
            self._changes(trial, by, to, options)
            return
        formats = list(CHOICES) if "all" in options["formats"] else options["formats"]
        try:
            ordered = exports.request(
                trial,
                reason=options["reason"],
                by=by,
                formats=formats,
                privacy=options["profile"],
                unblinding_reason=options["unblinded"],
                cut_off=options["cut_off"],
                at_event=options["at_event"],
                at_moment=options["at_moment"],
            )
            self.stdout.write(f"Export {ordered.pk} is ordered.")
            if ordered.is_unblinded:
                self.stdout.write(f"It waits for a second person: --approve {ordered.pk}.")
                return
            self.take(self._frozen(ordered.pk), to or Path(opening.file_name(ordered)), by)
        except Refused as error:
            raise CommandError(error.message) from error

    def take(self, export: Export, path: Path, by: User) -> None:
        """Write the zip of a frozen export, and beside it the signature if it is signed."""
        content = opening.download(export, by=by)
        self._write(path, content, export.pk)
        if export.signature:
            self._write(_signature_of(path), opening.signature(export, by=by), export.pk)
            self.stdout.write(
                f"SHA256SUMS is signed with the key of SHA-256 {export.signing_key_sha256}."
            )

    def _write(self, path: Path, content: bytes, pk: int) -> None:
        try:
            with path.open("xb") as file:
                file.write(content)
        except OSError as error:
            raise CommandError(
                f"{path}: {error.strerror}. Export {pk} is frozen: its page has the file."
            ) from error
        self.stdout.write(f"{path}: {len(content)} bytes")

    def _changes(self, trial: Trial, by: User, to: Path | None, options: dict[str, Any]) -> None:
        """Freeze the record of a point and the record of now, and write what makes one the other.

        Both are of the same privacy profile and cut-off, and blinded.
        """
        if options["unblinded"]:
            raise CommandError("Changes are of blinded exports: leave --unblinded out.")
        if options["at_event"] is not None or options["at_moment"] is not None:
            raise CommandError("Changes are up to now: leave --at-event and --at-moment out.")
        if options["formats"]:
            raise CommandError("Changes are CSV files: leave --format out.")
        text = options["since"]
        try:
            point: dict[str, Any]
            point = {"at_event": int(text)} if text.isdecimal() else {"at_moment": _moment(text)}
        except ArgumentTypeError as error:
            raise CommandError(f"--since: {error}, or name an event by its number.") from error
        told: dict[str, Any] = {
            "by": by,
            "reason": options["reason"],
            "privacy": options["profile"],
            "cut_off": options["cut_off"],
        }
        try:
            older, newer = (
                self._frozen(exports.request(trial, **told, **one).pk) for one in (point, {})
            )
            content = increments.all_files(newer, older, by=by)
        except Refused as error:
            raise CommandError(error.message) from error
        name = f"{trial.identifier}-exports-{older.pk}-to-{newer.pk}.zip"
        self.stdout.write(
            f"Export {older.pk} is of event {older.audit_event}, export {newer.pk} of event "
            f"{newer.audit_event}."
        )
        self._write(to or Path(name), content, newer.pk)

    def _approve(self, trial: Trial, pk: int, reason: str, by: User) -> None:
        """Be the second person who agrees to an unblinded export."""
        export = Export.objects.filter(trial=trial, pk=pk).first()
        if export is None:
            raise CommandError(f"There is no export {pk} of {trial.identifier}.")
        try:
            unblinding.approve(export, reason=reason, by=by)
        except Refused as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Export {pk} is agreed to, and is frozen next.")

    def _rebuild(self, trial: Trial, pk: int, by: User) -> None:
        """Say of each file whether the trail gives its bytes again."""
        export = Export.objects.filter(trial=trial, pk=pk).first()
        if export is None:
            raise CommandError(f"There is no export {pk} of {trial.identifier}.")
        try:
            found = rebuilds.at_once(export, by=by).files
        except Refused as error:
            raise CommandError(error.message) from error
        others = [one for one in found if one["was"] != one["made"]]
        for one in others:
            was, made = one["was"] or "not there", one["made"] or "not there"
            what = f" ({one['what']})" if one["what"] else ""
            self.stdout.write(f"{one['path']}: was {was}, is {made}{what}")
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
            if row.standing == Export.State.CANCELLED:
                raise CommandError(f"Export {pk} was cancelled by {row.cancelled_by}.")
            if row.standing != Export.State.REQUESTED:
                raise CommandError(f"Export {pk} failed: {selectors.message_of(row)}")
            time.sleep(POLL_SECONDS)
